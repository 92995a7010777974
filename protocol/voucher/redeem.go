package voucher

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// Batch is the redemption of a list of vouchers. The host puts them in one after the other, each with its channel, and then settles.
// One that does not count harms no other. Rule: spec/voucher.md §3.
type Batch struct {
	sender  protocol.Account
	env     protocol.Env
	income  []Income
	skipped []string // places in the list
	first   error    // why the first was skipped
	count   int
}

// Income is what a batch brings one model.
type Income struct {
	Model    protocol.Hash
	Vouchers uint32
	Uses     uint64
	Amount   money.Amount
}

// NewBatch begins a batch of a sender.
func NewBatch(from protocol.Account, env protocol.Env) *Batch { return &Batch{sender: from, env: env} }

// Add redeems a voucher of a channel: what is new in it belongs to the model. signed says whether the payer has signed it. known is
// false if there is no such channel. It returns the channel as it is then; unchanged if the voucher does not count.
func (b *Batch) Add(c Channel, known bool, v Voucher, signed bool) Channel {
	place := b.count
	b.count++
	if err := b.refuse(c, known, v, signed); err != nil {
		if b.first == nil {
			b.first = err
		}
		b.skipped = append(b.skipped, strconv.Itoa(place))
		return c
	}
	at := slices.IndexFunc(b.income, func(x Income) bool { return x.Model == c.Model })
	if at < 0 {
		at = len(b.income)
		b.income = append(b.income, Income{Model: c.Model})
	}
	x := &b.income[at]
	x.Vouchers++
	x.Uses += v.Uses - c.Uses // at most MaxVouchers times MaxUses
	x.Amount = x.Amount.Plus(v.Amount.Minus(c.Amount))
	c.Uses, c.Amount = v.Uses, v.Amount
	return c
}

// refuse says why a voucher does not count. Errors: ErrNotFound, ErrInvalid, ErrFinished, ErrDuplicate for one that says nothing new,
// ErrInsufficient above the deposit, ErrNotAssigned for another's signature.
func (b *Batch) refuse(c Channel, known bool, v Voucher, signed bool) error {
	if !known || c.ID != v.Channel {
		return fmt.Errorf("%w: channel %s", protocol.ErrNotFound, v.Channel)
	}
	if err := v.Check(); err != nil {
		return err
	}
	if err := c.alive(b.env); err != nil {
		return err
	}
	switch {
	case v.Amount.Compare(c.Amount) <= 0 || v.Uses <= c.Uses:
		return fmt.Errorf("%w: channel %s has paid %s for %d uses", protocol.ErrDuplicate, c.ID, c.Amount, c.Uses)
	case v.Amount.Compare(c.Deposit) > 0:
		return fmt.Errorf("%w: a voucher of %s in channel %s of %s", protocol.ErrInsufficient, v.Amount, c.ID, c.Deposit)
	case !signed:
		return fmt.Errorf("%w: the voucher is not signed by %s", protocol.ErrNotAssigned, c.Payer)
	}
	return nil
}

// Settle ends the batch: what each model earned, in the order in which the vouchers name them, and what announces it. The error is that
// of the first voucher if none counts.
func (b *Batch) Settle() ([]Income, []protocol.Effect, error) {
	if len(b.income) == 0 {
		return nil, nil, fmt.Errorf("no voucher counts: %w", b.first)
	}
	return b.income, []protocol.Effect{event("redeemed", "sender", b.sender.String(), "vouchers", fmt.Sprint(b.count-len(b.skipped)),
		"skipped", strings.Join(b.skipped, " "))}, nil
}

// Receipt explains what a model earned by one batch. total is the model's uses with it, which numbers its receipts.
func (b *Batch) Receipt(x Income, total uint64) Redemption {
	return Redemption{
		Version: Version, Model: x.Model, Total: total, Sender: b.sender, Vouchers: x.Vouchers, Uses: x.Uses, Amount: x.Amount, Height: b.env.Height, Time: b.env.Time,
	}
}

// Redemption is the receipt of vouchers of one model that were redeemed together. It is a record: final.
type Redemption struct {
	Version  uint32           `json:"version"` // of the rules
	Model    protocol.Hash    `json:"model"`
	Total    uint64           `json:"total"` // uses of the model with these
	Sender   protocol.Account `json:"sender"`
	Vouchers uint32           `json:"vouchers"`
	Uses     uint64           `json:"uses"`
	Amount   money.Amount     `json:"amount"`
	Height   protocol.Height  `json:"height"`
	Time     int64            `json:"time"`
}

// RecordKind is "redemption".
func (Redemption) RecordKind() string { return "redemption" }

// RecordKey is the model and its uses so far, so that keys sort in time.
func (r Redemption) RecordKey() string { return fmt.Sprintf("%s/%020d", r.Model, r.Total) }

// Explain says in one sentence what was paid for what.
func (r Redemption) Explain() string {
	return fmt.Sprintf("Block %d: %d vouchers paid %s for %d uses of model %s, which belong to the holders of its shares and, if it has parents, to them. Rules: voucher version %d.",
		r.Height, r.Vouchers, r.Amount.Coins(), r.Uses, r.Model.String()[:8], r.Version)
}
