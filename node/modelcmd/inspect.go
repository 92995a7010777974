package modelcmd

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/onnx"
)

// Inspection is the answer of `mutirao model inspect --json`.
type Inspection struct {
	Schema     string         `json:"schema"` // "mutirao.model-inspect/v1"
	File       string         `json:"file"`
	Format     string         `json:"format"` // "onnx" or "mutirao"
	Opset      int            `json:"opset"`
	Producer   string         `json:"producer,omitempty"`
	Inputs     []Port         `json:"inputs"`
	Outputs    []Port         `json:"outputs"`
	Operators  map[string]int `json:"operators"`
	Parameters uint64         `json:"parameters"`
	Float64    bool           `json:"float64"`      // it has values of float64, which are computed in float32
	Weights    uint64         `json:"weight_bytes"` // of the constants as the engine holds them
	Dynamic    []string       `json:"dynamic"`      // input dimensions that --dim or a run decides, as input.axis or the file's name for them
	Unread     []string       `json:"unsupported"`  // operators that this program does not have
	// What the engine makes of it, if it can be told without the inputs or from the given dimensions.
	Runs           bool           `json:"runs"`              // as one graph
	Session        bool           `json:"session,omitempty"` // it is no graph, for the reason why, but a session can run it
	Why            string         `json:"why,omitempty"`     // why not
	EngineNodes    map[string]int `json:"engine_nodes,omitempty"`
	MACs           uint64         `json:"macs,omitempty"`
	MemoryElements uint64         `json:"memory_elements,omitempty"` // of all values together: an upper bound of what a run holds
	Planned        uint64         `json:"planned_bytes,omitempty"`   // what a run holds beside weights, inputs and outputs at its peak
}

// Port is an input or output: its type, with 0 or a symbol for dimensions that the inputs decide.
type Port struct {
	Name  string   `json:"name"`
	Type  string   `json:"type"`
	Shape []string `json:"shape"`
}

func portsOf(list []onnx.Port) []Port {
	out := []Port{}
	for _, p := range list {
		shape := []string{}
		for i, d := range p.Dims {
			switch {
			case d.Size > 0:
				shape = append(shape, fmt.Sprint(d.Size))
			case d.Symbol != "":
				shape = append(shape, d.Symbol)
			default:
				shape = append(shape, fmt.Sprintf("d%d", i))
			}
		}
		out = append(out, Port{p.Name, p.Type, shape})
	}
	return out
}

// Inspect looks at a file. Dims gives sizes to symbols of the file's shapes; others count as 1.
func Inspect(file string, dims map[string]int) (*Inspection, error) {
	m, err := load(file)
	if err != nil {
		return nil, err
	}
	r := &Inspection{Schema: "mutirao.model-inspect/v1", File: file, Inputs: portsOf(m.inputs()), Operators: map[string]int{}}
	if m.onnx != nil {
		r.Format, r.Opset, r.Producer, r.Float64 = "onnx", m.onnx.Opset(), m.onnx.Producer(), m.onnx.Float64()
		r.Outputs, r.Operators, r.Parameters = portsOf(m.onnx.Outputs()), m.onnx.Operators(), m.onnx.Parameters()
	} else {
		r.Format, r.Opset = "mutirao", m.graph.Opset
		for _, v := range m.graph.Outputs {
			r.Outputs = append(r.Outputs, Port{v.Name, v.DType.String(), strings.Fields(strings.Trim(fmt.Sprint(v.Shape), "[]"))})
		}
		r.Operators = nodesOf(m.graph)
		for _, t := range m.graph.Initializers {
			r.Parameters += uint64(t.Tensor.Len())
		}
	}
	r.Dynamic, r.Unread = dynamic(m.inputs()), []string{}
	for _, name := range sortedKeys(r.Operators) {
		if m.onnx != nil && !onnx.Reads(name) {
			r.Unread = append(r.Unread, name)
		}
	}
	if err := r.plan(m, dims); err != nil {
		r.Why = err.Error()
		if m.onnx != nil && len(r.Unread) == 0 && errors.Is(err, onnx.ErrUnsupported) {
			_, err = m.onnx.NewSession(onnx.DefaultLimits)
			r.Session = err == nil
		}
	}
	return r, nil
}

