package app

import (
	"slices"
	"sync/atomic"

	abci "github.com/cometbft/cometbft/abci/types"
	cmttypes "github.com/cometbft/cometbft/types"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/prevrandao"
	beaconhost "github.com/mutirao/mutirao/chain/x/beacon"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/beacon"
)

// Reveal is what a node reveals of an input in the blocks that it proposes: beacon.Prove with its consensus key.
type Reveal func(input []byte) ([beacon.ProofSize]byte, error)

// reveals counts what this process has seen.
type reveals struct{ rejected, missed, counted atomic.Uint64 }

// BeaconStatus is the beacon after the last block, and what this process has seen of reveals since it began.
type BeaconStatus struct {
	Height   protocol.Height
	Value    beacon.Value // zero on a chain without a beacon
	Rejected uint64       // proposed blocks that this node voted against for their reveal
	Missed   uint64       // decided blocks without a valid reveal
	Counted  uint64       // decided blocks with one
}

// BeaconStatus reads the last committed state. It may be called at any time, from any goroutine.
func (a *App) BeaconStatus() (BeaconStatus, error) {
	s := BeaconStatus{Rejected: a.reveals.rejected.Load(), Missed: a.reveals.missed.Load(), Counted: a.reveals.counted.Load()}
	ctx, err := a.CreateQueryContext(0, false)
	if err != nil {
		return s, err
	}
	s.Height = protocol.Height(ctx.BlockHeight())
	s.Value = a.Beacon.At(ctx, s.Height)
	return s, nil
}

// BeaconBefore is the value that PREVRANDAO has in the block of a height, if it is still kept.
func (a *App) BeaconBefore(height protocol.Height) (beacon.Value, bool) {
	ctx, err := a.CreateQueryContext(0, false)
	if err != nil || height == 0 || beacon.Readable(protocol.Height(ctx.BlockHeight())+1, height-1) != nil {
		return beacon.Value{}, false
	}
	v := a.Beacon.At(ctx, height-1)
	return v, !v.IsZero()
}

// revealing adds this node's reveal to what next proposes, as the last transaction: the indices of the others, which Ethereum's logs carry, stay
// as they are. Without one the block would be refused, so next's failure costs the transactions and not the block.
func (a *App) revealing(next sdk.PrepareProposalHandler) sdk.PrepareProposalHandler {
	return func(ctx sdk.Context, req *abci.RequestPrepareProposal) (*abci.ResponsePrepareProposal, error) {
		before, on := a.Beacon.Before(ctx)
		if !on || a.reveal == nil || a.Beacon.Key(ctx, req.ProposerAddress) == nil {
			return next(ctx, req)
		}
		proof, err := a.reveal(beaconhost.Input(ctx, before))
		if err != nil {
			ctx.Logger().Error("no reveal for the beacon: this block will be refused", "err", err)
			return next(ctx, req)
		}
		tx := beacon.Encode(proof)
		less := *req
		less.MaxTxBytes -= cmttypes.ComputeProtoSizeForTxs([]cmttypes.Tx{tx})
		response, err := next(ctx, &less)
		if err != nil {
			ctx.Logger().Error("proposing a block without transactions", "err", err)
			response = new(abci.ResponsePrepareProposal)
		}
		response.Txs = append(response.Txs, tx)
		return response, nil
	}
}

// revealed refuses a proposed block whose proposer does not reveal as it must, and lets next judge the others' transactions. A reveal that is not
// the last transaction, or a second one, stays among those, where nobody can read it, and the block is refused too.
func (a *App) revealed(next sdk.ProcessProposalHandler) sdk.ProcessProposalHandler {
	return func(ctx sdk.Context, req *abci.RequestProcessProposal) (*abci.ResponseProcessProposal, error) {
		before, on := a.Beacon.Before(ctx)
		if !on {
			return next(ctx, req)
		}
		others, proof := beacon.Split(req.Txs)
		if _, err := a.Beacon.Judge(ctx, req.ProposerAddress, before, proof); err != nil {
			a.reveals.rejected.Add(1)
			ctx.Logger().Warn("a proposed block was refused", "height", req.Height, "proposer", sdk.ConsAddress(req.ProposerAddress).String(), "err", err)
			return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_REJECT}, nil
		}
		less := *req
		less.Txs = others
		return next(ctx, &less)
	}
}

// advanceBeacon gives the block its value before its first transaction runs. It looks at the block alone, so that a node that learns of a
// block after the vote, or executes it again, comes to the same.
func (a *App) advanceBeacon(ctx sdk.Context, req *abci.RequestFinalizeBlock) {
	before, on := a.Beacon.Before(ctx)
	if !on {
		return
	}
	_, proof := beacon.Split(req.Txs)
	if a.Beacon.Advance(ctx, req.ProposerAddress, before, proof) {
		a.reveals.counted.Add(1)
	} else {
		a.reveals.missed.Add(1)
	}
}

// BeaconUpgrade names the upgrade that brings the beacon to a network that began without it.
const BeaconUpgrade = "beacon"

// beginBeacon starts the beacon in the block of ctx, for the opcode and the precompile too. Its first value is of this block, whose proposer
// could not reveal yet; the next one must.
func beginBeacon(ctx sdk.Context, a *App) error {
	if _, on := a.Beacon.Before(ctx); !on {
		if err := a.Beacon.Begin(ctx, nil); err != nil {
			return err
		}
	}
	p := a.EVM.GetParams(ctx)
	if !slices.Contains(p.ExtraEIPs, prevrandao.EIP) {
		p.ExtraEIPs = append(p.ExtraEIPs, prevrandao.EIP)
	}
	if reads := prevrandao.Address.Hex(); !slices.Contains(p.ActiveStaticPrecompiles, reads) {
		p.ActiveStaticPrecompiles = append(p.ActiveStaticPrecompiles, reads)
	}
	return a.EVM.SetParams(ctx, p)
}
