package bisect

import "fmt"

// Cuts is cuts, for tests.
var Cuts = cuts

// AnswerAt is a defender's answer that points at a part of its own choice: of a range of steps or of micro-operations.
func AnswerAt(g *Game, m Machine, at int) ([]byte, error) {
	d := defender{g.Clone(), m}
	switch g.Stage {
	case AskTranscript:
		borders := cuts(g.From, g.To)
		own, err := d.state(borders[at+1])
		if err != nil {
			return nil, err
		}
		b := &border{at, own}
		if err := d.narrowSteps(b); err != nil {
			return b.encode(), nil
		}
		rest, err := encoded(d.transcript())
		return append(b.encode(), rest...), err
	default:
		p := part(at)
		if err := d.narrowOperations(&p); err != nil || d.Stage == PickOperation {
			return p.encode(), err
		}
		rest, err := encoded(d.final())
		return append(p.encode(), rest...), err
	}
}

// OneEncoding reports an answer that is read from some bytes and encodes to others.
func OneEncoding(b []byte) error {
	for _, a := range []answer{new(points), new(border), new(part), new(hashes), new(transcript), new(states), new(origin), new(tileBytes), new(final), new(next), new(start), new(datum), new(block), new(roots)} {
		if parse(b, a) == nil && string(a.encode()) != string(b) {
			return fmt.Errorf("%T has two encodings", a)
		}
	}
	return nil
}

// parse reads one part of an answer to the last byte.
func parse(b []byte, a answer) error {
	r := &reader{rest: b}
	a.decode(r)
	return r.end()
}
