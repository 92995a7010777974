package ledgertest

import (
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/voucher"
)

// Signed tells whether a voucher is signed on this ledger, which has no keys: the signature begins with the payer's account.
func Signed(payer protocol.Account, v voucher.Voucher) bool {
	return protocol.Account(v.Signature[:len(payer)]) == payer
}

// SignVoucher makes what Signed accepts.
func SignVoucher(payer protocol.Account, v voucher.Voucher) voucher.Voucher {
	copy(v.Signature[:], payer[:])
	return v
}

func (l *Ledger) voucher(m protocol.Msg, from protocol.Account) error {
	switch m := m.(type) {
	case voucher.Open:
		if l.model(m.Model) < 0 {
			return fmt.Errorf("%w: model %s", protocol.ErrNotFound, m.Model)
		}
		c, effects, err := voucher.OpenChannel(m, from, l.env())
		if err != nil {
			return err
		}
		if l.channel(c.ID) >= 0 {
			return fmt.Errorf("%w: channel %s", protocol.ErrExists, c.ID)
		}
		l.channels = append(l.channels, c)
		return l.execute(effects)
	case voucher.Fund:
		return l.changeChannel(m.Channel, func(c voucher.Channel) (voucher.Channel, []protocol.Effect, error) {
			return voucher.AddFunds(c, m, from, l.env())
		})
	case voucher.Close:
		return l.changeChannel(m.Channel, func(c voucher.Channel) (voucher.Channel, []protocol.Effect, error) {
			return voucher.GiveNotice(c, from, l.env())
		})
	}
	return l.redeem(m.(voucher.Redeem), from)
}

func (l *Ledger) changeChannel(id protocol.Hash, rule func(voucher.Channel) (voucher.Channel, []protocol.Effect, error)) error {
	i := l.channel(id)
	if i < 0 {
		return fmt.Errorf("%w: channel %s", protocol.ErrNotFound, id)
	}
	c, effects, err := rule(l.channels[i])
	if err != nil {
		return err
	}
	l.channels[i] = c
	return l.execute(effects)
}

func (l *Ledger) redeem(m voucher.Redeem, from protocol.Account) error {
	list, err := voucher.Unpack(m.Vouchers)
	if err != nil {
		return err
	}
	batch := voucher.NewBatch(from, l.env())
	for _, v := range list {
		i := l.channel(v.Channel)
		if i < 0 {
			batch.Add(voucher.Channel{}, false, v, false)
			continue
		}
		l.channels[i] = batch.Add(l.channels[i], true, v, Signed(l.channels[i].Payer, v))
	}
	income, effects, err := batch.Settle()
	if err != nil {
		return err
	}
	for _, x := range income {
		i := l.model(x.Model)
		model, err := registry.Receive(l.models[i], x.Uses, x.Amount)
		if err != nil {
			return err
		}
		l.models[i] = l.faults.use(model)
		effects = append(effects, protocol.Record{Value: batch.Receipt(x, model.Uses)})
	}
	return l.execute(effects)
}

// endChannels closes those whose last block is over.
func (l *Ledger) endChannels() {
	l.channels = slices.DeleteFunc(slices.Clone(l.channels), func(c voucher.Channel) bool {
		effects, over := voucher.End(c, l.env())
		if err := l.execute(effects); err != nil {
			panic(fmt.Sprintf("ledgertest: block %d: %v", l.height+1, err)) // End never locks
		}
		return over
	})
}

func (l *Ledger) channel(id protocol.Hash) int {
	return slices.IndexFunc(l.channels, func(c voucher.Channel) bool { return c.ID == id })
}

// Channels lists the open channels in the order in which they were opened.
func (l *Ledger) Channels() []voucher.Channel {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.channels)
}
