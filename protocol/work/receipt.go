package work

import (
	"fmt"
	"strings"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// ReceiptKind says what a payment is for.
type ReceiptKind string

// The kinds of receipts.
const (
	ForUnit   ReceiptKind = "unit"   // a worker's unit; of amount 0 when the verdict pays nothing
	ForDuties ReceiptKind = "duties" // a verifier's duties in one round
	ForBounty ReceiptKind = "bounty" // half of somebody's slashed bond
	ForKept   ReceiptKind = "kept"   // pay of units that was kept back and is due
	ForBond   ReceiptKind = "bond"   // a bond that goes back
	ForRefund ReceiptKind = "refund" // budget that was not spent
)

// Receipt explains one payment out of a run's escrow, or why a unit was not paid. It is a record: final.
// For a unit, Gross is its price and Provider + Verifiers + Burned = Gross if it was paid; otherwise all of it stays in
// the budget. For duties, Gross is what all verifiers of the round share. Rule: spec/work.md §10.
type Receipt struct {
	Version   uint32             `json:"version"` // of the rules
	Run       protocol.Hash      `json:"run"`
	ID        string             `json:"id"` // unique in the run, such as "r3-u2"
	Kind      ReceiptKind        `json:"kind"`
	To        protocol.Account   `json:"to"`
	Round     uint32             `json:"round"`
	Unit      uint32             `json:"unit"`
	Attempt   uint32             `json:"attempt"`
	Verdict   UnitStatus         `json:"verdict"`
	Verifiers []protocol.Account `json:"verifiers"` // who recomputed the unit
	Duties    uint32             `json:"duties"`    // of the receiver
	AllDuties uint32             `json:"all_duties"`
	Tokens    uint64             `json:"tokens"`
	Gross     money.Amount       `json:"gross"`
	Split     Split              `json:"split"`
	Provider  money.Amount       `json:"provider_part"`
	Pool      money.Amount       `json:"verifiers_part"`
	Burned    money.Amount       `json:"burned_part"`
	Vests     uint32             `json:"vests,omitzero"`  // rounds for which the worker's part of a unit is kept back; another receipt pays it
	Bonded    money.Amount       `json:"bonded,omitzero"` // of a newcomer's pay, added to its bond
	Amount    money.Amount       `json:"amount"`          // paid to To
	Height    protocol.Height    `json:"height"`
	Time      int64              `json:"time"`
}

// RecordKind is "receipt".
func (Receipt) RecordKind() string { return "receipt" }

// RecordKey is the run and the id.
func (r Receipt) RecordKey() string { return r.Run.String() + "/" + r.ID }

// Explain says in one paragraph what was paid, to whom, for what and by which rule.
func (r Receipt) Explain() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Receipt %s of run %s, block %d: %s to %s. ", r.ID, short(r.Run), r.Height, r.Amount.Coins(), r.To)
	switch r.Kind {
	case ForUnit:
		fmt.Fprintf(&b, "Unit %d of round %d: %s. ", r.Unit, r.Round, r.Verdict.explain())
		if len(r.Verifiers) > 0 {
			names := make([]string, len(r.Verifiers))
			for i, v := range r.Verifiers {
				names[i] = v.String()
			}
			fmt.Fprintf(&b, "Recomputed by %s. ", strings.Join(names, ", "))
		}
		if r.Verdict.Pays() {
			fmt.Fprintf(&b, "Of the price of %s the worker gets %d parts of %d (%s), the verifiers %d (%s), and %s are burned. ",
				r.Gross.Coins(), r.Split.Provider, parts, r.Provider.Coins(), r.Split.Verifiers, r.Pool.Coins(), r.Burned.Coins())
			if r.Vests > 0 {
				fmt.Fprintf(&b, "The worker's part is kept back for %d rounds and paid then, or lost with the bond. ", r.Vests)
			}
		} else {
			fmt.Fprintf(&b, "Its price of %s stays in the run's budget. ", r.Gross.Coins())
		}
	case ForDuties:
		fmt.Fprintf(&b, "%d of the %d duties that verifiers did in round %d, which share %s. ", r.Duties, r.AllDuties, r.Round, r.Gross.Coins())
	case ForBounty:
		fmt.Fprintf(&b, "Half of a bond of %s that was slashed in round %d over %s; the other half is burned. ", r.Gross.Coins(), r.Round, Subject(r.Unit))
	case ForKept:
		b.WriteString("Pay of units that was kept back; no claim of their worker was refuted meanwhile. ")
	case ForBond:
		b.WriteString("The bond of a member that left or whose run has ended. ")
	case ForRefund:
		b.WriteString("Budget that the run locked and did not spend. ")
	}
	fmt.Fprintf(&b, "Rules: work version %d.", r.Version)
	return b.String()
}

