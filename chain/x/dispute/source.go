package dispute

import "github.com/mutirao/mutirao/verify/bisect"

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
