// Package voucher owns the rules of vouchers: how somebody who uses a model often pays without a transaction for each use. A payer
// opens a channel to a model with a deposit and signs, for each use, a voucher over what the channel has cost in all; whoever serves
// the model keeps the last one. Anybody redeems vouchers of many channels in one message; what is new in each goes to the model's
// income. A channel ends by itself, and what is left goes back. The host checks signatures. Integers only, no I/O, no clock. It
// imports protocol, protocol/money and, for wallets' hash, golang.org/x/crypto/sha3. Source: spec/voucher.md, which the comments cite.
package voucher

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// Version numbers the rules in this package. It is in every receipt.
const Version = 1

// Bounds. Rule: spec/voucher.md §1.
const (
	MaxVouchers = 2500       // of one message
	MaxBlocks   = 50_000_000 // that a channel lives
	Notice      = 600        // blocks from the payer's notice to the end
	MaxUses     = 1 << 40    // that a voucher counts
	MaxMessage  = 512 << 10  // bytes of one message in JSON
	amountBits  = 128        // of a deposit or a voucher
	domain      = "mutirao/voucher/channel"
)

// Channel is a payer's deposit for uses of a model. It lives until the end of block Until.
type Channel struct {
	ID      protocol.Hash    `json:"id"`
	Payer   protocol.Account `json:"payer"`
	Model   protocol.Hash    `json:"model"`
	Deposit money.Amount     `json:"deposit"` // all that was ever locked
	Amount  money.Amount     `json:"amount"`  // of Deposit: redeemed
	Uses    uint64           `json:"uses"`    // that were paid with it
	Opened  protocol.Height  `json:"opened"`
	Until   protocol.Height  `json:"until"`   // the last block in which a voucher counts
	Noticed bool             `json:"noticed"` // the payer has asked for the end
}

// Left is what the channel holds in escrow.
func (c Channel) Left() money.Amount { return c.Deposit.Minus(c.Amount) }

// ChannelID names a payer's channel to a model.
func ChannelID(payer protocol.Account, model protocol.Hash, nonce uint64) protocol.Hash {
	return new(protocol.Preimage).Account(payer).Hash(model).Uint64(nonce).Digest(domain)
}

// OpenChannel makes a channel of the sender. The host refuses a model that does not exist and an id that does. Effect: the deposit is
// locked. Errors: those of Check. Rule: spec/voucher.md §2.
func OpenChannel(m Open, from protocol.Account, env protocol.Env) (Channel, []protocol.Effect, error) {
	if err := m.Check(); err != nil {
		return Channel{}, nil, err
	}
	if from.IsZero() {
		return Channel{}, nil, fmt.Errorf("%w: the sender is missing", protocol.ErrInvalid)
	}
	c := Channel{
		ID: ChannelID(from, m.Model, m.Nonce), Payer: from, Model: m.Model, Deposit: m.Deposit, Opened: env.Height, Until: env.Height + protocol.Height(m.Blocks),
	}
	return c, []protocol.Effect{
		protocol.Lock{From: from, Amount: m.Deposit},
		event("channel-opened", "channel", c.ID.String(), "payer", from.String(), "model", m.Model.String()),
	}, nil
}

// AddFunds adds to a deposit. Anybody may. Errors: ErrFinished, ErrInvalid above 2^128-1 in all. Rule: spec/voucher.md §2.
func AddFunds(c Channel, m Fund, from protocol.Account, env protocol.Env) (Channel, []protocol.Effect, error) {
	if err := m.Check(); err != nil {
		return c, nil, err
	}
	if err := c.alive(env); err != nil {
		return c, nil, err
	}
	c.Deposit = c.Deposit.Plus(m.Amount)
	if c.Deposit.BitLen() > amountBits {
		return c, nil, fmt.Errorf("%w: a deposit of %s in all", protocol.ErrInvalid, c.Deposit)
	}
	return c, []protocol.Effect{
		protocol.Lock{From: from, Amount: m.Amount}, event("channel-funded", "channel", c.ID.String(), "from", from.String()),
	}, nil
}

// GiveNotice brings the end of the payer's channel near: vouchers count for Notice blocks more. Errors: ErrNotAssigned for anybody else,
// ErrFinished, ErrDuplicate. Rule: spec/voucher.md §4.
func GiveNotice(c Channel, from protocol.Account, env protocol.Env) (Channel, []protocol.Effect, error) {
	if from != c.Payer {
		return c, nil, fmt.Errorf("%w: channel %s belongs to %s", protocol.ErrNotAssigned, c.ID, c.Payer)
	}
	if err := c.alive(env); err != nil {
		return c, nil, err
	}
	if c.Noticed {
		return c, nil, fmt.Errorf("%w: channel %s ends after block %d", protocol.ErrDuplicate, c.ID, c.Until)
	}
	c.Noticed, c.Until = true, min(c.Until, env.Height+Notice)
	return c, []protocol.Effect{event("channel-ends", "channel", c.ID.String(), "until", fmt.Sprint(c.Until))}, nil
}

func (c Channel) alive(env protocol.Env) error {
	if env.Height > c.Until {
		return fmt.Errorf("%w: channel %s ended after block %d", protocol.ErrFinished, c.ID, c.Until)
	}
	return nil
}

// End closes a channel whose last block is over: what is left goes back. It asks nobody. ok is false before. Rule: spec/voucher.md §4.
func End(c Channel, env protocol.Env) (effects []protocol.Effect, ok bool) {
	if env.Height < c.Until {
		return nil, false
	}
	effects = []protocol.Effect{protocol.Record{Value: Statement{Version: Version, Channel: c, Returned: c.Left(), Height: env.Height, Time: env.Time}}}
	if left := c.Left(); !left.IsZero() {
		effects = append(effects, protocol.Pay{To: c.Payer, Amount: left})
	}
	return append(effects, event("channel-ended", "channel", c.ID.String())), true
}

// Statement is what stays of a channel that has ended.
type Statement struct {
	Version  uint32          `json:"version"`
	Channel  Channel         `json:"channel"`
	Returned money.Amount    `json:"returned"` // to the payer
	Height   protocol.Height `json:"height"`
	Time     int64           `json:"time"`
}

// RecordKind is "channel".
func (Statement) RecordKind() string { return "channel" }

// RecordKey is the model and the channel.
func (s Statement) RecordKey() string {
	return s.Channel.Model.String() + "/" + s.Channel.ID.String()
}

// Explain says in one sentence what became of the deposit.
func (s Statement) Explain() string {
	return fmt.Sprintf("Block %d: of the %s that %s put into channel %s, %s paid for %d uses of model %s and %s went back. Rules: voucher version %d.",
		s.Height, s.Channel.Deposit.Coins(), s.Channel.Payer, s.Channel.ID.String()[:8], s.Channel.Amount.Coins(), s.Channel.Uses,
		s.Channel.Model.String()[:8], s.Returned.Coins(), s.Version)
}

// event builds an event of this package; pairs are attribute names and values in turn.
func event(kind string, pairs ...string) protocol.Event {
	e := protocol.Event{Type: "voucher." + kind}
	for i := 0; i+1 < len(pairs); i += 2 {
		e.Attributes = append(e.Attributes, protocol.Attribute{Name: pairs[i], Value: pairs[i+1]})
	}
	return e
}
