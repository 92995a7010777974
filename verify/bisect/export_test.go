package bisect

import "fmt"

// Cuts is cuts, for tests.
var Cuts = cuts

// OneEncoding reports an answer that is read from some bytes and encodes to others.
func OneEncoding(b []byte) error {
	for _, a := range []answer{new(points), new(hashes), new(transcript), new(states), new(origin), new(tileBytes), new(final), new(next), new(start), new(datum), new(block), new(roots)} {
		if parse(b, a) == nil && string(a.encode()) != string(b) {
			return fmt.Errorf("%T has two encodings", a)
		}
	}
	return nil
}
