package dispute

import (
	"slices"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/bisect"
	"github.com/mutirao/mutirao/verify/merkle"
	"github.com/mutirao/mutirao/verify/trace"
)

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

// AggregateInputs are what the aggregate of the open round reads, besides the weights that the Terms name: the root of the outer state, then
// the payload roots of the admitted units in their order.
func AggregateInputs(run *work.State) []protocol.Hash {
	list := []protocol.Hash{run.Current.Outer}
	for _, unit := range run.Admitted() {
		list = append(list, run.Round.Units[unit].Result.Payload.Root)
	}
	return list
}

// AggregateClaim is what the verifier in a seat of the open round claims by its vote. program is the hash of the aggregate's program for as
// many units, which follows from the run's recipe. Rule: spec/dispute.md §7.
func AggregateClaim(run *work.State, program protocol.Hash, seat int) Claim {
	s := run.Round.Seats[seat]
	inputs := AggregateInputs(run)
	return Claim{Run: run.ID, Round: run.Round.Number, Unit: work.VoteUnit(seat), Defender: s.Account, Terms: bisect.Terms{
		Program: program, Model: run.Current.Model, Dataset: merkle.Root(inputs), Records: len(inputs), Steps: 1,
		Trace: s.Vote.Trace, Payload: trace.PayloadRoot(AggregateBytes(*s.Vote, run.Admitted())),
	}}
}

// Accused finds on the ledger what an Open is about: the claim, and what the aggregate reads if it is a vote. program is the hash of the
// program of an aggregate of so many units. Errors: those of work.State.Disputable and DisputableVote, and of program.
func Accused(run *work.State, m Open, data registry.Dataset, program func(units int) (protocol.Hash, error)) (Claim, []protocol.Hash, error) {
	seat, vote := work.VoteSeat(m.Unit)
	if !vote {
		u, err := run.Disputable(m.Round, m.Unit)
		if err != nil {
			return Claim{}, nil, err
		}
		return ClaimOf(run, u, data), nil, nil
	}
	if err := run.DisputableVote(m.Round, m.Unit); err != nil {
		return Claim{}, nil, err
	}
	p, err := program(len(run.Admitted()))
	if err != nil {
		return Claim{}, nil, err
	}
	return AggregateClaim(run, p, seat), AggregateInputs(run), nil
}
