package registry

import (
	"errors"
	"runtime"
	"sync"

	"github.com/ethereum/go-ethereum/crypto"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/voucher"
)

// GasPerVoucher pays for a signature, about 40 µs, and for keeping the channel. Bytes of the message and of the channel come on top.
const GasPerVoucher = 6000

// separator is part of what wallets sign.
var separator = voucher.Separator(network.EVMChainID)

// redeem hosts voucher.Batch: load the channels, check the signatures, apply one after the other, store what changed.
func (s msgServer) redeem(metered sdk.Context, m voucher.Redeem, from protocol.Account) error {
	vouchers, err := voucher.Unpack(m.Vouchers)
	if err != nil {
		return err
	}
	metered.GasMeter().ConsumeGas(GasPerVoucher*uint64(len(vouchers)), "vouchers")
	ctx, charge := escrow.Unmetered(metered), escrow.ChargeState(metered)
	drawers, at, err := s.drawers(ctx, vouchers, charge)
	if err != nil {
		return err
	}
	signed := signatures(vouchers, func(i int) protocol.Account { return drawers[at[i]].Payer })
	batch := voucher.NewBatch(from, escrow.Env(ctx))
	for i, v := range vouchers {
		d := &drawers[at[i]]
		next := batch.Add(d.Channel, d.known, v, signed[i])
		d.changed = d.changed || next != d.Channel
		d.Channel = next
	}
	income, effects, err := batch.Settle()
	if err != nil {
		return err
	}
	for _, d := range drawers {
		if d.changed {
			if err := put(ctx, s.channels, d.ID, d.Channel); err != nil {
				return err
			}
		}
	}
	for _, x := range income {
		if err := s.receive(ctx, batch, x, charge); err != nil {
			return err
		}
	}
	return s.escrow.Execute(ctx, effects, s.records.Keep(ctx, protocol.Hash{})) // nothing is recorded but by receive
}

// drawer is a channel that some vouchers of a message are drawn on.
type drawer struct {
	voucher.Channel
	known, changed bool
}

// drawers loads each channel once; at says which one each voucher is drawn on.
func (k *Keeper) drawers(ctx sdk.Context, vouchers []voucher.Voucher, charge escrow.Charge) (list []drawer, at []int, err error) {
	places := make(map[protocol.Hash]int, len(vouchers))
	for _, v := range vouchers {
		i, ok := places[v.Channel]
		if !ok {
			c, err := k.Channel(ctx, v.Channel, charge)
			if err != nil && !errors.Is(err, protocol.ErrNotFound) {
				return nil, nil, err
			}
			i = len(list)
			places[v.Channel], list = i, append(list, drawer{Channel: c, known: err == nil})
		}
		at = append(at, i)
	}
	return list, at, nil
}

// signatures reports of each voucher whether its payer has signed it. The answer does not depend on how many processors share the work.
func signatures(vouchers []voucher.Voucher, payer func(int) protocol.Account) []bool {
	out := make([]bool, len(vouchers))
	workers := min(runtime.GOMAXPROCS(0), len(vouchers))
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := w; i < len(vouchers); i += workers {
				out[i] = signedBy(payer(i), vouchers[i])
			}
		})
	}
	all.Wait()
	return out
}

func signedBy(who protocol.Account, v voucher.Voucher) bool { return !who.IsZero() && Signer(v) == who }

// Signer recovers whose key signed a voucher on this network; zero if none did. Wallets add 27 to the number of the key.
func Signer(v voucher.Voucher) protocol.Account {
	signature := v.Signature
	if last := &signature[voucher.SignatureBytes-1]; *last >= 27 {
		*last -= 27
	}
	digest := v.Digest(separator)
	key, err := crypto.Ecrecover(digest[:], signature[:])
	if err != nil {
		return protocol.Account{}
	}
	return protocol.Account(crypto.Keccak256(key[1:])[12:])
}

// receive hosts registry.Receive.
func (s msgServer) receive(ctx sdk.Context, batch *voucher.Batch, x voucher.Income, charge escrow.Charge) error {
	model, err := s.Model(ctx, x.Model, charge)
	if err != nil {
		return err
	}
	if model, err = registry.Receive(model, x.Uses, x.Amount); err != nil {
		return err
	}
	return s.putModel(ctx, model, []protocol.Effect{protocol.Record{Value: batch.Receipt(x, model.Uses)}})
}
