package work

import (
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// Spec is everything that a run's author decides. It never changes after creation. Rule: spec/work.md §1.
type Spec struct {
	Name             string        `json:"name"`
	Dataset          protocol.Hash `json:"dataset"`           // id in the registry
	Program          protocol.Hash `json:"program"`           // program hash of one training step
	InferenceProgram protocol.Hash `json:"inference_program"` // program hash of the model without its weights
	Params           []string      `json:"params"`            // names of the trained tensors, ascending; graph inputs of the inference program
	Recipe           []byte        `json:"recipe"`            // canonical recipe, opaque to the rules
	Initial          StateRef      `json:"initial"`
	Rounds           uint32        `json:"rounds"`          // rounds that must admit something
	Steps            uint32        `json:"steps"`           // optimizer steps of a unit
	UnitTokens       uint64        `json:"unit_tokens"`     // tokens or records that a unit learns from
	MaxUnits         uint32        `json:"max_units"`       // units of one round
	MinProviders     uint32        `json:"min_providers"`   // active providers needed before the first round
	MinVerifiers     uint32        `json:"min_verifiers"`   // active verifiers needed before the first round
	LeastVerifiers   uint32        `json:"least_verifiers"` // verifiers without whom no round is decided; at most MinVerifiers
	Seed             protocol.Hash `json:"seed"`            // all draws of the run start from it
	Price            Price         `json:"price"`
	Split            Split         `json:"split"`
	ProviderBond     money.Amount  `json:"provider_bond"`
	VerifierBond     money.Amount  `json:"verifier_bond"`
	Audit            AuditPolicy   `json:"audit"`
	Windows          Windows       `json:"windows"`
	Vesting          Vesting       `json:"vesting,omitzero"`      // how long a worker's pay is at stake with its bond
	Calibration      bool          `json:"calibration,omitempty"` // for newcomers: without bonds, below the price of the class, every unit audited
	Parents          []Parent      `json:"parents,omitempty"`     // models that this one is made from
	Market           *Market       `json:"market,omitempty"`      // where it hires providers; nil pays all the same
}

// Parent is a model that a run starts from or learns from, and its part of what is passed up of each use's fee.
// Rule: spec/registry.md §5.
type Parent struct {
	Model protocol.Hash `json:"model"`
	PPM   uint32        `json:"ppm"` // parts per million; those of a run's parents sum to 1,000,000
}

// Price is what a unit may cost at most, which is what the run locks for it. Without a Market every unit costs that; with one, a
// unit costs what its worker was hired for. Rule: spec/work.md §3.
type Price struct {
	PerUnit money.Amount `json:"per_unit"`
}

// Split divides the price of a unit, in parts of 10,000 that sum to 10,000. What rounding leaves over is burned.
type Split struct {
	Provider  uint32 `json:"provider"`
	Verifiers uint32 `json:"verifiers"`
	Burn      uint32 `json:"burn"`
}

// AuditPolicy says how often a worker's units are recomputed. Rule: spec/work.md §7.
type AuditPolicy struct {
	NewcomerUnits uint32 `json:"newcomer_units"` // this many admitted units are always audited
	CleanDivisor  uint32 `json:"clean_divisor"`  // then the rate is divisor/(divisor+clean)
	FloorPPM      uint32 `json:"floor_ppm"`      // and never below this, parts per million
	FinePrices    uint32 `json:"fine_prices"`    // an audit that is taken back costs its auditor so many prices of a unit
}

// Rate is the probability, in parts per million, that a unit of a worker with so many clean units is audited.
func (p AuditPolicy) Rate(clean uint32) uint32 {
	if clean < p.NewcomerUnits {
		return PPM
	}
	rate := PPM * uint64(p.CleanDivisor) / (uint64(p.CleanDivisor) + uint64(clean))
	return max(uint32(rate), p.FloorPPM)
}

// Fine divides an auditor's bond into the fine for an audit that is taken back, at most the bond, and what is left. Without a fine an auditor that
// executes nothing and calls wrong whatever it must audit saves the execution and loses a seat for a round or two, which is less.
func (p AuditPolicy) Fine(bond, price money.Amount) (fine, left money.Amount) {
	if fine = price.Times(uint64(p.FinePrices)); fine.Compare(bond) > 0 {
		fine = bond
	}
	return fine, bond.Minus(fine)
}

// Quorum is the number of equal votes among n present verifiers that decides.
func Quorum(n int) int { return 2*n/3 + 1 }

// Windows are the longest waits, in blocks, and one shortest.
type Windows struct {
	Compute     uint32 `json:"compute"`      // also of a reassigned unit, from its reassignment
	Reveal      uint32 `json:"reveal"`       //
	AuditCommit uint32 `json:"audit_commit"` //
	AuditReveal uint32 `json:"audit_reveal"` //
	Dispute     uint32 `json:"dispute"`      // for an auditor that found another result to open its dispute; for one over a vote that not all share
	Aggregate   uint32 `json:"aggregate"`    //
	Wait        uint32 `json:"wait"`         // for members, before the run is stopped

	// Challenge is the least wait: for so many blocks after the reveals every claim is open to dispute, so that a stranger
	// has time to look before anything is paid or enters the model. 0: for as long as audits take.
	Challenge uint32 `json:"challenge,omitzero"`

	// Contest is the same for the aggregate: for so many blocks, from when verifiers can vote, what they name is open to dispute
	// however soon they agree. A stranger needs as long as it takes to compute it, and its transaction. 0: LeastContest.
	Contest uint32 `json:"contest,omitzero"`
}

// StateRef names the public state of a training run: what the next unit starts from. The zero value is no state.
type StateRef struct {
	Model protocol.Hash `json:"model"` // state root of the weights
	Outer protocol.Hash `json:"outer"` // state root of the outer optimizer's momentum and residual
	Blob  protocol.Hash `json:"blob"`  // content address of the bytes of both
}

// DefaultSpec holds the numbers of spec/work.md §1 that most runs keep. The rest of the fields is empty.
func DefaultSpec() Spec {
	return Spec{
		UnitTokens: 1, MaxUnits: 64, MinProviders: 1, MinVerifiers: 1, LeastVerifiers: 1,
		Split:   Split{Provider: 8500, Verifiers: 1000, Burn: 500},
		Audit:   AuditPolicy{NewcomerUnits: 3, CleanDivisor: 20, FloorPPM: 30_000, FinePrices: 2},
		Windows: Windows{Compute: 60, Reveal: 20, AuditCommit: 60, AuditReveal: 20, Dispute: 20, Aggregate: 40, Wait: 1200, Challenge: 60, Contest: 10},
		Vesting: Vesting{Rounds: 4},
	}
}

// Budget is the money that a run locks: every unit of every round at its price. Exact, because Check bounds the factors.
func (s Spec) Budget() money.Amount {
	return s.Price.PerUnit.Times(uint64(s.Rounds) * uint64(s.MaxUnits))
}

// Bond is what a member of a role locks.
func (s Spec) Bond(r Role) money.Amount {
	if r == Verifier {
		return s.VerifierBond
	}
	return s.ProviderBond
}

// Check validates the form of a Spec. The error wraps protocol.ErrInvalid or ErrTooLarge.
func (s Spec) Check() error {
	if err := protocol.CheckText("name", s.Name, 1, MaxName); err != nil {
		return err
	}
	if len(s.Recipe) > MaxRecipe {
		return fmt.Errorf("%w: recipe has %d bytes, allowed are %d", protocol.ErrTooLarge, len(s.Recipe), MaxRecipe)
	}
	if err := checkParams(s.Params); err != nil {
		return err
	}
	for _, h := range []struct {
		name string
		hash protocol.Hash
	}{
		{"dataset", s.Dataset}, {"program", s.Program}, {"inference_program", s.InferenceProgram},
		{"initial.model", s.Initial.Model}, {"initial.outer", s.Initial.Outer}, {"initial.blob", s.Initial.Blob},
	} {
		if h.hash.IsZero() {
			return fmt.Errorf("%w: %s is missing", protocol.ErrInvalid, h.name)
		}
	}
	for _, n := range []struct {
		name          string
		value, lo, hi uint32
	}{
		{"rounds", s.Rounds, 1, MaxRounds},
		{"steps", s.Steps, 1, MaxSteps},
		{"max_units", s.MaxUnits, 1, MaxUnits},
		{"min_providers", s.MinProviders, 1, MaxProviders},
		{"min_verifiers", s.MinVerifiers, 1, MaxVerifiers},
		{"least_verifiers", s.LeastVerifiers, 1, s.MinVerifiers},
		{"split.provider", s.Split.Provider, 0, parts},
		{"split.verifiers", s.Split.Verifiers, 0, parts},
		{"split.burn", s.Split.Burn, 0, parts},
		{"audit.newcomer_units", s.Audit.NewcomerUnits, 0, 1000},
		{"audit.clean_divisor", s.Audit.CleanDivisor, 1, 1_000_000},
		{"audit.floor_ppm", s.Audit.FloorPPM, 1, PPM},
		{"audit.fine_prices", s.Audit.FinePrices, 0, 1000},
		{"windows.compute", s.Windows.Compute, 1, MaxWindow},
		{"windows.reveal", s.Windows.Reveal, 1, MaxWindow},
		{"windows.audit_commit", s.Windows.AuditCommit, 1, MaxWindow},
		{"windows.audit_reveal", s.Windows.AuditReveal, 1, MaxWindow},
		{"windows.dispute", s.Windows.Dispute, 1, MaxWindow},
		{"windows.aggregate", s.Windows.Aggregate, 1, MaxWindow},
		{"windows.wait", s.Windows.Wait, 1, MaxWindow},
		{"windows.challenge", s.Windows.Challenge, 0, MaxWindow},
		{"windows.contest", s.Windows.Contest, 0, MaxWindow},
		{"vesting.rounds", s.Vesting.Rounds, 0, MaxVesting},
	} {
		if n.value < n.lo || n.value > n.hi {
			return fmt.Errorf("%w: %s is %d, allowed are %d to %d", protocol.ErrInvalid, n.name, n.value, n.lo, n.hi)
		}
	}
	if s.UnitTokens < 1 || s.UnitTokens > MaxTokens {
		return fmt.Errorf("%w: unit_tokens is %d, allowed are 1 to %d", protocol.ErrInvalid, s.UnitTokens, uint64(MaxTokens))
	}
	if sum := s.Split.Provider + s.Split.Verifiers + s.Split.Burn; sum != parts {
		return fmt.Errorf("%w: split sums to %d, not %d", protocol.ErrInvalid, sum, parts)
	}
	for _, a := range []struct {
		name   string
		amount money.Amount
	}{{"price.per_unit", s.Price.PerUnit}, {"provider_bond", s.ProviderBond}, {"verifier_bond", s.VerifierBond}} {
		if a.amount.IsZero() || a.amount.BitLen() > amountBits {
			return fmt.Errorf("%w: %s is %s, allowed are 1 to 2^%d-1", protocol.ErrInvalid, a.name, a.amount, amountBits)
		}
	}
	if s.Market != nil {
		if err := s.Market.Class.Check(); err != nil {
			return err
		}
	}
	if err := s.checkCalibration(); err != nil {
		return err
	}
	return checkParents(s.Parents)
}

func checkParents(list []Parent) error {
	if len(list) > MaxParents {
		return fmt.Errorf("%w: %d parents, allowed are %d", protocol.ErrInvalid, len(list), MaxParents)
	}
	sum := uint64(0)
	for i, p := range list {
		if p.Model.IsZero() || p.PPM == 0 || slices.ContainsFunc(list[:i], func(q Parent) bool { return q.Model == p.Model }) {
			return fmt.Errorf("%w: parent %d is missing, has no part or is named twice", protocol.ErrInvalid, i)
		}
		sum += uint64(p.PPM)
	}
	if len(list) > 0 && sum != PPM {
		return fmt.Errorf("%w: the parents' parts sum to %d, not %d", protocol.ErrInvalid, sum, uint64(PPM))
	}
	return nil
}

func checkParams(names []string) error {
	if len(names) == 0 || len(names) > MaxParams {
		return fmt.Errorf("%w: %d parameter names, allowed are 1 to %d", protocol.ErrInvalid, len(names), MaxParams)
	}
	for i, name := range names {
		if err := protocol.CheckText("parameter name", name, 1, MaxParamName); err != nil {
			return err
		}
		if i > 0 && names[i-1] >= name {
			return fmt.Errorf("%w: parameter names are not in ascending order at %q", protocol.ErrInvalid, name)
		}
	}
	return nil
}
