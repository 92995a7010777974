package registry

import (
	"errors"
	"math/big"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/precompile/infer"
	"github.com/mutirao/mutirao/chain/precompile/refusal"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
)

// gasPerByte is of an artifact that is read and handed out.
const gasPerByte = 3

// info is Info of the interface, parent its Parent.
type info struct {
	Program, Weights, Run, Dataset [32]byte
	Author                         common.Address
	Proven, Callable               bool
	Inputs, Outputs                uint32
	Macs, Gas, Size, Uses          uint64
	Earned, Fee                    *big.Int
}

type parent struct {
	Model  [32]byte
	Ppm    uint32
	Proven bool
}

// show answers what a model is, charging for its record.
func (p *Precompile) show(ctx sdk.Context, method *abi.Method, id protocol.Hash) ([]byte, error) {
	size, err := p.models.ArtifactSize(ctx, id)
	if err != nil && !errors.Is(err, protocol.ErrNotFound) {
		return nil, err
	}
	if method.Name == "artifact" {
		if errors.Is(err, protocol.ErrNotFound) {
			return nil, refusal.New("NotStored", [32]byte(id))
		}
		ctx.GasMeter().ConsumeGas(gasPerByte*uint64(size), "artifact")
		raw, err := p.models.Artifact(ctx, id)
		if err != nil {
			return nil, err
		}
		return method.Outputs.Pack(raw)
	}
	m, err := p.models.Model(ctx, id, escrow.ChargeState(ctx))
	if err != nil {
		return nil, err
	}
	if method.Name == "parents" {
		list := make([]parent, len(m.Parents))
		for i, up := range m.Parents {
			list[i] = parent{up.Model, up.PPM, up.Lineage == registry.Proven}
		}
		return method.Outputs.Pack(list)
	}
	out := info{
		Program: m.Program, Weights: m.Weights, Run: m.Run, Dataset: m.Dataset, Author: common.Address(m.Author), Proven: m.Lineage == registry.Proven,
		Size: uint64(size), Uses: m.Uses, Earned: number(m.Earned), Fee: number(infer.FeeOf(m)),
	}
	if c := m.Callable; c != nil {
		out.Callable, out.Inputs, out.Outputs, out.Macs, out.Gas = true, uint32(c.Inputs), uint32(c.Outputs), c.MACs, c.Gas
	}
	return method.Outputs.Pack(out)
}

func number(a money.Amount) *big.Int { return new(big.Int).SetBytes(word(a)) }
