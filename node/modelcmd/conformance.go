package modelcmd

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/mutirao/mutirao/engine/onnx"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/node/failure"
)

// The tolerance of ONNX's own test runner (onnx/backend/test/runner): |got - want| may be at most absolute + relative·|want|.
const (
	relative         = 1e-3
	relativeBFloat16 = 0x1p-6 // two units in the last place
	absolute         = 1e-7
)

// Outcomes of a case.
const (
	Pass        = "pass"
	Mismatch    = "mismatch"
	Unsupported = "unsupported"
)

// Case is one directory of ONNX's backend tests.
type Case struct {
	Name         string  `json:"name"`
	Outcome      string  `json:"outcome"`
	Why          string  `json:"why,omitempty"`
	LargestError float64 `json:"largest_error,omitempty"` // relative, of a mismatch
	Random       bool    `json:"random,omitempty"`        // passed by types and shapes only: the model draws random numbers
	Float64      bool    `json:"float64,omitempty"`       // the model has float64, which is computed in float32
}

// Conformance is the answer of `mutirao model test --json`.
type Conformance struct {
	Schema      string         `json:"schema"` // "mutirao.model-test/v1"
	Passed      int            `json:"passed"`
	Mismatched  int            `json:"mismatched"`
	Unsupported int            `json:"unsupported"`
	Reasons     map[string]int `json:"unsupported_by_reason"`
	Cases       []Case         `json:"cases"`
}

// Test runs the tests in directories of ONNX's layout: a directory with model.onnx, or one that holds such directories.
func Test(dirs []string) (*Conformance, error) {
	r := &Conformance{Schema: "mutirao.model-test/v1", Reasons: map[string]int{}, Cases: []Case{}}
	for _, dir := range dirs {
		found, err := filepath.Glob(filepath.Join(dir, "model.onnx"))
		if err == nil && len(found) == 0 {
			found, err = filepath.Glob(filepath.Join(dir, "*", "model.onnx"))
		}
		if err != nil || len(found) == 0 {
			return nil, failure.New(failure.NotFound, "no tests in "+dir, errors.Join(err, errors.New("neither it nor a folder in it holds model.onnx")), "give a folder of ONNX's backend tests")
		}
		for _, file := range found {
			r.add(testCase(filepath.Dir(file)))
		}
	}
	return r, nil
}

func (r *Conformance) add(c Case) {
	r.Cases = append(r.Cases, c)
	switch c.Outcome {
	case Pass:
		r.Passed++
	case Mismatch:
		r.Mismatched++
	default:
		r.Unsupported++
		r.Reasons[reason(c.Why)]++
	}
}

// reason is the operator or type that an error names.
func reason(why string) string {
	if m := regexp.MustCompile(`operator [A-Za-z.]+`).FindString(why); m != "" {
		return m
	}
	for _, name := range []string{"float64", "float16", "bfloat16", "string", "uint16", "int16", "uint32", "uint64", "not a tensor", "empty"} {
		if strings.Contains(why, name) {
			return name
		}
	}
	if m := regexp.MustCompile(`\(([A-Za-z.]+)\)`).FindStringSubmatch(why); m != nil {
		return "a form of " + m[1]
	}
	return why
}

func testCase(dir string) Case {
	c := Case{Name: filepath.Base(dir)}
	m, err := onnx.LoadFile(filepath.Join(dir, "model.onnx"))
	if err != nil {
		c.Outcome, c.Why = Unsupported, err.Error()
		return c
	}
	c.Float64 = m.Float64()
	sets, _ := filepath.Glob(filepath.Join(dir, "test_data_set_*"))
	if len(sets) == 0 {
		c.Outcome, c.Why = Unsupported, "no test_data_set_* in it"
	}
	for _, set := range sets {
		c.test(m, set)
		if c.Outcome != Pass {
			break
		}
	}
	return c
}

