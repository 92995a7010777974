package dispute

import (
	"errors"
	"testing"

	"github.com/mutirao/mutirao/verify/bisect"
)

// counted has one step in each segment.
type counted struct{ bisect.Source }

func (counted) PointStep(p int) int { return p }

// TestSourceIsMadeOnDemand pays for a source once, and only if it is asked; one that cannot be made is an error and no panic.
func TestSourceIsMadeOnDemand(t *testing.T) {
	made := 0
	s := &lazy{make: func() (bisect.Source, error) { made++; return counted{}, nil }}
	if made > 0 {
		t.Error("made before it is asked")
	}
	if a, b := s.PointStep(3), s.PointStep(4); a != 3 || b != 4 || made != 1 {
		t.Errorf("%d and %d, made %d times", a, b, made)
	}
	broken := errors.New("broken")
	ask := func() (err error) {
		defer catch(&err)
		(&lazy{make: func() (bisect.Source, error) { return nil, broken }}).PayloadSize()
		return nil
	}
	if err := ask(); !errors.Is(err, broken) {
		t.Errorf("a source that cannot be made: %v", err)
	}
	defer func() {
		if recover() != "gas" {
			t.Error("another panic is swallowed")
		}
	}()
	func() (err error) { defer catch(&err); panic("gas") }()
}
