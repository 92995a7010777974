package replay

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/verify/trace"
)

// execution is a small honest computation: a state of three tensors that changes at every point, and its final bytes as
// payload. fault may change the state before a point is recorded.
func execution(t *testing.T, fault func(point int, s []trace.Entry)) (Execution, []byte) {
	t.Helper()
	s := []trace.Entry{
		{Name: "w", Role: "theta", Tensor: tensor.New(tensor.Float32, 70, 3)},
		{Name: "w", Role: "m", Tensor: tensor.New(tensor.Float32, 70, 3)},
		{Name: "b", Role: "theta", Tensor: tensor.New(tensor.Float32, 5)},
	}
	var r Recorder
	for p := range trace.Points {
		for _, e := range s {
			x := e.Tensor.Float32()
			for i := range x {
				x[i] = x[(i+1)%len(x)] + float32(i+p)
			}
		}
		if fault != nil {
			fault(p, s)
		}
		if err := r.Observe(p, s); err != nil {
			t.Fatal(err)
		}
	}
	payload := s[0].Tensor.Bytes()
	e, err := r.Finish(payload)
	if err != nil {
		t.Fatal(err)
	}
	return e, payload
}

// flipOnce flips one bit of element i of the first tensor at one point.
func flipOnce(at, i int) func(int, []trace.Entry) {
	return func(p int, s []trace.Entry) {
		if p == at {
			x := s[0].Tensor.Float32()
			x[i] = math.Float32frombits(math.Float32bits(x[i]) ^ 1)
		}
	}
}

func TestHonestExecutionIsConfirmed(t *testing.T) {
	a, own := execution(t, nil)
	b, claimed := execution(t, nil)
	if !a.Confirms(b.Claim()) {
		t.Fatal("two honest executions differ")
	}
	if s := Explain(a, own, b.Claim(), claimed, rows{}); s != "" {
		t.Fatalf("a confirmed claim is explained: %q", s)
	}
}

// TestFirstDifferingPoint makes one execution wrong from each point on by one bit.
func TestFirstDifferingPoint(t *testing.T) {
	honest, _ := execution(t, nil)
	for at := range trace.Points {
		wrong, _ := execution(t, flipOnce(at, 100))
		first := 0
		for first < trace.Points && honest.Points[first] == wrong.Points[first] {
			first++
		}
		if first != at || honest.Confirms(wrong.Claim()) {
			t.Errorf("wrong from point %d on: it differs from %d on", at, first)
		}
	}
	lied := honest
	lied.Payload = trace.PayloadRoot(nil)
	if honest.Confirms(lied.Claim()) {
		t.Error("another payload is confirmed")
	}
}

// TestEchoIsNotConfirmed: who knows only what is on the ledger cannot produce points that lead to the trace.
func TestEchoIsNotConfirmed(t *testing.T) {
	honest, _ := execution(t, nil)
	c := honest.Claim()
	var echo Execution
	echo.Payload = c.Payload
	for i := range echo.Points {
		echo.Points[i] = c.Trace
	}
	if echo.Confirms(c) {
		t.Error("an echo confirms")
	}
}

func TestRecorderWantsEveryPointInOrder(t *testing.T) {
	var r Recorder
	if _, err := r.Finish(nil); !errors.Is(err, ErrIncomplete) {
		t.Errorf("no points: %v", err)
	}
	for p := range trace.Points {
		for _, wrong := range []int{p - 1, p + 1} {
			if err := r.Observe(wrong, nil); !errors.Is(err, ErrIncomplete) {
				t.Errorf("point %d instead of %d: %v", wrong, p, err)
			}
		}
		if err := r.Observe(p, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Observe(trace.Points, nil); !errors.Is(err, ErrIncomplete) {
		t.Errorf("a point too many: %v", err)
	}
	if _, err := r.Finish(nil); err != nil {
		t.Error(err)
	}
}

// rows is the format of execution's payloads: 70 rows of three float32.
type rows struct{}

func (rows) FirstDifference(own, claimed []byte) (string, bool, error) {
	if len(claimed) != len(own) {
		return "", false, fmt.Errorf("%d bytes%s", len(claimed), strings.Repeat(" é", 200))
	}
	for i := range own {
		if own[i] != claimed[i] {
			return fmt.Sprintf("w[%d,%d]", i/12, i/4%3), true, nil
		}
	}
	return "", false, nil
}

func TestExplain(t *testing.T) {
	e, own := execution(t, nil)
	changed := append([]byte{}, own...)
	changed[4*100+2] ^= 8
	claim := func(payload []byte) Claim { return Claim{Trace: e.Trace(), Payload: trace.PayloadRoot(payload)} }
	for want, got := range map[string]string{
		"w[33,1]":                  Explain(e, own, claim(changed), changed, rows{}),
		"not those revealed":       Explain(e, own, claim(changed), own, rows{}),
		"trace is not":             Explain(e, own, Claim{Payload: e.Payload}, own, rows{}),
		"not a payload: 3 bytes é": Explain(e, own, claim([]byte("abc")), []byte("abc"), rows{}),
	} {
		if !strings.Contains(got, want) || len(got) > MaxDetail || !utf8.ValidString(got) {
			t.Errorf("%q does not say %q", got, want)
		}
	}
}

func TestRepeatIsObservingTwice(t *testing.T) {
	s := []trace.Entry{{Name: "w", Role: "theta", Tensor: tensor.New(tensor.Float32, 3)}}
	var observed, repeated Recorder
	if err := repeated.Repeat(0); !errors.Is(err, ErrIncomplete) {
		t.Fatalf("there is nothing to repeat at the start: %v", err)
	}
	for p := range trace.Points {
		twice := p%3 == 2
		if !twice {
			s[0].Tensor.Float32()[0]++
		}
		again := repeated.Observe
		if twice {
			again = func(point int, _ []trace.Entry) error { return repeated.Repeat(point) }
		}
		if err := errors.Join(observed.Observe(p, s), again(p, s)); err != nil {
			t.Fatal(err)
		}
	}
	if err := repeated.Repeat(trace.Points); !errors.Is(err, ErrIncomplete) {
		t.Fatalf("one point too many: %v", err)
	}
	a, err := observed.Finish(nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := repeated.Finish(nil); err != nil || a != b {
		t.Fatalf("repeated points differ: %v", err)
	}
}