// test runs one set of inputs and compares the outputs.
func (c *Case) test(m *onnx.Model, dir string) {
	in, err := values(dir, "input", m.Inputs())
	if err != nil {
		c.Outcome, c.Why = Unsupported, err.Error()
		return
	}
	want, err := values(dir, "output", m.Outputs())
	if err != nil {
		c.Outcome, c.Why = Unsupported, err.Error()
		return
	}
	got, err := compute(&model{onnx: m}, in)
	switch {
	case errors.Is(err, onnx.ErrUnsupported):
		c.Outcome, c.Why = Unsupported, err.Error()
		return
	case err != nil:
		c.Outcome, c.Why, c.LargestError = Mismatch, err.Error(), math.MaxFloat64
		return
	}
	for _, p := range m.Outputs() {
		name, tolerance := p.Name, relative
		if p.Element == onnx.BFloat16 {
			tolerance = relativeBFloat16
		}
		switch why, worst := differ(got[name], want[name], tolerance); {
		case why == "":
		case m.Random() && sameType(got[name], want[name]):
			c.Random = true
		default:
			c.Outcome, c.Why, c.LargestError = Mismatch, fmt.Sprintf("output %q %s", name, why), worst
			return
		}
	}
	c.Outcome = Pass
}

// sameType reports whether two tensors have one type and shape.
func sameType(a, b onnx.Value) bool {
	return a.Tensor != nil && b.Tensor != nil && a.String() == b.String()
}

// values reads role_0.pb, role_1.pb and so on: one for each port.
func values(dir, role string, ports []onnx.Port) (map[string]onnx.Value, error) {
	list := map[string]onnx.Value{}
	for i, p := range ports {
		b, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("%s_%d.pb", role, i)))
		if err != nil {
			return nil, err
		}
		if list[p.Name], err = declared(b, p); err != nil {
			return nil, fmt.Errorf("%s %q: %w", role, p.Name, err)
		}
	}
	return list, nil
}

// declared is a value of a test in the type that the model declares. The suite writes bfloat16 as uint16, since NumPy lacks it.
func declared(b []byte, p onnx.Port) (onnx.Value, error) {
	if p.DType == 0 || p.Element == onnx.String {
		return onnx.ReadValue(b, p)
	}
	t, err := onnx.ReadTensor(b)
	switch {
	case err != nil:
	case t.Element == onnx.Uint16 && p.Element == onnx.BFloat16:
		t, err = t.Reinterpret(p.Element)
	case t.Element != p.Element:
		err = fmt.Errorf("%w: it is %v, the model declares %v", onnx.ErrInvalid, t.Element, p.Element)
	}
	return onnx.Value{Tensor: t.Tensor, Element: t.Element}, err
}

// differTensors is differ for tensors of numbers.
func differTensors(got, want *tensor.Tensor, relative float64) (string, float64) {
	if got.DType() != want.DType() || !slices.Equal(got.Shape(), want.Shape()) {
		return fmt.Sprintf("is %v%v, want %v%v", got.DType(), got.Shape(), want.DType(), want.Shape()), math.MaxFloat64
	}
	if want.DType() != tensor.Float32 {
		if string(got.Bytes()) != string(want.Bytes()) {
			return fmt.Sprintf("is %v, want %v", firstValues(got, 8), firstValues(want, 8)), math.MaxFloat64
		}
		return "", 0
	}
	worst, at := 0.0, -1
	for i, w := range want.Float32() {
		g := got.Float32()[i]
		a, b := float64(g), float64(w)
		if g == w || g != g && w != w {
			continue
		}
		d := math.Abs(a - b)
		if !(d <= absolute+float64(relative*math.Abs(b))) && (at < 0 || d/math.Abs(b) > worst) {
			worst, at = min(d/math.Abs(b), math.MaxFloat64), i
			if worst != worst {
				worst = math.MaxFloat64
			}
		}
	}
	if at >= 0 {
		return fmt.Sprintf("element %d is %v, want %v", at, got.Float32()[at], want.Float32()[at]), worst
	}
	return "", 0
}

// Print writes what did not pass and the sums.
func (r *Conformance) Print(w io.Writer) error {
	var b strings.Builder
	for _, c := range r.Cases {
		if c.Outcome != Pass {
			fmt.Fprintf(&b, "%-11s  %s  %s\n", c.Outcome, c.Name, c.Why)
		}
	}
	reasons := slices.SortedFunc(maps.Keys(r.Reasons), func(x, y string) int {
		return cmp.Or(r.Reasons[y]-r.Reasons[x], strings.Compare(x, y))
	})
	for _, name := range reasons {
		fmt.Fprintf(&b, "%5d  %s\n", r.Reasons[name], name)
	}
	all := len(r.Cases)
	fmt.Fprintf(&b, "%d of %d pass (%.1f %%), %d differ, %d are not supported\n", r.Passed, all, 100*float64(r.Passed)/float64(max(1, all)), r.Mismatched, r.Unsupported)
	_, err := io.WriteString(w, b.String())
	return err
}
