package audit

import (
	"encoding/binary"
	"fmt"
	"math/big"
	"strings"
)

// channel is a payer's deposit for the uses of a model. Rule: spec/voucher.md.
type channel struct {
	payer   Account
	model   Hash
	deposit *big.Int
	amount  *big.Int // of deposit: redeemed
	uses    uint64
}

// ChannelState is what is left of a channel's deposit, and the uses that it has paid.
type ChannelState struct {
	Left *big.Int
	Uses uint64
}

// packed is the length of a voucher in a message: channel, uses (8 bytes), amount (16), signature (65).
const packed = 32 + 8 + 16 + 65

// voucher reads a message about channels.
func (b *Books) voucher(m Message) {
	var body struct {
		Model    Hash
		Channel  Hash
		Deposit  Coins
		Amount   Coins
		Vouchers []byte
	}
	if !b.decode(m, &body) {
		return
	}
	switch m.Kind {
	case "voucher/open":
		e, ok := b.take("voucher.channel-opened", "payer", m.From.String())
		var id Hash
		if !ok || id.UnmarshalText([]byte(e.Attributes["channel"])) != nil || body.Deposit.Int == nil {
			b.find("channel of "+m.From.String(), "announced", "not announced")
			return
		}
		b.channels[id] = &channel{payer: m.From, model: body.Model, deposit: new(big.Int).Set(body.Deposit.Int), amount: new(big.Int)}
		b.move(m.From, b.genesis.Registry, body.Deposit.Int, "deposit of a channel")
	case "voucher/fund":
		c := b.channels[body.Channel]
		if c == nil || body.Amount.Int == nil {
			b.find("deposit of channel "+body.Channel.String(), "of an open channel", "of none")
			return
		}
		c.deposit.Add(c.deposit, body.Amount.Int)
		b.move(m.From, b.genesis.Registry, body.Amount.Int, "deposit of a channel")
	case "voucher/close": // moves nothing by itself
	case "voucher/redeem":
		b.redeem(m.From, body.Vouchers)
	default:
		b.find("message "+m.Kind, "known to this audit", "unknown")
	}
}

// redeem gives each model what is new in the vouchers on its channels. Which ones did not count, a forged signature for instance, is a
// verdict.
func (b *Books) redeem(sender Account, list []byte) {
	e, ok := b.take("voucher.redeemed", "sender", sender.String())
	if !ok {
		b.find("vouchers of "+sender.String(), "redeemed", "not announced")
		return
	}
	skipped := map[string]bool{}
	for _, place := range strings.Fields(e.Attributes["skipped"]) {
		skipped[place] = true
	}
	earned := map[Hash]*big.Int{}
	for i := 0; len(list) >= packed; i, list = i+1, list[packed:] {
		if skipped[fmt.Sprint(i)] {
			continue
		}
		c := b.channels[Hash(list[:32])]
		uses, amount := binary.BigEndian.Uint64(list[32:]), new(big.Int).SetBytes(list[40:56])
		if c == nil || b.models[c.model] == nil || amount.Cmp(c.amount) <= 0 || amount.Cmp(c.deposit) > 0 || uses <= c.uses {
			b.find(fmt.Sprintf("voucher %d of %s", i, sender), "more than the channel has paid, within its deposit", amount.String())
			continue
		}
		m, fresh := b.models[c.model], minus(amount, c.amount)
		m.uses += uses - c.uses
		m.earned.Add(m.earned, fresh)
		m.direct.Add(m.direct, fresh)
		if earned[c.model] == nil {
			earned[c.model] = new(big.Int)
		}
		earned[c.model].Add(earned[c.model], fresh)
		c.amount, c.uses = amount, uses
	}
	for id, amount := range earned {
		b.expect(Receipt{Owner: id, Kind: "redemption", To: sender, Amount: amount.String()})
	}
}

// channelEnded gives the payer what is left.
func (b *Books) channelEnded(e Event) {
	var id Hash
	if id.UnmarshalText([]byte(e.Attributes["channel"])) != nil || b.channels[id] == nil {
		b.find("event "+e.Kind, "of an open channel", e.Attributes["channel"])
		return
	}
	c := b.channels[id]
	left := minus(c.deposit, c.amount)
	b.because("channel %.8s has ended: of a deposit of %s vouchers have taken %s", id, c.deposit, c.amount)
	b.move(b.genesis.Registry, c.payer, left, "rest of a channel")
	b.expect(Receipt{Owner: c.model, Kind: "channel", To: c.payer, Amount: left.String()})
	delete(b.channels, id)
}

func (c *comparison) channel(id Hash, mine *channel, s ChannelState) {
	if mine == nil {
		mine = &channel{deposit: new(big.Int), amount: new(big.Int)}
	}
	c.amount("deposit left in channel "+id.String(), minus(mine.deposit, mine.amount), s.Left)
	c.text("uses paid by channel "+id.String(), fmt.Sprint(mine.uses), fmt.Sprint(s.Uses))
}
