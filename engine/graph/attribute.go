package graph

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Kind is the type of an attribute, numbered as in ONNX (AttributeProto.AttributeType).
type Kind uint8

// The attribute types in use.
const (
	KindFloat  Kind = 1
	KindInt    Kind = 2
	KindString Kind = 3
	KindInts   Kind = 7
)

// String is ONNX's name of the kind.
func (k Kind) String() string {
	switch k {
	case KindFloat:
		return "float"
	case KindInt:
		return "int"
	case KindString:
		return "string"
	case KindInts:
		return "ints"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Attr is one attribute of a node; Kind tells which field holds its value.
type Attr struct {
	Name   string
	Kind   Kind
	Float  float32
	Int    int64
	String string
	Ints   []int64
}

// Attrs is how callers of a Builder write attributes. Values are int, float32, string or []int.
type Attrs map[string]any

// list sorts attributes by name.
func (a Attrs) list() ([]Attr, error) {
	var out []Attr
	for name, value := range a {
		attr := Attr{Name: name}
		switch v := value.(type) {
		case int:
			attr.Kind, attr.Int = KindInt, int64(v)
		case float32:
			attr.Kind, attr.Float = KindFloat, v
		case string:
			attr.Kind, attr.String = KindString, v
		case []int:
			attr.Kind, attr.Ints = KindInts, make([]int64, len(v))
			for i, x := range v {
				attr.Ints[i] = int64(x)
			}
		default:
			return nil, fmt.Errorf("%w: attribute %q has Go type %T", ErrInvalid, name, value)
		}
		out = append(out, attr)
	}
	slices.SortFunc(out, func(x, y Attr) int { return strings.Compare(x.Name, y.Name) })
	return out, nil
}

// attribute is an entry of an operator's schema. The default counts when the attribute is absent and not required.
type attribute struct {
	Attr
	required bool
}

func intAttr(name string, value int64) attribute {
	return attribute{Attr: Attr{Name: name, Kind: KindInt, Int: value}}
}

func floatAttr(name string, value float32) attribute {
	return attribute{Attr: Attr{Name: name, Kind: KindFloat, Float: value}}
}

func stringAttr(name, value string) attribute {
	return attribute{Attr: Attr{Name: name, Kind: KindString, String: value}}
}

func intsAttr(name string) attribute { return attribute{Attr: Attr{Name: name, Kind: KindInts}} }

func requiredAttr(a attribute) attribute {
	a.required = true
	return a
}

// checkAttrs compares a node's attributes with its operator's schema.
func checkAttrs(n *Node, schema []attribute) error {
	for i, a := range n.Attrs {
		if i > 0 && n.Attrs[i-1].Name >= a.Name {
			return fmt.Errorf("attribute %q is not in order of name", a.Name)
		}
		j := slices.IndexFunc(schema, func(s attribute) bool { return s.Name == a.Name })
		switch {
		case j < 0:
			return fmt.Errorf("unknown attribute %q", a.Name)
		case schema[j].Kind != a.Kind:
			return fmt.Errorf("attribute %q is %v, want %v", a.Name, a.Kind, schema[j].Kind)
		case len(a.Ints) > math.MaxUint8 || len(a.String) > MaxName:
			return fmt.Errorf("attribute %q is too long", a.Name)
		}
	}
	for _, s := range schema {
		if s.required && !slices.ContainsFunc(n.Attrs, func(a Attr) bool { return a.Name == s.Name }) {
			return fmt.Errorf("attribute %q is missing", s.Name)
		}
	}
	return nil
}
