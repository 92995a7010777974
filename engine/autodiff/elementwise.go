package autodiff

import "github.com/mutirao/mutirao/engine/graph"

const twoOverSqrtPi = 0x1.20dd76p+0 // 2/√π rounded to float32

var elementwiseRules = map[string]rule{
	"Identity": unary(func(n *node, dy graph.Ref) graph.Ref { return dy }),
	"Cast":     unary(func(n *node, dy graph.Ref) graph.Ref { return dy }), // reached from float32 to float32 only
	"Neg":      unary(func(n *node, dy graph.Ref) graph.Ref { return n.op("Neg", dy) }),
	"Abs":      unary(func(n *node, dy graph.Ref) graph.Ref { return n.op("Mul", dy, n.op("Sign", n.x(0))) }),
	"Sign":     func(n *node) ([]graph.Ref, error) { return make([]graph.Ref, 1), nil }, // flat
	"Sqrt":     unary(func(n *node, dy graph.Ref) graph.Ref { return n.op("Div", dy, n.op("Add", n.y(), n.y())) }),
	"Exp":      unary(func(n *node, dy graph.Ref) graph.Ref { return n.op("Mul", dy, n.y()) }),
	"Log":      unary(func(n *node, dy graph.Ref) graph.Ref { return n.op("Div", dy, n.x(0)) }),
	"Sin":      unary(func(n *node, dy graph.Ref) graph.Ref { return n.op("Mul", dy, n.op("Cos", n.x(0))) }),
	"Cos":      unary(func(n *node, dy graph.Ref) graph.Ref { return n.op("Neg", n.op("Mul", dy, n.op("Sin", n.x(0)))) }),
	"Gelu":     unary(func(n *node, dy graph.Ref) graph.Ref { return n.op("GeluGrad", dy, n.x(0)) }),
	"Reciprocal": unary(func(n *node, dy graph.Ref) graph.Ref {
		return n.op("Neg", n.op("Mul", dy, n.op("Mul", n.y(), n.y())))
	}),
	"Tanh": unary(func(n *node, dy graph.Ref) graph.Ref {
		return n.op("Mul", dy, n.op("Sub", n.Float(1), n.op("Mul", n.y(), n.y())))
	}),
	"Sigmoid": unary(func(n *node, dy graph.Ref) graph.Ref {
		return n.op("Mul", dy, n.op("Mul", n.y(), n.op("Sub", n.Float(1), n.y())))
	}),
	"Erf": unary(func(n *node, dy graph.Ref) graph.Ref {
		bell := n.op("Exp", n.op("Neg", n.op("Mul", n.x(0), n.x(0))))
		return n.op("Mul", dy, n.op("Mul", bell, n.Float(twoOverSqrtPi)))
	}),
	"Relu": unary(func(n *node, dy graph.Ref) graph.Ref { // 0 at 0
		return n.op("Where", n.op("Greater", n.x(0), n.Float(0)), dy, n.Float(0))
	}),

	"Add": func(n *node) ([]graph.Ref, error) {
		return n.each(func(i int) graph.Ref { return n.toInput(i, n.dy[0]) }), nil
	},
	"Sub": func(n *node) ([]graph.Ref, error) {
		return n.each(func(i int) graph.Ref {
			d := n.toInput(i, n.dy[0])
			if i == 1 {
				d = n.op("Neg", d)
			}
			return d
		}), nil
	},
	"Mul": func(n *node) ([]graph.Ref, error) {
		return n.each(func(i int) graph.Ref { return n.toInput(i, n.op("Mul", n.dy[0], n.x(1-i))) }), nil
	},
	"Div": func(n *node) ([]graph.Ref, error) { // y = a/b: dy/b and -(dy/b)·y
		over := n.op("Div", n.dy[0], n.x(1))
		return n.each(func(i int) graph.Ref {
			if i == 0 {
				return n.toInput(0, over)
			}
			return n.op("Neg", n.toInput(1, n.op("Mul", over, n.y())))
		}), nil
	},
	"Max":   extreme,
	"Min":   extreme,
	"Where": where,
}

func unary(f func(n *node, dy graph.Ref) graph.Ref) rule {
	return func(n *node) ([]graph.Ref, error) { return []graph.Ref{f(n, n.dy[0])}, nil }
}

// extreme: the gradient goes to the first input that is equal to the result (spec/numerics.md §1: ties go to the lower
// index). The last input takes what is left.
func extreme(n *node) ([]graph.Ref, error) {
	dx := make([]graph.Ref, len(n.call.In))
	left := n.dy[0]
	zero := n.Float(0)
	for i := range dx {
		here := left
		if i < len(dx)-1 {
			chosen := n.op("Equal", n.x(i), n.y())
			here, left = n.op("Where", chosen, left, zero), n.op("Where", chosen, zero, left)
		}
		if n.need[i] {
			dx[i] = n.toInput(i, here)
		}
	}
	return dx, nil
}

func where(n *node) ([]graph.Ref, error) {
	zero := n.Float(0)
	return n.each(func(i int) graph.Ref {
		if i == 1 {
			return n.toInput(1, n.op("Where", n.x(0), n.dy[0], zero))
		}
		return n.toInput(2, n.op("Where", n.x(0), zero, n.dy[0]))
	}), nil
}
