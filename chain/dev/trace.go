package dev

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/eth/tracers"
	_ "github.com/ethereum/go-ethereum/eth/tracers/native" // callTracer and its kin, by name
	"github.com/ethereum/go-ethereum/params"

	rpctypes "github.com/cosmos/evm/rpc/types"
)

var errNoTracer = errors.New("no such tracer; there are callTracer, flatCallTracer, prestateTracer, 4byteTracer, muxTracer, noopTracer and, without a name, the log of opcodes")

// A name that is none of the native tracers is taken for JavaScript, which is not run here; without this, geth calls nothing.
func init() {
	tracers.DefaultDirectory.RegisterJSEval(func(name string, _ *tracers.Context, _ json.RawMessage, _ *params.ChainConfig) (*tracers.Tracer, error) {
		return nil, fmt.Errorf("%w: %.80q", errNoTracer, name)
	})
}

// debugAPI is what a development chain has in the namespace debug beside cosmos/evm's traces.
type debugAPI struct{ eth *ethAPI }

// TraceTransaction executes a transaction again; null if there is none.
func (d *debugAPI) TraceTransaction(ctx context.Context, hash common.Hash, config *rpctypes.TraceConfig) (any, error) {
	if _, err := d.eth.node.GetByTxHash(hash); err != nil {
		return nil, fmt.Errorf("transaction not found: %s", hash)
	}
	r, err := d.eth.backend.TraceTransaction(ctx, hash, config)
	return r, told(err)
}

// GetRawTransaction is a transaction as it was signed.
func (d *debugAPI) GetRawTransaction(hash common.Hash) (hexutil.Bytes, error) {
	return d.eth.GetRawTransactionByHash(hash)
}
