package graph

import (
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/engine/tensor"
)

// Infer validates g and returns the type of every value by name. An error wraps ErrInvalid and names node, input and reason.
func Infer(g *Graph) (map[string]Value, error) {
	s, err := analyze(g)
	if err != nil {
		return nil, err
	}
	return s.values, nil
}

// Calls validates g and returns what is known about each node, in the order of the nodes.
func Calls(g *Graph) ([]Call, error) {
	s, err := analyze(g)
	if err != nil {
		return nil, err
	}
	return s.calls, nil
}

// scope is the state of validation: what has been defined so far.
type scope struct {
	values map[string]Value
	consts map[string]*tensor.Tensor
	nodes  map[string]bool
	calls  []Call
}

func newScope() *scope {
	return &scope{values: map[string]Value{}, consts: map[string]*tensor.Tensor{}, nodes: map[string]bool{}}
}

func analyze(g *Graph) (*scope, error) {
	s := newScope()
	if g.Opset != Opset {
		return nil, fmt.Errorf("%w: operator set %d, want %d", ErrInvalid, g.Opset, Opset)
	}
	if len(g.Name) > MaxName {
		return nil, fmt.Errorf("%w: name of %d bytes", ErrInvalid, len(g.Name))
	}
	for _, v := range g.Inputs {
		if err := s.define(v); err != nil {
			return nil, fmt.Errorf("%w: graph input %q: %w", ErrInvalid, v.Name, err)
		}
	}
	for _, t := range g.Initializers {
		if err := s.initializer(t); err != nil {
			return nil, err
		}
	}
	if len(g.Nodes) > MaxNodes {
		return nil, fmt.Errorf("%w: %d nodes, at most %d are supported", ErrInvalid, len(g.Nodes), MaxNodes)
	}
	s.calls = make([]Call, 0, len(g.Nodes))
	for i := range g.Nodes {
		c, err := s.call(&g.Nodes[i])
		if err != nil {
			return nil, s.explain(g, i, err)
		}
		s.calls = append(s.calls, c)
	}
	seen := map[string]bool{}
	for _, v := range g.Outputs {
		have, ok := s.values[v.Name]
		switch {
		case !ok:
			return nil, fmt.Errorf("%w: graph output %q is not a value of the graph", ErrInvalid, v.Name)
		case seen[v.Name]:
			return nil, fmt.Errorf("%w: graph output %q is listed twice", ErrInvalid, v.Name)
		case have.DType != v.DType || !slices.Equal(have.Shape, v.Shape):
			return nil, fmt.Errorf("%w: graph output %q is declared %v%v but is %v%v", ErrInvalid, v.Name, v.DType, v.Shape, have.DType, have.Shape)
		}
		seen[v.Name] = true
	}
	return s, nil
}

// initializer adds a constant.
func (s *scope) initializer(t tensor.Named) error {
	if t.Tensor == nil {
		return fmt.Errorf("%w: initializer %q has no tensor", ErrInvalid, t.Name)
	}
	if err := s.define(Value{t.Name, t.Tensor.DType(), t.Tensor.Shape()}); err != nil {
		return fmt.Errorf("%w: initializer %q: %w", ErrInvalid, t.Name, err)
	}
	s.consts[t.Name] = t.Tensor
	return nil
}

// call validates a node against what is defined so far and defines its outputs.
func (s *scope) call(n *Node) (Call, error) {
	op, ok := operators[opKey{n.Domain, n.Op}]
	switch {
	case !ok:
		return Call{}, fmt.Errorf("unknown operator %q in domain %q", n.Op, n.Domain)
	case n.Name == "" || len(n.Name) > MaxName:
		return Call{}, fmt.Errorf("node name of %d bytes, want 1 to %d", len(n.Name), MaxName)
	case s.nodes[n.Name]:
		return Call{}, fmt.Errorf("node name is used twice")
	case len(n.Inputs) < op.in.min || len(n.Inputs) > op.in.max:
		return Call{}, fmt.Errorf("%d inputs, want %s", len(n.Inputs), op.in)
	case len(n.Outputs) < op.out.min || len(n.Outputs) > op.out.max:
		return Call{}, fmt.Errorf("%d outputs, want %s", len(n.Outputs), op.out)
	}
	s.nodes[n.Name] = true
	if err := checkAttrs(n, op.attrs); err != nil {
		return Call{}, err
	}
	c := Call{Node: n, In: make([]Value, len(n.Inputs)), consts: make([]*tensor.Tensor, len(n.Inputs)), op: &op}
	for i, name := range n.Inputs {
		switch v, ok := s.values[name]; {
		case ok:
			c.In[i], c.consts[i] = v, s.consts[name]
		case name != "":
			return Call{}, unknownValue{i, name}
		case i < op.in.min || op.in.max == MaxArity:
			return Call{}, fmt.Errorf("input %d is missing", i)
		}
	}
	out, err := op.infer(&c)
	if err != nil {
		return Call{}, err
	}
	c.Out = out[:len(n.Outputs)]
	for i, name := range n.Outputs {
		c.Out[i].Name = name
		if err := s.define(c.Out[i]); err != nil {
			return Call{}, fmt.Errorf("output %d %q: %w", i, name, err)
		}
	}
	return c, nil
}

// String says how many in words.
func (a arity) String() string {
	if a.min == a.max {
		return fmt.Sprint(a.min)
	}
	return fmt.Sprintf("%d to %d", a.min, a.max)
}

// unknownValue is an input that nothing before the node defines.
type unknownValue struct {
	input int
	name  string
}

func (u unknownValue) Error() string { return fmt.Sprintf("input %d %q is unknown", u.input, u.name) }

// explain says which node an error is about, and for an input that only a later node produces, that the order is wrong.
func (s *scope) explain(g *Graph, at int, err error) error {
	n := &g.Nodes[at]
	if u, ok := err.(unknownValue); ok {
		for i := at; i < len(g.Nodes); i++ {
			if slices.Contains(g.Nodes[i].Outputs, u.name) {
				err = fmt.Errorf("input %d %q is produced only by node %q: nodes form a cycle or are out of order", u.input, u.name, g.Nodes[i].Name)
				break
			}
		}
	}
	return nodeError(n, err)
}

func nodeError(n *Node, err error) error {
	return fmt.Errorf("%w: node %q (%s): %w", ErrInvalid, n.Name, n.Op, err)
}

// define adds a value to the scope.
func (s *scope) define(v Value) error {
	if v.Name == "" || len(v.Name) > MaxName {
		return fmt.Errorf("name of %d bytes, want 1 to %d", len(v.Name), MaxName)
	}
	if _, ok := s.values[v.Name]; ok {
		return fmt.Errorf("name is defined twice")
	}
	if len(s.values) == MaxValues {
		return fmt.Errorf("more than %d values", MaxValues)
	}
	if err := checkValue(v); err != nil {
		return err
	}
	v.Shape = slices.Clone(v.Shape)
	s.values[v.Name] = v
	return nil
}

// checkValue checks type and shape against the bounds.
func checkValue(v Value) error {
	if !v.DType.Valid() {
		return fmt.Errorf("unknown element type %v", v.DType)
	}
	if len(v.Shape) > MaxRank {
		return fmt.Errorf("%d axes, at most %d are supported", len(v.Shape), MaxRank)
	}
	for _, d := range v.Shape {
		if d < 1 {
			return fmt.Errorf("dimension %d in shape %v, want at least 1", d, v.Shape)
		}
	}
	_, err := tensor.Elements(v.Shape, MaxElements)
	return err
}
