package registry

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// UseReceipt explains one use of a model: who paid and who received what. It is a record: final.
type UseReceipt struct {
	Version uint32           `json:"version"` // of the rules
	Model   protocol.Hash    `json:"model"`
	Number  uint64           `json:"number"` // of the use, from 1
	Payer   protocol.Account `json:"payer"`
	Fee     money.Amount     `json:"fee"`
	Parts   []Part           `json:"parts"` // sum to Fee
	Height  protocol.Height  `json:"height"`
	Time    int64            `json:"time"`
}

// Part is what one holder receives of a fee, for all of its shares together.
type Part struct {
	Holder protocol.Account `json:"holder"`
	PPM    uint32           `json:"ppm"`
	Amount money.Amount     `json:"amount"`
}

// RecordKind is "use".
func (UseReceipt) RecordKind() string { return "use" }

// RecordKey is the model and the number of the use, so that keys sort in time.
func (r UseReceipt) RecordKey() string { return fmt.Sprintf("%s/%020d", r.Model, r.Number) }

// Explain says in one paragraph who paid and who received what.
func (r UseReceipt) Explain() string {
	parts := make([]string, len(r.Parts))
	for i, p := range r.Parts {
		parts[i] = fmt.Sprintf("%s to %s (%d parts per million)", p.Amount.Coins(), p.Holder, p.PPM)
	}
	return fmt.Sprintf("Use %d of model %s, block %d: %s paid %s, divided by shares: %s. Rules: registry version %d.",
		r.Number, r.Model.String()[:8], r.Height, r.Payer, r.Fee.Coins(), strings.Join(parts, ", "), r.Version)
}

// Charge pays the holders of a model's shares for one use. Effects: the fee is locked and paid out at once, to the last
// unit; a receipt is recorded. Errors: ErrNotFound if the model is not that of the message, ErrInvalid.
// Rule: spec/registry.md §4.
func Charge(m Use, model Model, from protocol.Account, env protocol.Env) (Model, []protocol.Effect, error) {
	if err := m.Check(); err != nil {
		return Model{}, nil, err
	}
	if from.IsZero() {
		return Model{}, nil, fmt.Errorf("%w: the sender is missing", protocol.ErrInvalid)
	}
	if model.ID != m.Model {
		return Model{}, nil, fmt.Errorf("%w: model %s", protocol.ErrNotFound, m.Model)
	}
	earned, err := model.Earned.Add(m.Fee)
	if err != nil {
		return Model{}, nil, fmt.Errorf("%w: earnings of model %s", protocol.ErrOverflow, m.Model)
	}
	model.Uses++
	model.Earned = earned
	receipt := UseReceipt{
		Version: Version, Model: model.ID, Number: model.Uses, Payer: from, Fee: m.Fee, Parts: Divide(m.Fee, model.Shares),
		Height: env.Height, Time: env.Time,
	}
	effects := []protocol.Effect{protocol.Lock{From: from, Amount: m.Fee}}
	for _, p := range receipt.Parts {
		effects = append(effects, protocol.Pay{To: p.Holder, Amount: p.Amount})
	}
	effects = append(effects, protocol.Record{Value: receipt},
		event("model-used", "model", model.ID.String(), "payer", from.String(), "fee", m.Fee.String()))
	return model, effects, nil
}

// Divide splits a fee of at most 128 bits by shares that sum to 1,000,000: to each holder the whole units of its parts, and
// of what is left one unit each to the largest remainders, among equals to the smaller account. Parts are in ascending order
// of accounts and sum to the fee; parts of nothing are left out. Rule: spec/registry.md §4.
func Divide(fee money.Amount, shares []Share) []Part {
	var list []Part
	for _, s := range shares {
		i := slices.IndexFunc(list, func(p Part) bool { return p.Holder == s.Holder })
		if i < 0 {
			list = append(list, Part{Holder: s.Holder})
			i = len(list) - 1
		}
		list[i].PPM += s.PPM
	}
	left := fee
	remainder := make([]money.Amount, len(list))
	order := make([]int, len(list))
	for i := range list {
		list[i].Amount = fee.Part(uint64(list[i].PPM), whole)
		remainder[i] = fee.Times(uint64(list[i].PPM)).Minus(list[i].Amount.Times(whole))
		left = left.Minus(list[i].Amount)
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(remainder[b].Compare(remainder[a]), list[a].Holder.Compare(list[b].Holder))
	})
	one := money.New(1)
	for _, i := range order {
		if left.IsZero() {
			break
		}
		list[i].Amount = list[i].Amount.Plus(one)
		left = left.Minus(one)
	}
	list = slices.DeleteFunc(list, func(p Part) bool { return p.Amount.IsZero() })
	slices.SortFunc(list, func(a, b Part) int { return a.Holder.Compare(b.Holder) })
	return list
}

// whole is the number of parts per million that make a whole.
const whole = 1_000_000