// Pays reports whether a unit with this verdict is paid.
func (v UnitStatus) Pays() bool { return v == Revealed || v == Verified }

func (v UnitStatus) explain() string {
	switch v {
	case Revealed:
		return "admitted; the draw did not ask for an audit"
	case Verified:
		return "admitted; recomputed with the same result"
	case Missed:
		return "not delivered in time"
	case Wrong:
		return "wrong; refuted in a dispute"
	case Void:
		return "could not be judged; nobody is to blame"
	case Unavailable:
		return "at most half of the verifiers could fetch its payload"
	case Rejected:
		return "left out of the aggregate by its rule"
	}
	return string(v)
}

// Subject names in words what a number of a unit stands for in a dispute.
func Subject(unit uint32) string {
	if seat, vote := VoteSeat(unit); vote {
		return fmt.Sprintf("the aggregate, as seat %d named it", seat)
	}
	return fmt.Sprintf("unit %d", unit)
}

func short(h protocol.Hash) string { return h.String()[:8] }

// RoundSummary is what remains of a round. It is a record: final. Rule: spec/work.md §10.
type RoundSummary struct {
	Version    uint32           `json:"version"` // of the rules
	Run        protocol.Hash    `json:"run"`
	Round      uint32           `json:"round"`
	Done       uint32           `json:"done"` // rounds that admitted something, this one included
	Opened     protocol.Height  `json:"opened"`
	Closed     protocol.Height  `json:"closed"`
	Time       int64            `json:"time"` // of the closing block
	Beacon     protocol.Hash    `json:"beacon"`
	Next       StateRef         `json:"next"` // the public state after the round; unchanged if nothing was admitted
	Tokens     uint64           `json:"tokens"`
	Paid       money.Amount     `json:"paid"`   // to workers and verifiers for work of this round, what is kept back included, bounties apart
	Burned     money.Amount     `json:"burned"` // of the price of units, slashes apart
	Audited    uint32           `json:"audited"`
	Admitted   uint32           `json:"admitted"`
	Rejected   uint32           `json:"rejected"`
	Missed     uint32           `json:"missed"` // units that ended without a result
	Passes     uint32           `json:"passes"`
	Units      []UnitSummary    `json:"units"`
	Reassigned []Reassignment   `json:"reassigned"`
	Slashes    []Slash          `json:"slashes"`
	Verifiers  []VerifierDuties `json:"verifiers"`
}

// UnitSummary is what became of one unit.
type UnitSummary struct {
	Index   uint32           `json:"index"`
	Attempt uint32           `json:"attempt"`
	Worker  protocol.Account `json:"worker"`
	Verdict UnitStatus       `json:"verdict"`
	Auditor protocol.Account `json:"auditor"` // zero if not audited
	Result  Result           `json:"result"`
	Detail  string           `json:"detail"` // where its auditor found it wrong, in the auditor's words; empty if it did not
}

// VerifierDuties is what one verifier did in the round.
type VerifierDuties struct {
	Account protocol.Account `json:"account"`
	Duties  uint32           `json:"duties"`
	Present bool             `json:"present"` // missed nothing
}

// RecordKind is "summary".
func (RoundSummary) RecordKind() string { return "summary" }

// RecordKey is the run and the number of the round, so that keys sort in time.
func (r RoundSummary) RecordKey() string { return fmt.Sprintf("%s/%08d", r.Run, r.Round) }
