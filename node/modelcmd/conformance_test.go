package modelcmd

import "testing"

// TestSessions runs models whose shapes, control or kinds of value depend on data, in the layout of ONNX's backend tests. The expected
// outputs were written by ONNX Runtime 1.32.
func TestSessions(t *testing.T) {
	r, err := Test([]string{"testdata/session"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Cases {
		if c.Outcome != Pass {
			t.Errorf("%s: %s %s", c.Name, c.Outcome, c.Why)
		}
	}
	if r.Passed != 4 {
		t.Errorf("%d pass, want boxes, branch, loop and strings", r.Passed)
	}
}
