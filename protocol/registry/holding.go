package registry

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// Holding is what one account holds of one model. What it earns accrues when it is touched, so a use costs the same however
// many holders there are. Rule: spec/registry.md §6.
type Holding struct {
	Model  protocol.Hash    `json:"model"`
	Holder protocol.Account `json:"holder"`
	PPM    uint32           `json:"ppm"`
	Seen   money.Amount     `json:"seen"` // the model's Holders up to which Due is counted
	Due    money.Amount     `json:"due"`  // accrued and not paid
}

// ClaimDividend pays a holder what it has earned. Anybody may send it: the money goes to the holder. Rule: spec/registry.md §6.
type ClaimDividend struct {
	Model  protocol.Hash    `json:"model"`
	Holder protocol.Account `json:"holder"`
}

// TransferShares gives parts of a model to another account. What they earned before stays with the sender.
// Rule: spec/registry.md §6.
type TransferShares struct {
	Model protocol.Hash    `json:"model"`
	To    protocol.Account `json:"to"`
	PPM   uint32           `json:"ppm"`
}

// Kind is "registry/claim-dividend".
func (ClaimDividend) Kind() string { return "registry/claim-dividend" }

// Kind is "registry/transfer-shares".
func (TransferShares) Kind() string { return "registry/transfer-shares" }

// Check has nothing to validate: model and holder are looked up.
func (ClaimDividend) Check() error { return nil }

// Check validates the receiver and the number of parts.
func (m TransferShares) Check() error {
	if m.To.IsZero() || m.PPM == 0 || m.PPM > whole {
		return fmt.Errorf("%w: %d parts to %s", protocol.ErrInvalid, m.PPM, m.To)
	}
	return nil
}

// holdings are those of a model's first holders, each once, in the order in which its shares name them.
func holdings(m *Model) []Holding {
	var list []Holding
	at := map[protocol.Account]int{}
	for _, s := range m.Shares {
		i, ok := at[s.Holder]
		if !ok {
			i = len(list)
			at[s.Holder], list = i, append(list, Holding{Model: m.ID, Holder: s.Holder})
		}
		list[i].PPM += s.PPM
	}
	return list
}

// accrue counts what the holding has earned since it was touched last. Rounding down at each touch leaves less than one amut
// with the model.
func (h *Holding) accrue(m *Model) {
	h.Due = h.Due.Plus(m.Holders.Minus(h.Seen).Part(uint64(h.PPM), whole))
	h.Seen = m.Holders
}

// Owed is what a claim would pay the holder of a model whose income has been divided by Flow.
func (h Holding) Owed(m Model) money.Amount {
	h.accrue(&m)
	return h.Due
}

// Claim applies ClaimDividend to a model whose income has been divided by Flow. Errors: ErrNotFound if nothing is due.
// Rule: spec/registry.md §6.
func Claim(m Model, h Holding, env protocol.Env) (Model, Holding, []protocol.Effect, error) {
	h.accrue(&m)
	if h.Due.IsZero() {
		return m, h, nil, fmt.Errorf("%w: model %s owes nothing to %s", protocol.ErrNotFound, m.ID, h.Holder)
	}
	d := Dividend{Version: Version, Model: m.ID, Holder: h.Holder, Amount: h.Due, Before: m.Paid, Height: env.Height, Time: env.Time}
	m.Paid = m.Paid.Plus(h.Due)
	h.Due = money.Amount{}
	effects := []protocol.Effect{
		protocol.Pay{To: h.Holder, Amount: d.Amount}, protocol.Record{Value: d},
		event("dividend-paid", "model", m.ID.String(), "holder", h.Holder.String(), "amount", d.Amount.String()),
	}
	return m, h, effects, nil
}

// Transfer applies TransferShares to a model whose income has been divided by Flow. to is the receiver's holding; nil if it has
// none. Errors: ErrInvalid, ErrInsufficient. Rule: spec/registry.md §6.
func Transfer(t TransferShares, m Model, from Holding, to *Holding) (Holding, Holding, []protocol.Effect, error) {
	if err := t.Check(); err != nil {
		return from, Holding{}, nil, err
	}
	if t.To == from.Holder {
		return from, Holding{}, nil, fmt.Errorf("%w: the receiver is the sender", protocol.ErrInvalid)
	}
	if t.PPM > from.PPM {
		return from, Holding{}, nil, fmt.Errorf("%w: %d of %d parts of model %s", protocol.ErrInsufficient, t.PPM, from.PPM, m.ID)
	}
	receiver := Holding{Model: m.ID, Holder: t.To, Seen: m.Holders}
	if to != nil {
		receiver = *to
	}
	from.accrue(&m)
	receiver.accrue(&m)
	from.PPM -= t.PPM
	receiver.PPM += t.PPM
	return from, receiver, []protocol.Effect{event("shares-transferred", "model", m.ID.String(), "from", from.Holder.String(),
		"to", t.To.String(), "ppm", fmt.Sprint(t.PPM))}, nil
}

// Gone reports whether nothing is left of the holding, so that the host drops it.
func (h Holding) Gone() bool { return h.PPM == 0 && h.Due.IsZero() }

// Dividend explains one payment to a holder. It is a record: final.
type Dividend struct {
	Version uint32           `json:"version"` // of the rules
	Model   protocol.Hash    `json:"model"`
	Holder  protocol.Account `json:"holder"`
	Amount  money.Amount     `json:"amount"`
	Before  money.Amount     `json:"before"` // what the model had paid to all holders before
	Height  protocol.Height  `json:"height"`
	Time    int64            `json:"time"`
}

// RecordKind is "dividend".
func (Dividend) RecordKind() string { return "dividend" }

// RecordKey is the model and what it had paid before, so that keys sort in time.
func (d Dividend) RecordKey() string { return fmt.Sprintf("%s/%078s", d.Model, d.Before) }

// Explain says in one sentence what was paid for what.
func (d Dividend) Explain() string {
	return fmt.Sprintf("Block %d: model %s paid %s to %s for the parts that it holds. Rules: registry version %d.",
		d.Height, d.Model.String()[:8], d.Amount.Coins(), d.Holder, d.Version)
}
