package audit

import "math/big"

// channel is a payer's deposit for the uses of a model. Rule: spec/voucher.md.
type channel struct{ deposit *big.Int }

// ChannelState is what is left of a channel's deposit.
type ChannelState struct{ Left *big.Int }

func (b *Books) voucher(m Message) { b.find("message "+m.Kind, "known to this audit", "unknown") }

func (c *comparison) channel(id Hash, mine *channel, s ChannelState) {
	if mine == nil {
		mine = &channel{}
	}
	c.amount("deposit of channel "+id.String(), mine.deposit, s.Left)
}
