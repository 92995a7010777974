package modelcmd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mutirao/mutirao/engine/onnx"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/node/failure"
)

// Comparison is the answer of `mutirao model verify --json`.
type Comparison struct {
	Schema  string      `json:"schema"` // "mutirao.model-verify/v1"
	Equal   bool        `json:"equal"`
	Tensors int         `json:"tensors"` // compared
	First   *Difference `json:"first_difference,omitempty"`
}

// Difference is where two runs part: a node of two traces, or an element of two outputs.
type Difference struct {
	Node     string `json:"node,omitempty"`
	Operator string `json:"operator,omitempty"`
	Tensor   string `json:"tensor"`
	Index    []int  `json:"index,omitempty"`
	A        string `json:"a"`
	B        string `json:"b"`
	Ulps     uint64 `json:"ulps,omitempty"`  // float32 numbers between the two, if both are numbers
	Count    int    `json:"count,omitempty"` // elements that differ
}

// Verify compares two traces, or the outputs of two runs: folders of .npy, .npz archives or single .npy files.
func Verify(a, b string) (*Comparison, error) {
	if isTrace(a) && isTrace(b) {
		x, err := loadTrace(a)
		if err != nil {
			return nil, err
		}
		y, err := loadTrace(b)
		if err != nil {
			return nil, err
		}
		return compareTraces(x, y), nil
	}
	x, err := loadOutputs(a)
	if err != nil {
		return nil, err
	}
	y, err := loadOutputs(b)
	if err != nil {
		return nil, err
	}
	return compareOutputs(x, y), nil
}

func isTrace(file string) bool { return filepath.Ext(file) == ".json" }

const verifyNext = "mutirao model run MODEL --output FOLDER --trace=FILE.json on both machines"

func unverifiable(file string, err error) error {
	code := failure.General
	if errors.Is(err, fs.ErrNotExist) {
		code = failure.NotFound
	}
	return failure.New(code, "cannot compare "+file, err, verifyNext)
}

func loadTrace(file string) (*Trace, error) {
	b, err := readFile(file)
	if err != nil {
		return nil, unverifiable(file, err)
	}
	t, err := readTrace(b)
	if err != nil {
		return nil, unverifiable(file, err)
	}
	return t, nil
}

// compareTraces finds the first input, then the first node in order, whose roots differ. Traces of different programs are not comparable beyond the
// first node that differs in name.
func compareTraces(a, b *Trace) *Comparison {
	r := &Comparison{Schema: "mutirao.model-verify/v1"}
	if r.First = r.compareValues(TraceNode{}, a.Inputs, b.Inputs); r.First != nil {
		return r
	}
	for i := range max(len(a.Nodes), len(b.Nodes)) {
		if i >= len(a.Nodes) || i >= len(b.Nodes) {
			r.First = &Difference{Tensor: "number of nodes", A: fmt.Sprint(len(a.Nodes)), B: fmt.Sprint(len(b.Nodes))}
			return r
		}
		x, y := a.Nodes[i], b.Nodes[i]
		if x.Name != y.Name || x.Operator != y.Operator {
			r.First = &Difference{Node: x.Name, Operator: x.Operator, Tensor: "node", A: x.Name + " (" + x.Operator + ")", B: y.Name + " (" + y.Operator + ")"}
			return r
		}
		if r.First = r.compareValues(x, x.Values, y.Values); r.First != nil {
			return r
		}
	}
	if a.Program != b.Program { // an attribute or a constant that no value of this run shows
		r.First = &Difference{Tensor: "program", A: a.Program.String(), B: b.Program.String()}
		return r
	}
	r.Equal = true
	return r
}

func (r *Comparison) compareValues(n TraceNode, a, b []TraceValue) *Difference {
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) {
			return &Difference{Node: n.Name, Operator: n.Operator, Tensor: "number of values", A: fmt.Sprint(len(a)), B: fmt.Sprint(len(b))}
		}
		r.Tensors++
		if x, y := a[i], b[i]; x.Name != y.Name || x.Type != y.Type || x.Root != y.Root {
			return &Difference{Node: n.Name, Operator: n.Operator, Tensor: x.Name, A: describe(x), B: describe(y)}
		}
	}
	return nil
}

func describe(v TraceValue) string {
	return fmt.Sprintf("%s %s %s … root %v", v.Name, v.Type, strings.Join(v.First, " "), v.Root)
}

