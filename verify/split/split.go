// Package split says how a referee recomputes a little of an operator: it divides the computation of one element of an
// operator's output into micro-operations, each of which reads a few elements of the inputs and changes a short accumulator.
// Whoever runs them all, one after the other from an accumulator of zeros, has the element's bits; whoever doubts one needs only the
// accumulators before and after it and the tiles that it reads. The order of operations is that of spec/numerics.md, element by
// element, and owes nothing to how package exec runs the operator: it is a second definition, which a test compares with the
// first. It imports the engine and verify/trace. Source: spec/dispute.md §5.
package split

import (
	"errors"
	"fmt"
	"math"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/verify/trace"
)

// Bounds on a micro-operation and on what passes from one to the next. A test holds every operator to them.
const (
	MaxTiles = 16   // tiles of inputs that one micro-operation reads
	MaxWords = 4096 // 32-bit words of an accumulator
)

var (
	// ErrSplit reports an operator, output or element that has no split.
	ErrSplit = errors.New("no split")
	// ErrValue reports that an element has no value: an index or label is out of range, so the node cannot be run.
	ErrValue = errors.New("the node has no value")
)

// Reader gives a micro-operation elements of the node's inputs, as trace.Element writes them.
type Reader interface {
	// Element returns element i of an input. Its error ends the micro-operation.
	Element(input, i int) (bits uint64, err error)
}

// Split is the computation of one element.
type Split struct {
	Ops   int // micro-operations, at least 1
	Words int // of the accumulator; the last micro-operation leaves the element in the first two, low word first
	run   func(op int, a Acc, in *inputs)
}

// Acc is an accumulator: float32 by their bits, with one NaN, and integers.
type Acc []uint32

// Of returns the split of an element of an output of a node. The error wraps ErrSplit.
func Of(c *graph.Call, output, element int) (Split, error) {
	rule, ok := rules[c.Node.Op]
	if !ok {
		return Split{}, fmt.Errorf("%w: operator %s", ErrSplit, c.Node.Op)
	}
	if output < 0 || output >= len(c.Out) || element < 0 || element >= c.Out[output].Len() {
		return Split{}, fmt.Errorf("%w: element %d of output %d of %s", ErrSplit, element, output, c.Node.Op)
	}
	p := &plan{Call: c, output: output, element: element, words: 2}
	s := rule(p)
	if p.words > MaxWords {
		return Split{}, fmt.Errorf("%w: %s needs %d words between two micro-operations, at most %d pass", ErrSplit, c.Node.Op, p.words, MaxWords)
	}
	return Split{Ops: s.ops, Words: p.words, run: s.run}, nil
}

// Check reports the first node of a graph whose outputs have no split, so that a lie in them could not be brought before a referee. The
// error wraps ErrSplit if that is the reason.
func Check(g *graph.Graph) error {
	calls, err := graph.Calls(g)
	if err != nil {
		return err
	}
	for i, call := range calls {
		for output, v := range call.Out {
			if v.Len() == 0 {
				continue
			}
			if _, err := Of(&calls[i], output, v.Len()-1); err != nil {
				return fmt.Errorf("node %q: %w", call.Node.Name, err)
			}
		}
	}
	return nil
}

// Operators lists the operators that have a split, in no order.
func Operators() []string {
	var names []string
	for name := range rules {
		names = append(names, name)
	}
	return names
}

// Start returns the accumulator before the first micro-operation.
func (s Split) Start() Acc { return make(Acc, s.Words) }

// Run carries out one micro-operation on the accumulator. The error is the Reader's, or wraps ErrValue.
func (s Split) Run(op int, a Acc, in Reader) error {
	if op < 0 || op >= s.Ops || len(a) != s.Words {
		return fmt.Errorf("%w: micro-operation %d of %d on %d words", ErrSplit, op, s.Ops, len(a))
	}
	r := &inputs{from: in}
	s.run(op, a, r)
	return r.err
}

// Result returns the element that the last micro-operation left.
func (a Acc) Result() uint64 { return uint64(a[0]) | uint64(a[1])<<32 }

func (a Acc) float(i int) float32       { return math.Float32frombits(a[i]) }
func (a Acc) setFloat(i int, v float32) { a[i] = trace.CanonicalBits(v) }

// done leaves a float32 as the result, doneBits any element.
func (a Acc) done(v float32) { a.doneBits(uint64(trace.CanonicalBits(v))) }

func (a Acc) doneBits(v uint64) { a[0], a[1] = uint32(v), uint32(v>>32) }

// inputs reads for a micro-operation. After the first error it gives zeros, and Run returns the error.
type inputs struct {
	from Reader
	err  error
}

func (in *inputs) bits(input, i int) uint64 {
	if in.err != nil {
		return 0
	}
	v, err := in.from.Element(input, i)
	if err != nil {
		in.err = err
		return 0
	}
	return v
}

func (in *inputs) float(input, i int) float32 { return math.Float32frombits(uint32(in.bits(input, i))) }
func (in *inputs) int(input, i int) int64     { return int64(in.bits(input, i)) }

func (in *inputs) fail(format string, args ...any) {
	if in.err == nil {
		in.err = fmt.Errorf("%w: %s", ErrValue, fmt.Sprintf(format, args...))
	}
}

// plan is the making of a split: the element in question and the words of the accumulator given out so far.
type plan struct {
	*graph.Call
	output, element int
	words           int
}

// word reserves n words and returns the first.
func (p *plan) word(n int) int {
	p.words += n
	return p.words - n
}

// index is the place of the element along each axis of the output.
func (p *plan) index() []int { return unravel(p.Out[p.output].Shape, p.element) }

// stage is a number of micro-operations.
type stage struct {
	ops int
	run func(op int, a Acc, in *inputs)
}

// once is a single micro-operation.
func once(f func(a Acc, in *inputs)) stage {
	return stage{1, func(_ int, a Acc, in *inputs) { f(a, in) }}
}

// seq runs stages one after the other.
func seq(stages ...stage) stage {
	total := 0
	for _, s := range stages {
		total += s.ops
	}
	return stage{total, func(op int, a Acc, in *inputs) {
		for _, s := range stages {
			if op < s.ops {
				s.run(op, a, in)
				return
			}
			op -= s.ops
		}
	}}
}

// times repeats a stage n times, each time as f makes it for the round; all rounds have as many micro-operations.
func times(n int, f func(i int) stage) stage {
	each := f(0).ops
	return stage{n * each, func(op int, a Acc, in *inputs) { f(op/each).run(op%each, a, in) }}
}

// batch is the number of elements that a micro-operation takes from a long list, which may lie in as many tiles.
const batch = 4

// overall calls f for each of n elements, batch of them in a micro-operation.
func overall(n int, f func(i int, a Acc, in *inputs)) stage {
	return stage{(n + batch - 1) / batch, func(op int, a Acc, in *inputs) {
		for i := op * batch; i < min((op+1)*batch, n); i++ {
			f(i, a, in)
		}
	}}
}
