package dispute

import (
	"math"
	"slices"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/bisect"
	"github.com/mutirao/mutirao/verify/trace"
)

// AggregateUnit stands in a Claim for the unit that a round's aggregate is: one step of a program of its own, from the public state and the
// payloads of the round's admitted units to the next public state. Rule: spec/dispute.md §7.
const AggregateUnit = math.MaxUint32

// AggregateBytes is what the unit of an aggregate sends: the roots of the next weights and of the next outer state, and a byte for each
// admitted unit, 1 if it is rejected. Only a vote whose rejected units are all admitted has one form; the ledger takes no other.
func AggregateBytes(v work.Vote, admitted []uint32) []byte {
	b := append(append([]byte{}, v.Next.Model[:]...), v.Next.Outer[:]...)
	for _, unit := range admitted {
		if slices.Contains(v.Rejected, unit) {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
	}
	return b
}

// AggregateClaim is what a verifier claims who votes for an aggregate of the open round and names the trace of its execution. program is the
// hash of the aggregate's program for as many units, which follows from the run's recipe.
func AggregateClaim(run *work.State, program protocol.Hash, v work.Vote, root protocol.Hash, defender protocol.Account) Claim {
	return Claim{Run: run.ID, Round: run.Round.Number, Unit: AggregateUnit, Defender: defender, Terms: bisect.Terms{
		Program: program, Model: run.Current.Model, Steps: 1, Trace: root, Payload: trace.PayloadRoot(AggregateBytes(v, run.Admitted())),
	}}
}
