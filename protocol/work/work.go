// Package work owns the rules of a training run: who takes part, what each worker computes in a round, how results are
// sealed, opened, audited and judged, how the next model is agreed upon, and how everybody is paid. A run is one State;
// Apply changes it by a message and Tick by the passing of a block. Both are pure: they return a new state and the effects
// that the host carries out. Sums of money are conserved to the last unit: at every moment the escrow of a run equals
// Claims of its state. Integers only, no I/O, no clock. It imports protocol, protocol/money and verify.
// Source: spec/work.md, which the comments cite by section.
package work

// Version numbers the rules in this package. It is in every receipt and summary; changed rules get a new number.
const Version = 1

// Bounds on what a run may hold. They keep a state, and the work of one transition, small. Rule: spec/work.md §1.
const (
	MaxName      = 64       // bytes of a run's name
	MaxPeer      = 512      // bytes of a member's network addresses
	MaxDetail    = 200      // bytes of an opening's remark
	MaxRecipe    = 64 << 10 // bytes of a recipe
	MaxParams    = 1024     // names of trained tensors
	MaxParents   = 8        // models that a run is made from
	MaxParamName = 255      // bytes; as engine/graph allows
	MaxUnits     = 256      // units of one round
	MaxProviders = 256      // providers that are members at one time
	MaxVerifiers = 64       // verifiers that are members at one time
	MaxMembers   = 1024     // records of members, those that left or were expelled included
	MaxRounds    = 100_000  // rounds of a run
	MaxSteps     = 1_000_000
	MaxWindow    = 1_000_000 // blocks of any wait
	MaxPayload   = 1 << 30   // bytes of one payload, which the ledger never sees
	MaxTokens    = 1 << 40   // tokens or records of one unit
	MaxMessage   = 512 << 10 // bytes of one message in JSON
	MaxPasses    = 8         // audit passes of one round, each without the verifiers that missed the one before
	LeastContest = 2         // blocks of a contest if a Spec does not say
	MaxVotes     = 8         // times that verifiers are asked for the aggregate of one round, each after a pause
	MaxRepeats   = 16        // rounds in a row that admit nothing
	amountBits   = 128       // of any amount in a Spec: sums over all units of a run stay far below 2^256
)

// PPM is the number of parts that make a whole in rates.
const PPM = 1_000_000

// parts is the number of parts that make a whole in a Split.
const parts = 10_000

// Phase is where a run stands. Rule: spec/work.md §4.
type Phase string

// The phases, in the order of a round.
const (
	PhaseGather      Phase = "gather"       // no round is open: waiting for members
	PhaseCompute     Phase = "compute"      // workers compute their units and seal them
	PhaseReveal      Phase = "reveal"       // workers open their seals
	PhaseAuditCommit Phase = "audit-commit" // verifiers recompute the drawn units and seal their reports
	PhaseAuditReveal Phase = "audit-reveal" // verifiers open their reports
	PhaseDispute     Phase = "dispute"      // auditors that found another result open their disputes
	PhaseChallenge   Phase = "challenge"    // claims stay open to dispute by anybody until their window is over
	PhasePlay        Phase = "play"         // disputes over units of the round are played
	PhaseAggregate   Phase = "aggregate"    // verifiers name the next model
	PhaseContest     Phase = "contest"      // anybody may dispute what a verifier has named
	PhasePaused      Phase = "paused"       // a round is open, but too few verifiers are left to decide
	PhaseFinished    Phase = "finished"     // all rounds are done
	PhaseStopped     Phase = "stopped"      // ended early by a deadline; what was earned stays earned
)

// Ended reports whether nothing can change any more.
func (p Phase) Ended() bool { return p == PhaseFinished || p == PhaseStopped }
