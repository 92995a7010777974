package prevrandao

import (
	"context"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/cosmos/evm/rpc/backend"
	rpctypes "github.com/cosmos/evm/rpc/types"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/beacon"
)

// Before tells what the opcode gives in the block of a height, and whether that is still kept.
type Before func(height protocol.Height) (beacon.Value, bool)

// Mix puts the value into a block or header as JSON-RPC shows it, where Ethereum has it: cosmos/evm leaves mixHash empty.
func (b Before) Mix(block map[string]any) {
	number, ok := block["number"].(*hexutil.Big)
	if !ok || !number.ToInt().IsUint64() {
		return
	}
	if v, kept := b(protocol.Height(number.ToInt().Uint64())); kept {
		block["mixHash"] = common.Hash(v)
	}
}

// Blocks are the methods of the namespace eth that show blocks and headers. It stands in for those of cosmos/evm.
type Blocks struct {
	Backend *backend.Backend
	Before  Before
}

// GetBlockByNumber is a block with the hashes of its transactions, or with all of them.
func (b *Blocks) GetBlockByNumber(ctx context.Context, number rpctypes.BlockNumber, full bool) (map[string]any, error) {
	return b.mixed(b.Backend.GetBlockByNumber(ctx, number, full))
}

// GetBlockByHash is the same by the block's hash.
func (b *Blocks) GetBlockByHash(ctx context.Context, hash common.Hash, full bool) (map[string]any, error) {
	return b.mixed(b.Backend.GetBlockByHash(ctx, hash, full))
}

// GetHeaderByNumber is a block without its transactions.
func (b *Blocks) GetHeaderByNumber(ctx context.Context, number rpctypes.BlockNumber) (map[string]any, error) {
	return b.mixed(b.Backend.GetHeaderByNumber(ctx, number))
}

// GetHeaderByHash is the same by the block's hash.
func (b *Blocks) GetHeaderByHash(ctx context.Context, hash common.Hash) (map[string]any, error) {
	return b.mixed(b.Backend.GetHeaderByHash(ctx, hash))
}

func (b *Blocks) mixed(block map[string]any, err error) (map[string]any, error) {
	if err == nil {
		b.Before.Mix(block)
	}
	return block, err
}