// dynamic names the dimensions that the file leaves open.
func dynamic(ports []onnx.Port) []string {
	list := []string{}
	for _, p := range ports {
		for i, d := range p.Dims {
			name := d.Symbol
			if name == "" {
				name = fmt.Sprintf("%s.%d", p.Name, i)
			}
			if d.Size == 0 && !slices.Contains(list, name) {
				list = append(list, name)
			}
		}
	}
	return list
}

// plan makes the graph for the given dimensions and looks at it.
func (r *Inspection) plan(m *model, dims map[string]int) error {
	g, err := m.specialise(sized(m.inputs(), dims))
	if err != nil {
		return err
	}
	if r.MACs, err = graph.MACs(g); err != nil {
		return err
	}
	if r.MemoryElements, err = graph.Elements(g); err != nil {
		return err
	}
	for _, t := range g.Initializers {
		r.Weights += uint64(t.Tensor.Len() * t.Tensor.DType().Size())
	}
	r.Runs, r.EngineNodes = true, nodesOf(g)
	if r.MemoryElements > onnx.DefaultLimits.Elements {
		return nil // planning takes the memory, so it is not tried
	}
	p, err := exec.Compile(g)
	if err != nil {
		return err
	}
	r.Planned = uint64(p.Memory())
	return nil
}

// sized gives the inputs sizes.
func sized(ports []onnx.Port, dims map[string]int) map[string]onnx.Feed {
	feeds := map[string]onnx.Feed{}
	for _, p := range ports {
		if p.DType == 0 || p.Dims == nil {
			continue
		}
		f := onnx.Feed{DType: p.DType, Shape: []int{}}
		for _, d := range p.Dims {
			size := d.Size
			if size == 0 {
				if size = dims[d.Symbol]; size == 0 {
					size = 1
				}
			}
			f.Shape = append(f.Shape, size)
		}
		feeds[p.Name] = f
	}
	return feeds
}

func nodesOf(g *graph.Graph) map[string]int {
	counts := map[string]int{}
	for _, n := range g.Nodes {
		counts[n.Op]++
	}
	return counts
}

// Print writes the inspection for a person.
func (r *Inspection) Print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s · %s, operator set %d", r.File, r.Format, r.Opset)
	if r.Producer != "" {
		fmt.Fprintf(&b, ", written by %s", r.Producer)
	}
	b.WriteString("\n\n")
	for _, list := range []struct {
		title string
		ports []Port
	}{{"input", r.Inputs}, {"output", r.Outputs}} {
		for _, p := range list.ports {
			fmt.Fprintf(&b, "%-11s %s  %s[%s]\n", list.title, p.Name, p.Type, strings.Join(p.Shape, " "))
		}
	}
	if len(r.Dynamic) > 0 {
		fmt.Fprintf(&b, "open        %s  (1 here; --dim NAME=SIZE)\n", strings.Join(r.Dynamic, ", "))
	}
	fmt.Fprintf(&b, "parameters  %d\noperators   %s\n", r.Parameters, counted(r.Operators))
	if r.Float64 {
		b.WriteString("float64     computed in float32\n")
	}
	for _, name := range r.Unread {
		fmt.Fprintf(&b, "lacking     %s: this program does not have the operator\n", name)
	}
	switch {
	case r.Runs:
		fmt.Fprintf(&b, "as run      %s\nwork        %d multiply-accumulates\n", counted(r.EngineNodes), r.MACs)
		fmt.Fprintf(&b, "memory      %s of weights, %s planned, at most %d elements in all\n", bytesOf(r.Weights), bytesOf(r.Planned), r.MemoryElements)
	case r.Session:
		fmt.Fprintf(&b, "as run      in a session, node by node where data decides: %s\n", r.Why)
	default:
		fmt.Fprintf(&b, "cannot run  %s\n", r.Why)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func counted(m map[string]int) string {
	names := slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		if m[a] != m[b] {
			return m[b] - m[a]
		}
		return strings.Compare(a, b)
	})
	var parts []string
	for _, name := range names {
		parts = append(parts, fmt.Sprintf("%s %d", name, m[name]))
	}
	return strings.Join(parts, ", ")
}
