package dev

import (
	"fmt"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtversion "github.com/cometbft/cometbft/proto/tendermint/version"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/cometbft/cometbft/version"
	"github.com/ethereum/go-ethereum/common"
	ethtypes "github.com/ethereum/go-ethereum/core/types"

	rpctypes "github.com/cosmos/evm/rpc/types"
	servertypes "github.com/cosmos/evm/server/types"
	evmtypes "github.com/cosmos/evm/x/vm/types"

	"github.com/mutirao/mutirao/chain/network"
)

// block is one block of the chain with what the app answered.
type block struct {
	*cmttypes.Block
	id       cmttypes.BlockID
	response *abci.ResponseFinalizeBlock
	ethereum []mined // its Ethereum transactions that count, in order
}

// mined is where an Ethereum transaction stands.
type mined struct {
	hash   common.Hash
	from   common.Address
	result servertypes.TxResult
}

// partSize is that of CometBFT, in which a block's id counts its bytes.
const partSize = cmttypes.BlockPartSizeBytes

// height is that of the last block.
func (c *Chain) height() int64 { return int64(len(c.blocks)) }

// at returns the block at a height; 0 and nil stand for the last.
func (c *Chain) at(height *int64) (*block, error) {
	h := c.height()
	if height != nil && *height != 0 {
		h = *height
	}
	if h < 1 || h > c.height() {
		return nil, fmt.Errorf("%w: block %d, the last is %d", errNoBlock, h, c.height())
	}
	return c.blocks[h-1], nil
}

// draft is the block of CometBFT that a validator would propose next.
func (c *Chain) draft(txs []cmttypes.Tx, when time.Time) (*cmttypes.Block, cmttypes.BlockID, error) {
	var lastID cmttypes.BlockID
	commit, appHash, results := &cmttypes.Commit{}, c.genesisHash, cmttypes.ABCIResults{}
	if n := len(c.blocks); n > 0 {
		last := c.blocks[n-1]
		lastID, appHash, results = last.id, last.response.AppHash, cmttypes.NewResults(last.response.TxResults)
		commit = &cmttypes.Commit{Height: last.Height, BlockID: last.id, Signatures: []cmttypes.CommitSig{cmttypes.NewCommitSigAbsent()}}
	}
	b := cmttypes.MakeBlock(c.height()+1, txs, commit, nil)
	hash := c.validators.Hash()
	b.Populate(cmtversion.Consensus{Block: version.BlockProtocol}, network.ChainID, when, lastID, hash, hash,
		c.doc.ConsensusParams.Hash(), appHash, results.Hash(), c.validators.Validators[0].Address)
	parts, err := b.MakePartSet(partSize)
	if err != nil {
		return nil, lastID, err
	}
	return b, cmttypes.BlockID{Hash: b.Hash(), PartSetHeader: parts.Header()}, nil
}

// execute makes the next block: the app applies edits and transactions and keeps the new state.
func (c *Chain) execute(txs []cmttypes.Tx, edits []Edit, when time.Time) (*block, error) {
	draft, id, err := c.draft(txs, when)
	if err != nil {
		return nil, err
	}
	raw := make([][]byte, len(txs))
	for i := range txs {
		raw[i] = txs[i]
	}
	c.edits = edits
	response, err := c.app.FinalizeBlock(&abci.RequestFinalizeBlock{
		Height: draft.Height, Time: when, Txs: raw, Hash: id.Hash, ProposerAddress: draft.ProposerAddress,
		NextValidatorsHash: draft.NextValidatorsHash,
	})
	c.edits = nil
	if err != nil {
		return nil, fmt.Errorf("execute block %d: %w", draft.Height, err)
	}
	if _, err := c.app.Commit(); err != nil {
		return nil, fmt.Errorf("commit block %d: %w", draft.Height, err)
	}
	if err := c.note(edits); err != nil {
		return nil, err
	}
	b := &block{Block: draft, id: id, response: response}
	if err := c.index(b); err != nil {
		return nil, err
	}
	c.blocks = append(c.blocks, b)
	for _, m := range b.ethereum {
		c.byHash[m.hash] = m
	}
	c.byID[common.BytesToHash(id.Hash)] = b.Height
	return b, nil
}

// index finds the Ethereum transactions of b that count: those that were executed, and those that had no place in it.
func (c *Chain) index(b *block) error {
	for i, result := range b.response.TxResults {
		if !evmtypes.TxSucessOrExpectedFailure(result) {
			continue
		}
		tx, err := c.app.TxConfig().TxDecoder()(b.Txs[i])
		if err != nil {
			return err
		}
		parsed, err := rpctypes.ParseTxResult(result, tx)
		if err != nil {
			return fmt.Errorf("events of block %d: %w", b.Height, err)
		}
		for at, p := range parsed.Txs {
			msg, ok := tx.GetMsgs()[at].(*evmtypes.MsgEthereumTx)
			if !ok {
				return fmt.Errorf("events of block %d: message %d is a %T", b.Height, at, tx.GetMsgs()[at])
			}
			b.ethereum = append(b.ethereum, mined{p.Hash, msg.GetSender(), servertypes.TxResult{
				Height: b.Height, TxIndex: uint32(i), MsgIndex: uint32(at), EthTxIndex: int32(len(b.ethereum)),
				Failed: p.Failed, GasUsed: p.GasUsed, CumulativeGasUsed: parsed.AccumulativeGasUsed(at),
			}})
		}
	}
	return nil
}

// truncate forgets the blocks above height.
func (c *Chain) truncate(height int64) {
	for _, b := range c.blocks[height:] {
		delete(c.byID, common.BytesToHash(b.id.Hash))
		for _, m := range b.ethereum {
			delete(c.byHash, m.hash)
		}
	}
	c.blocks = c.blocks[:height:height]
}

// find looks for an Ethereum transaction in the blocks and among those that wait; nil if there is none.
func (c *Chain) find(hash common.Hash) (*ethtypes.Transaction, common.Address, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, w := range c.pool {
		if w.tx.Hash() == hash {
			return w.tx, w.from, nil
		}
	}
	m, found := c.byHash[hash]
	if !found {
		return nil, common.Address{}, nil
	}
	tx, err := c.app.TxConfig().TxDecoder()(c.blocks[m.result.Height-1].Txs[m.result.TxIndex])
	if err != nil {
		return nil, m.from, err
	}
	msg, ok := tx.GetMsgs()[m.result.MsgIndex].(*evmtypes.MsgEthereumTx)
	if !ok {
		return nil, m.from, fmt.Errorf("transaction %s: its message is a %T", hash, tx.GetMsgs()[m.result.MsgIndex])
	}
	return msg.AsTransaction(), m.from, nil
}