// loadOutputs reads arrays by name.
func loadOutputs(place string) (map[string]onnx.Value, error) {
	info, err := os.Stat(place)
	if err != nil {
		return nil, unverifiable(place, err)
	}
	files := []string{place}
	if info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(escaped(place), "*.npy")); err != nil || len(files) == 0 {
			return nil, unverifiable(place, errors.Join(err, errors.New("no .npy in the folder")))
		}
	}
	all := map[string]onnx.Value{}
	for _, file := range files {
		b, err := readFile(file)
		if err != nil {
			return nil, unverifiable(file, err)
		}
		if filepath.Ext(file) == ".npz" {
			err = readMembers(b, all)
		} else {
			all[strings.TrimSuffix(filepath.Base(file), ".npy")], err = readArray(b)
		}
		if err != nil {
			return nil, unverifiable(file, err)
		}
	}
	return all, nil
}

// escaped is a path in which Glob sees no pattern.
func escaped(path string) string {
	return strings.NewReplacer("[", "[[]", "*", "[*]", "?", "[?]").Replace(path)
}

// compareOutputs compares arrays of one name, in the order of names, bit by bit. If there is one array on each side, their names do not matter.
func compareOutputs(a, b map[string]onnx.Value) *Comparison {
	r := &Comparison{Schema: "mutirao.model-verify/v1"}
	names := sortedKeys(a)
	if others := sortedKeys(b); len(a) == 1 && len(b) == 1 {
		b = map[string]onnx.Value{names[0]: b[others[0]]}
	} else if !slices.Equal(names, others) {
		r.First = &Difference{Tensor: "names of outputs", A: strings.Join(names, " "), B: strings.Join(others, " ")}
		return r
	}
	for _, name := range names {
		r.Tensors++
		if r.First = compareArrays(name, a[name], b[name]); r.First != nil {
			return r
		}
	}
	r.Equal = true
	return r
}

// compareArrays finds the first element that differs.
func compareArrays(name string, a, b onnx.Value) *Difference {
	if a.String() != b.String() {
		return &Difference{Tensor: name, A: a.String(), B: b.String()}
	}
	shape, n := shapeOf(a), 1
	for _, d := range shape {
		n *= d
	}
	var first *Difference
	for i := range n {
		if same, ulps := sameElement(a, b, i); !same {
			if first == nil {
				first = &Difference{Tensor: name, Index: place(shape, i), A: cell(a, i), B: cell(b, i), Ulps: ulps}
			}
			first.Count++
		}
	}
	return first
}

// sameElement compares bits; -0 is not 0. Ulps are the steps from one float32 to the other.
func sameElement(a, b onnx.Value, i int) (same bool, ulps uint64) {
	if a.Text == nil && a.Tensor.DType() == tensor.Float32 {
		x, y := a.Tensor.Float32()[i], b.Tensor.Float32()[i]
		if math.Float32bits(x) == math.Float32bits(y) || x != x && y != y {
			return true, 0
		}
		if x != x || y != y {
			return false, 0
		}
		return false, uint64(max(ordered(x)-ordered(y), ordered(y)-ordered(x)))
	}
	return cell(a, i) == cell(b, i), 0
}

// ordered numbers the float32 in their order; both zeros are 0.
func ordered(v float32) int64 {
	b := int64(math.Float32bits(v))
	if b >= 1<<31 {
		return 1<<31 - b
	}
	return b
}

// place is the index of element i along each axis.
func place(shape []int, i int) []int {
	at := make([]int, len(shape))
	for axis := len(shape) - 1; axis >= 0; axis-- {
		at[axis] = i % shape[axis]
		i /= shape[axis]
	}
	return at
}

// Print writes the comparison for a person.
func (r *Comparison) Print(w io.Writer) error {
	if r.Equal {
		_, err := fmt.Fprintf(w, "equal  %d tensors, every bit\n", r.Tensors)
		return err
	}
	d := r.First
	var b strings.Builder
	if d.Node != "" {
		fmt.Fprintf(&b, "differ  first at node %q (%s)\n", d.Node, d.Operator)
	} else {
		fmt.Fprintf(&b, "differ  first at %q\n", d.Tensor)
	}
	if d.Index != nil {
		fmt.Fprintf(&b, "index   %v, %d elements differ\n", d.Index, d.Count)
	}
	fmt.Fprintf(&b, "a       %s\nb       %s\n", d.A, d.B)
	if d.Ulps > 0 {
		fmt.Fprintf(&b, "apart   %d ulp\n", d.Ulps)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
