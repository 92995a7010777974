package dispute

import (
	"context"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/verify/bisect"
)

// audits reads the audit of a claim's unit, if a game asks for it. An error is a panic that catch, or the end of a block, takes back.
func (k *Keeper) audits(ctx context.Context, c dispute.Claim, charge escrow.Charge) dispute.Audits {
	return func() dispute.Audit {
		run, err := k.works.Run(ctx, c.Run, charge)
		if err != nil {
			panic(unmade{err})
		}
		return c.AuditIn(run)
	}
}

// lazy is the source of a unit, made and paid for at the first question to it: most moves of a game ask it nothing, and making it is
// by far the dearest part of those that do. What a game asks follows from the game and the move, so all validators charge alike.
type lazy struct {
	make func() (bisect.Source, error)
	made bisect.Source
}

// unmade is what lazy panics with, whose methods have no errors; catch takes it back.
type unmade struct{ error }

// catch makes the panic of a source that cannot be made the error of the function that defers it.
func catch(err *error) {
	switch p := recover().(type) {
	case nil:
	case unmade:
		*err = p.error
	default:
		panic(p) // the gas meter's, or a fault
	}
}

func (l *lazy) source() bisect.Source {
	if l.made == nil {
		s, err := l.make()
		if err != nil {
			panic(unmade{err})
		}
		l.made = s
	}
	return l.made
}

// PointStep implements bisect.Source.
func (l *lazy) PointStep(point int) int { return l.source().PointStep(point) }

// Initial implements bisect.Source.
func (l *lazy) Initial(state string) (uint64, bool) { return l.source().Initial(state) }

// Origin implements bisect.Source.
func (l *lazy) Origin(state string) (bisect.Origin, bool) { return l.source().Origin(state) }

// Input implements bisect.Source.
func (l *lazy) Input(step int, name string, element int) (bisect.Datum, error) {
	return l.source().Input(step, name, element)
}

// PayloadSize implements bisect.Source.
func (l *lazy) PayloadSize() int { return l.source().PayloadSize() }

// Slot implements bisect.Source.
func (l *lazy) Slot(offset int) bisect.Slot { return l.source().Slot(offset) }
