// Package ledgeraudit feeds the log of a network, from a validator's folder or from a running validator, to package audit, and
// compares what comes out with the state that the same validator answers with. It decodes and holds no rule of money.
package ledgeraudit

import (
	"context"
	"errors"
	"fmt"

	abci "github.com/cometbft/cometbft/abci/types"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/cosmos/gogoproto/proto"
)

// source is where blocks, their results and the state come from.
type source interface {
	genesis(ctx context.Context) (*cmttypes.GenesisDoc, error)
	// height is the last block whose state can be asked for.
	height(ctx context.Context) (int64, error)
	block(ctx context.Context, height int64) (*cmttypes.Block, *abci.ResponseFinalizeBlock, error)
	query(ctx context.Context, path string, data []byte, height int64) (abci.ResponseQuery, error)
	close() error
}

var (
	errAnswer  = errors.New("the validator refused a query")
	errMissing = errors.New("the log lacks a block")
)

// ask sends a request of a query service about the state after a block.
func ask(ctx context.Context, s source, height int64, path string, request, answer proto.Message) error {
	data, err := proto.Marshal(request)
	if err != nil {
		return err
	}
	r, err := s.query(ctx, path, data, height)
	if err != nil {
		return err
	}
	if r.Code != 0 {
		return fmt.Errorf("%w: %s at height %d: %s", errAnswer, path, height, r.Log)
	}
	return proto.Unmarshal(r.Value, answer)
}
