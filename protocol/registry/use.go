package registry

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// UseReceipt explains one use of a model: who paid. It is a record: final. Who gets the money follows from the shares, by
// Dividend.
type UseReceipt struct {
	Version uint32           `json:"version"` // of the rules
	Model   protocol.Hash    `json:"model"`
	Number  uint64           `json:"number"` // of the use, from 1
	Payer   protocol.Account `json:"payer"`
	Fee     money.Amount     `json:"fee"`
	Height  protocol.Height  `json:"height"`
	Time    int64            `json:"time"`
}

// RecordKind is "use".
func (UseReceipt) RecordKind() string { return "use" }

// RecordKey is the model and the number of the use, so that keys sort in time.
func (r UseReceipt) RecordKey() string { return fmt.Sprintf("%s/%020d", r.Model, r.Number) }

// Explain says in one paragraph who paid what for what.
func (r UseReceipt) Explain() string {
	return fmt.Sprintf("Use %d of model %s, block %d: %s paid %s, which belongs to the holders of its shares and, if it has parents, to them. Rules: registry version %d.",
		r.Number, r.Model.String()[:8], r.Height, r.Payer, r.Fee.Coins(), r.Version)
}

// Charge takes the fee of one use. Effects: the fee is locked, a receipt is recorded; the holders' part accrues, so the cost of
// a use does not depend on their number. Errors: ErrNotFound if the model is not that of the message, ErrInvalid.
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
		Version: Version, Model: model.ID, Number: model.Uses, Payer: from, Fee: m.Fee, Height: env.Height, Time: env.Time,
	}
	return model, []protocol.Effect{
		protocol.Lock{From: from, Amount: m.Fee}, protocol.Record{Value: receipt},
		event("model-used", "model", model.ID.String(), "payer", from.String(), "fee", m.Fee.String()),
	}, nil
}

// Receive adds income that is in escrow already: what vouchers paid for uses. Error: ErrOverflow. Rule: spec/voucher.md §3.
func Receive(model Model, uses uint64, amount money.Amount) (Model, error) {
	earned, err := model.Earned.Add(amount)
	if err != nil || model.Uses+uses < model.Uses {
		return model, fmt.Errorf("%w: earnings of model %s", protocol.ErrOverflow, model.ID)
	}
	model.Uses, model.Earned = model.Uses+uses, earned
	return model, nil
}

// whole is the number of parts per million that make a whole.
const whole = 1_000_000
