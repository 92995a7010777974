package graph

import "slices"

// operator is a line of the operator table.
type operator struct {
	in, out arity
	attrs   []attribute
	infer   func(*Call) ([]Value, error) // types of the outputs (names are filled in by the caller), or what is wrong
	cost    func(*Call) uint64           // multiply-accumulates, see MACs
}

// arity bounds a number of inputs or outputs. Inputs from min on may be left out with an empty name.
type arity struct{ min, max int }

func exactly(n int) arity      { return arity{n, n} }
func between(lo, hi int) arity { return arity{lo, hi} }

type opKey struct{ domain, name string }

// operators is the operator table: a node whose operator is not here is an error. Each family fills its part beside the
// rules for its shapes.
var operators = func() map[opKey]operator {
	table := map[opKey]operator{}
	for _, family := range []map[string]operator{
		elementwiseOps, matmulOps, movementOps, indexingOps, reduceOps, normalizationOps, attentionOps, lossOps, windowOps, recurrentOps, selectionOps, quantizeOps,
	} {
		for name, op := range family {
			table[opKey{"", name}] = op
		}
	}
	for _, family := range []map[string]operator{gradientOps, windowGradientOps, treeOps} {
		for name, op := range family {
			table[opKey{Domain, name}] = op
		}
	}
	return table
}()

// Operators lists the names of all operators, sorted.
func Operators() []string {
	var names []string
	for key := range operators {
		names = append(names, key.name)
	}
	slices.Sort(names)
	return names
}
