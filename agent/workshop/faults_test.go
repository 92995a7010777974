package workshop

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/model"
	"github.com/mutirao/mutirao/learn/optim"
	"github.com/mutirao/mutirao/learn/recipe"
	"github.com/mutirao/mutirao/learn/round"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/verify/bisect"
	"github.com/mutirao/mutirao/verify/bisect/bisecttest"
	"github.com/mutirao/mutirao/verify/split/splittest"
	"github.com/mutirao/mutirao/verify/trace"
)

var rewrite = flag.Bool("rewrite", false, "write the table of faults into docs")

// faultsFile is what TestFaultTable writes and compares.
var faultsFile = filepath.Join("..", "..", "docs", "faults.md")

// unitUnderTest is an honest unit of a run, and what it takes to try claims about it.
type unitUnderTest struct {
	name  string
	m     *Machine
	terms func(bisect.Machine) bisect.Terms
}

// newUnit is a unit of a recipe whose shard is the one that a court assigns.
func newUnit(t testing.TB, name, run string, steps int, change func(*recipe.Recipe)) unitUnderTest {
	t.Helper()
	trainer := example(t, run, func(r *recipe.Recipe) {
		r.Train.Steps = steps
		change(r)
	})
	m, terms := arena(t, trainer, recordsOf(t, trainer, run), steps)
	m.seed = newCourt(t, terms(m)).shard
	m.at, m.values, m.payload = -1, nil, nil
	return unitUnderTest{name, m, terms}
}

// verdictOf is how a case ended.
type verdictOf struct {
	place          string
	end            string
	answers, moves int
	bytes          int
	verdict        bisect.Verdict
}

// where names the place in which a game ended, in the unit's own names.
func where(g *bisect.Game, p *trace.Program) string {
	name := func(entry int) string {
		record, _ := p.Record(p.StateAt(entry))
		s, err := trace.ParseState(record)
		if err != nil {
			return err.Error()
		}
		return s.Name
	}
	switch g.Tree {
	case bisect.TreePayload:
		if g.Low == 0 {
			return "length of the payload"
		}
		return fmt.Sprintf("payload, byte %d", g.Byte)
	case bisect.TreeStart:
		return "start, " + name(g.Low)
	case bisect.TreeAfter:
		return fmt.Sprintf("after step %d, %s", g.From+1, name(g.Low))
	case bisect.TreeTiles:
		if g.Transcript.IsZero() {
			return fmt.Sprintf("start, %s, tile %d, element %d", g.Input, g.Tile, g.Element)
		}
		return placeOf(p, g.From, g.Value, g.Tile, g.Element)
	}
	return fmt.Sprintf("asked for %s", g.Stage)
}

// placeOf names an element of a value of a step.
func placeOf(p *trace.Program, step, value, tile, element int) string {
	what := "input"
	record, _ := p.Record(p.InputAt(min(value, p.Inputs-1)))
	if node := p.Maker(value); node >= 0 {
		record, _ = p.Record(p.NodeAt(node))
		c, _, err := trace.ParseNode(record)
		if err != nil {
			return err.Error()
		}
		what = fmt.Sprintf("node %d %s", node, c.Node.Op)
	} else if v, err := trace.ParseInput(record); err == nil {
		what = "input " + v.Name
	}
	return fmt.Sprintf("step %d, %s, tile %d, element %d", step+1, what, tile, element)
}

// try plays the dispute about a liar's claim in court, an honest machine against it, and returns where it ended.
func try(t *testing.T, what string, claim bisect.Terms, truth, liar bisect.Machine) verdictOf {
	t.Helper()
	c := newCourt(t, claim)
	c.claim(claim, truth)
	v := verdictOf{}
	for !c.state().Ended {
		g := c.state().Game
		v.place = where(g, truth.Program())
		if g.Stage.Picks() {
			choice, found, err := bisect.Challenge(g, truth)
			if err != nil || !found {
				t.Fatalf("%s: %s: the challenger finds nothing: %v", what, g.Stage, err)
			}
			if !c.play(c.choice(choice)) {
				t.Fatalf("%s: %s: choice %d is refused", what, g.Stage, choice.Part)
			}
			v.moves++
			continue
		}
		a, err := bisect.Defend(g, liar)
		if err != nil || len(a) > bisect.MaxAnswer || !c.play(c.answer(a)) {
			v.end = fmt.Sprintf("no proof (%s)", g.Stage)
			c.wait()
			break
		}
		v.answers, v.moves = v.answers+1, v.moves+1
	}
	if v.end == "" {
		g := c.state().Game
		v.place, v.end = where(g, truth.Program()), "refuted"
	}
	v.bytes = c.sent
	c.convicted(what)
	return v
}

// table collects the rows of docs/faults.md.
type table struct{ strings.Builder }

func (b *table) row(cells ...any) {
	for i, c := range cells {
		if i > 0 {
			b.WriteString(" | ")
		} else {
			b.WriteString("| ")
		}
		fmt.Fprint(b, c)
	}
	b.WriteString(" |\n")
}

// TestFaultTable tells every kind of lie about real units of two models, and about a toy unit of every operator that they do not
// have, in court: each liar loses its bond at exactly the place of its lie. And it accuses honest workers falsely: each accuser loses.
func TestFaultTable(t *testing.T) {
	diagnosis := newUnit(t, "diagnosis", "diagnosis", 6, func(r *recipe.Recipe) { r.Train.Batch = 8 })
	small := newUnit(t, "transformer", "gocode", 3, func(r *recipe.Recipe) {
		r.Model.Width, r.Model.Layers, r.Model.Heads, r.Model.Context, r.Train.Batch = 16, 1, 2, 16, 2
	})
	var b table
	b.WriteString("# Faults and where a dispute finds them\n\n" +
		"Written by `go test ./agent/workshop -run TestFaultTable -rewrite` and compared by the same test without the flag (`-v` prints it). Each row is\n" +
		"one game on the rules of `protocol/work` and `protocol/dispute`: a worker claims the lie, an honest machine disputes it, the ledger judges. *Found at* is where the game\n" +
		"ended; the test fails if it is not the very place of the lie, if the worker keeps its bond, if the challenger is not paid, or if the unit is. *End*: the referee\n" +
		"refuted the place, or the liar had no proof for what was asked and its clock ran out. *Moves* are answers and choices; *bytes* the defender's answers.\n\n" +
		"Units: `diagnosis`, the perceptron of examples/diagnosis, 6 steps of 8 records; `transformer`, a block of width 16 on 2 windows of 16 bytes, 3 steps;\n" +
		"`toy`, a step with one node of the operator (`verify/bisect/bisecttest`), 20 steps, for operators that neither model has or whose last bit the models' own roundings swallow.\n\n")
	faults(t, &b, diagnosis, small)
	operators(t, &b, diagnosis, small)
	aggregates(t, &b, diagnosis)
	silences(t, &b, diagnosis)
	accusers(t, &b, diagnosis, small)
	t.Log("\n" + b.String())
	if *rewrite {
		if err := os.WriteFile(faultsFile, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(faultsFile)
	if err != nil || string(want) != b.String() {
		t.Errorf("%s is not what this version finds: run with -rewrite and read the difference (%v)", faultsFile, err)
	}
}

// fault is a lie about a unit and the place where it must be found.
type fault struct {
	name  string
	unit  unitUnderTest
	liar  bisect.Machine
	place string
}

// routes are lies that between them lead through every stage of the game.
func routes(t *testing.T, u unitUnderTest) []fault {
	t.Helper()
	m, p := u.m, u.m.program
	product, size, _ := lastOf(t, m, "Gemm")
	x := slices.IndexFunc(m.trainer.StepGraph().Inputs, func(v graph.Value) bool { return v.Name == model.Features })
	if x < 0 {
		t.Fatalf("%s has no features", u.name)
	}
	layout := m.trainer.Layout()
	last := layout[len(layout)-1].Name
	batch := func(step int, in map[string]*tensor.Tensor) {
		if step == 1 {
			in[model.Features] = flipped(in[model.Features], 7, 1)
		}
	}
	return []fault{
		{"an ulp of a product", u, newLiar(t, m, deceit{lie: &lie{m.steps - 1, product, size / 3, 1 << 20}}),
			placeOf(p, m.steps-1, product, trace.TileOf(outShape(t, m, product), size/3), size/3)},
		{"an ulp in a batch", u, newLiar(t, m, deceit{inputs: batch}), placeOf(p, 1, x, trace.TileOf(m.trainer.StepGraph().Inputs[x].Shape, 7), 7)},
		{"a state that no step put out", u, newLiar(t, m, deceit{after: func(step int, _, after map[string]*tensor.Tensor) {
			if step == 1 {
				after[last] = flipped(after[last], 0, 1)
			}
		}}), "after step 2, " + last},
		{"an ulp of the model", u, newLiar(t, m, deceit{start: func(s map[string]*tensor.Tensor) { s[last] = flipped(s[last], 0, 1) }}), "start, " + last},
		{"wrong int4 rounding: one code off by one", u, newLiar(t, m, deceit{payload: func(b []byte) []byte { return nudge(b, 70) }}), "payload, byte 70"},
	}
}

// nudge moves a code of a payload to its neighbour.
func nudge(b []byte, at int) []byte {
	if b[at]&7 != 0 { // towards zero, or one up from −8, which no code is
		b[at]--
	} else {
		b[at]++
	}
	return b
}

func outShape(t *testing.T, m *Machine, value int) []int {
	t.Helper()
	values, err := m.Values(0)
	if err != nil {
		t.Fatal(err)
	}
	return values[value].Shape()
}

// faults are the kinds of lies about a unit.
func faults(t *testing.T, b *table, diagnosis, small unitUnderTest) {
	b.WriteString("## Lies about a unit\n\n| Fault | Unit | Found at | End | Moves | Bytes |\n|---|---|---|---|---|---|\n")
	for _, f := range append(append(routes(t, diagnosis), lies(t, diagnosis)...), tokenLie(t, small)) {
		v := try(t, f.name, f.unit.terms(f.liar), f.unit.m, f.liar)
		if v.place != f.place {
			t.Errorf("%s: found at %s, the lie is at %s", f.name, v.place, f.place)
		}
		b.row(f.name, f.unit.name, v.place, v.end, v.moves, v.bytes)
	}
	b.WriteString("\n")
}

// lies are the others, about the unit of a table.
func lies(t *testing.T, u unitUnderTest) []fault {
	t.Helper()
	m, p := u.m, u.m.program
	inputs := m.trainer.StepGraph().Inputs
	x := slices.IndexFunc(inputs, func(v graph.Value) bool { return v.Name == model.Features })
	machine := func(seed protocol.Hash) *Machine {
		other, err := NewMachine(t.Context(), m.trainer, m.theta, m.records, seed, m.steps)
		if err != nil {
			t.Fatal(err)
		}
		return other
	}
	neighbour := machine(protocol.Hash{9})
	sent, err := neighbour.Payload()
	if err != nil {
		t.Fatal(err)
	}
	own, err := m.Payload()
	if err != nil {
		t.Fatal(err)
	}
	swap := firstByte(own, sent)
	elsewhere := func(step int, in map[string]*tensor.Tensor) {
		for k, v := range inputsOf(t, neighbour, step, nil) {
			if !m.isState(k) {
				in[k] = v
			}
		}
	}
	seedAt := firstElement(inputsOf(t, m, 0, nil)[model.Features], inputsOf(t, neighbour, 0, nil)[model.Features])
	stale := func(s map[string]*tensor.Tensor) {
		for _, w := range m.trainer.Layout() {
			s[w.Name] = tensor.New(tensor.Float32, w.Tensor.Shape()...)
		}
	}
	records := slices.Clone(m.records)
	at := m.trainer.RecordOf(m.seed, 0, 2)
	records[at] = slices.Clone(records[at])
	records[at][1] ^= 1
	forged, err := NewMachine(t.Context(), m.trainer, m.theta, records, m.seed, m.steps)
	if err != nil {
		t.Fatal(err)
	}
	altered := newLiar(t, m, deceit{inputs: func(step int, in map[string]*tensor.Tensor) {
		one, err := m.trainer.ReadRecord(records[at])
		if err != nil {
			t.Fatal(err)
		}
		for row := range 8 {
			if m.trainer.RecordOf(m.seed, step, row) == at {
				in[model.Features] = in[model.Features].Clone()
				copy(in[model.Features].Float32()[row*one[model.Features].Len():], one[model.Features].Float32())
			}
		}
	}})
	altered.Machine = forged // it proves the record under a data set of its own
	changed, node := anotherGraph(t, m.trainer)
	wrong := newLiar(t, m, deceit{traced: changed})
	value, element := firstDifference(t, m, wrong)
	if p.Maker(value) != node {
		t.Fatalf("the other graph departs at value %d", value)
	}
	rate := slices.IndexFunc(inputs, func(v graph.Value) bool { return v.Name == optim.LearningRate })
	skipped := func(step int, before, after map[string]*tensor.Tensor) {
		if step == 3 {
			for k := range after {
				after[k] = before[k]
			}
		}
	}
	row := trace.TileOf(inputs[x].Shape, seedAt)
	changedAt := firstElement(inputsOf(t, m, 0, nil)[model.Features], altered.values[0][x])
	list := []fault{
		{"wrong seed: another order of the records", u, newLiar(t, m, deceit{inputs: elsewhere}), placeOf(p, 0, x, row, seedAt)},
		{"wrong batch: a record that is not in the data set", u, altered, placeOf(p, 0, x, trace.TileOf(inputs[x].Shape, changedAt), changedAt)},
		{"a skipped step", u, newLiar(t, m, deceit{after: skipped}), "after step 4, " + firstState(t, m)},
		{"stale model root: a unit of another model", u, newLiar(t, m, deceit{start: stale}), "start, " + firstChanged(t, m, stale)},
		{"a moment that does not start from zero", u, newLiar(t, m, deceit{start: func(s map[string]*tensor.Tensor) {
			name := momentOf(t, m)
			s[name] = flipped(s[name], 2, 1)
		}}), fmt.Sprintf("start, %s, tile 0, element 2", momentOf(t, m))},
		{"swapped payload: another worker's", u, newLiar(t, m, deceit{payload: func([]byte) []byte { return sent }}), fmt.Sprintf("payload, byte %d", swap)},
		{"a bit of the payload's head", u, newLiar(t, m, deceit{payload: func(b []byte) []byte { b[5] ^= 4; return b }}), "payload, byte 5"},
		{"a payload with a byte too many", u, newLiar(t, m, deceit{payload: func(b []byte) []byte { return append(b, 0) }}), "length of the payload"},
		{"a payload with a byte too few", u, newLiar(t, m, deceit{payload: func(b []byte) []byte { return b[:len(b)-1] }}), "length of the payload"},
		{"wrong graph: another operator under the right program", u, wrong, placeOf(p, 0, value, trace.TileOf(outShape(t, m, value), element), element)},
		{"wrong graph: another program", u, otherProgram{newLiar(t, m, deceit{traced: changed}), programOf(t, m.trainer)}, "asked for transcript"},
	}
	if rate >= 0 {
		list = append(list, fault{"another learning rate", u, newLiar(t, m, deceit{inputs: func(step int, in map[string]*tensor.Tensor) {
			if step == 2 {
				in[optim.LearningRate] = tensor.Scalar(1)
			}
		}}), placeOf(p, 2, rate, 0, 0)})
	}
	return list
}

// tokenLie is a byte of text read wrongly.
func tokenLie(t *testing.T, u unitUnderTest) fault {
	t.Helper()
	inputs := u.m.trainer.StepGraph().Inputs
	for i, v := range inputs {
		if v.DType != tensor.Int64 || u.m.isState(v.Name) {
			continue
		}
		l := newLiar(t, u.m, deceit{inputs: func(step int, in map[string]*tensor.Tensor) {
			if step == 1 {
				in[v.Name] = in[v.Name].Clone()
				in[v.Name].Int64()[9] ^= 1
			}
		}})
		return fault{"another byte of a text", u, l, placeOf(u.m.program, 1, i, trace.TileOf(v.Shape, 9), 9)}
	}
	t.Fatal("no tokens")
	return fault{}
}

// otherProgram proves what it says by the records of another program.
type otherProgram struct {
	*liar
	program *trace.Program
}

func (o otherProgram) Program() *trace.Program { return o.program }

// anotherGraph computes with Relu where the model has Gelu, which has as many values.
func anotherGraph(t *testing.T, trainer *round.Trainer) (*exec.Traced, int) {
	t.Helper()
	g, node := changedGraph(trainer)
	traced, err := exec.CompileTraced(g)
	if err != nil {
		t.Fatal(err)
	}
	return traced, node
}

func changedGraph(trainer *round.Trainer) (*graph.Graph, int) {
	g := *trainer.StepGraph()
	g.Nodes = slices.Clone(g.Nodes)
	node := slices.IndexFunc(g.Nodes, func(n graph.Node) bool { return n.Op == "Gelu" })
	g.Nodes[node].Op, g.Nodes[node].Attrs = "Relu", nil
	return &g, node
}

func programOf(t *testing.T, trainer *round.Trainer) *trace.Program {
	t.Helper()
	g, _ := changedGraph(trainer)
	p, err := trace.NewProgram(g)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func firstByte(a, b []byte) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return -1
}

// firstElement is the first element, in the order of tiles, in which two tensors differ.
func firstElement(a, b *tensor.Tensor) int {
	for tile := range trace.Tiles(a.Shape()) {
		for i := range trace.TileLen(a.Shape(), tile) {
			if e := trace.TileElement(a.Shape(), tile, i); trace.Element(a, e) != trace.Element(b, e) {
				return e
			}
		}
	}
	return -1
}

// firstDifference is where a liar's first step departs.
func firstDifference(t *testing.T, m *Machine, l *liar) (value, element int) {
	t.Helper()
	values, err := m.Values(0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range values {
		if e := firstElement(values[i], l.values[0][i]); e >= 0 {
			return i, e
		}
	}
	t.Fatal("no difference")
	return 0, 0
}

func firstState(t *testing.T, m *Machine) string { return stateRecord(t, m, 0).Name }

// firstChanged is the first state, by name, that a change of the start changes.
func firstChanged(t *testing.T, m *Machine, change func(map[string]*tensor.Tensor)) string {
	t.Helper()
	own, other := inputsOf(t, m, 0, nil), inputsOf(t, m, 0, nil)
	change(other)
	for i := range m.program.States {
		if s := stateRecord(t, m, i); trace.TensorRoot(own[s.Name]) != trace.TensorRoot(other[s.Name]) {
			return s.Name
		}
	}
	t.Fatal("no difference")
	return ""
}

// momentOf is a state that does not come from the model and has some elements.
func momentOf(t *testing.T, m *Machine) string {
	t.Helper()
	start := inputsOf(t, m, 0, nil)
	for i := range m.program.States {
		if s := stateRecord(t, m, i); start[s.Name].Len() > 4 {
			if _, given := m.Initial(s.Name); !given {
				return s.Name
			}
		}
	}
	t.Fatal("no moment")
	return ""
}

// operators lies by one unit in the last place, or one bit, about an output of every operator in the table: in a real unit if it has
// the operator and the lie reaches what is committed, else in the toy unit.
func operators(t *testing.T, b *table, units ...unitUnderTest) {
	b.WriteString("## One unit in the last place, in every operator\n\n| Operator | Unit | Found at | Moves | Bytes |\n|---|---|---|---|---|\n")
	cases := map[string]splittest.Case{}
	for _, c := range splittest.Cases() {
		if old, ok := cases[c.Op]; c.Elements() <= 10000 && (!ok || c.Elements() < old.Elements()) {
			cases[c.Op] = c
		}
	}
	ops := slices.Clone(graph.Operators())
	slices.Sort(ops)
	for _, op := range ops {
		found := false
		for _, u := range units {
			l, at, ok := ulp(t, u.m, op)
			if !ok {
				continue
			}
			v := try(t, op, u.terms(l), u.m, l)
			want := placeOf(u.m.program, at.step, at.value, trace.TileOf(outShape(t, u.m, at.value), at.element), at.element)
			if v.place != want || v.end != "refuted" {
				t.Errorf("%s in %s: %s at %s, the lie is at %s", op, u.name, v.end, v.place, want)
			}
			b.row(op, u.name, v.place, v.moves, v.bytes)
			found = true
		}
		if c, ok := cases[op]; !found && ok {
			toyUlp(t, b, c)
		} else if !found {
			t.Errorf("operator %s is in no case", op)
		}
	}
	b.WriteString("\n")
}

// ulp looks for an element of an output of an operator whose last bit decides what the unit commits to.
func ulp(t *testing.T, m *Machine, op string) (*liar, lie, bool) {
	t.Helper()
	honest, err := m.State(m.steps)
	if err != nil {
		t.Fatal(err)
	}
	root := trace.StateRoot(honest)
	tries := 0
	for node := m.program.Nodes - 1; node >= 0 && tries < 9; node-- {
		record, _ := m.program.Record(m.program.NodeAt(node))
		c, _, err := trace.ParseNode(record)
		if err != nil {
			t.Fatal(err)
		}
		if c.Node.Op != op || c.Out[0].DType != tensor.Float32 {
			continue
		}
		ref, err := trace.ParseRef(c.Node.Outputs[0])
		if err != nil {
			t.Fatal(err)
		}
		for n := 1; n <= 3; n++ {
			tries++
			at := lie{step: 1, value: int(ref), element: c.Out[0].Len() * n / 4, flip: 1}
			l := newLiar(t, m, deceit{lie: &at})
			if trace.StateRoot(l.states[m.steps]) != root {
				return l, at, true
			}
		}
	}
	return nil, lie{}, false
}

func toyUlp(t *testing.T, b *table, c splittest.Case) {
	truth := bisecttest.New(t, c, bisecttest.Fault{}, -1)
	at := bisecttest.Fault{Kind: "flip", Step: truth.PointStep(11) - 1, Value: truth.Inputs()}
	values, err := truth.Values(at.Step)
	if err != nil {
		t.Fatal(err)
	}
	shape := values[at.Value].Shape()
	at.Element = values[at.Value].Len() / 3
	liar := bisecttest.New(t, c, at, -1)
	v := try(t, c.Op, liar.Terms(t), truth, liar)
	if want := placeOf(truth.Program(), at.Step, at.Value, trace.TileOf(shape, at.Element), at.Element); v.place != want || v.end != "refuted" {
		t.Errorf("%s: %s at %s, the lie is at %s", c.Op, v.end, v.place, want)
	}
	b.row(c.Op, "toy", v.place, v.moves, v.bytes)
}

// silences has liars that fall silent, or cut their answer short, at each stage, and one that signs two answers.
func silences(t *testing.T, b *table, u unitUnderTest) {
	b.WriteString("## Silence, truncated openings, two answers for one turn\n\nThe liar plays until it is asked for something, and then as told. What stands under *asked for* is where an answer begins.\n\n| Asked for | Silent | Truncated opening | Two answers |\n|---|---|---|---|\n")
	done := map[bisect.Stage]bool{}
	for _, f := range routes(t, u) {
		for until := 0; ; until++ {
			stage, ok := lapse(t, f, until, "silent", done)
			if !ok {
				break
			}
			if done[stage] {
				continue
			}
			lapse(t, f, until, "truncated", done)
			lapse(t, f, until, "twice", done)
			done[stage] = true
			b.row(stage, "loses", "refused, loses", "loses")
		}
	}
	if len(done) != 10 {
		t.Errorf("%d stages of 10: %v", len(done), done)
	}
	b.WriteString("\n")
}

// lapse plays a lie until the defender has made so many answers and then fails it. It reports at which stage that was, and whether the
// game came so far; stages that are done are not failed again.
func lapse(t *testing.T, f fault, until int, how string, done map[bisect.Stage]bool) (bisect.Stage, bool) {
	t.Helper()
	claim := f.unit.terms(f.liar)
	c := newCourt(t, claim)
	c.claim(claim, f.unit.m)
	for answers := 0; ; {
		g := c.state().Game
		if g.Stage == bisect.Over {
			return g.Stage, false
		}
		if g.Stage.Picks() {
			choice, _, err := bisect.Challenge(g, f.unit.m)
			if err != nil || !c.play(c.choice(choice)) {
				t.Fatal(err)
			}
			continue
		}
		a, err := bisect.Defend(g, f.liar)
		if err != nil {
			return g.Stage, false
		}
		if answers < until {
			if !c.play(c.answer(a)) {
				return g.Stage, false
			}
			answers++
			continue
		}
		stage := g.Stage
		if done[stage] {
			return stage, true
		}
		switch how {
		case "truncated":
			if c.play(c.answer(a[:len(a)/2])) {
				t.Errorf("%s: half an answer is taken", stage)
			}
		case "twice":
			x, y := c.answer(a), c.answer(append(slices.Clone(a), 1))
			c.must(protocol.Account{'e'}, dispute.Equivocation(dispute.Play{Move: x, Signature: signed(worker, x.Digest())}, dispute.Play{Move: y, Signature: signed(worker, y.Digest())}))
		}
		c.wait()
		c.convicted(fmt.Sprintf("%s at %s", how, stage))
		return stage, true
	}
}

// accusers accuse honest workers: they follow the way that leads to a lie, if there were one, and depart from it at each level in
// turn, pointing anywhere from then on; or they fall silent there; or they sign two choices.
func accusers(t *testing.T, b *table, units ...unitUnderTest) {
	b.WriteString("## False accusers\n\nThe worker is honest. The accuser shows a lie as the truth, follows the choices that would find it if it were the other way round, and leaves them at one level, pointing anywhere from there on. Every one loses its bond, half of it to the worker.\n\n| Leaves at | Games | Lost by the accuser | Silent there | Two choices there |\n|---|---|---|---|---|\n")
	rng := rand.New(rand.NewPCG(21, 22))
	games := map[bisect.Stage]int{}
	for _, u := range units {
		list := routesOf(t, u)
		for _, f := range list {
			choices := choicesOf(t, f)
			for level := range choices {
				stage := falseGame(t, u, f.liar, choices, level, rng, "anywhere")
				falseGame(t, u, f.liar, choices, level, rng, "silent")
				falseGame(t, u, f.liar, choices, level, rng, "twice")
				games[stage]++
			}
		}
	}
	for _, s := range []bisect.Stage{bisect.PickSegment, bisect.PickBranch, bisect.PickElement, bisect.PickByte} {
		if games[s] == 0 {
			t.Errorf("no accuser left at %s", s)
		}
		b.row(s, games[s], games[s], "loses", "loses")
	}
}

func routesOf(t *testing.T, u unitUnderTest) []fault {
	if u.name == "diagnosis" {
		return routes(t, u)
	}
	return []fault{tokenLie(t, u)}
}

// choicesOf are the choices of an honest challenger against a lie.
func choicesOf(t *testing.T, f fault) []int {
	t.Helper()
	var list []int
	g := bisect.New(f.unit.terms(f.liar))
	for g.Stage != bisect.Over {
		if g.Stage.Picks() {
			choice, _, err := bisect.Challenge(g, f.unit.m)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, choice.Part)
			if err := g.Choose(choice, f.unit.m); err != nil {
				t.Fatal(err)
			}
			continue
		}
		a, err := bisect.Defend(g, f.liar)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Answer(a, f.unit.m); err != nil {
			if !errors.Is(err, bisect.ErrAnswer) {
				t.Fatal(err)
			}
			break
		}
	}
	return list
}

// falseGame plays against an honest worker by the choices given, showing a lie as the truth, up to a level, and then as told. It returns the
// stage of that level.
func falseGame(t *testing.T, u unitUnderTest, lie bisect.Machine, choices []int, level int, rng *rand.Rand, how string) (stage bisect.Stage) {
	t.Helper()
	claim := u.terms(u.m)
	c := newCourt(t, claim)
	c.claim(claim, u.m)
	for made := 0; !c.state().Ended; {
		g := c.state().Game
		if !g.Stage.Picks() {
			a, err := bisect.Defend(g, u.m)
			if err != nil || !c.play(c.answer(a)) {
				t.Fatalf("%s: an honest answer is refused: %v", g.Stage, err)
			}
			continue
		}
		part := rng.IntN(g.Choices())
		switch {
		case made < level:
			part = choices[made]
		case made == level:
			stage = g.Stage
			part = (choices[made] + 1) % g.Choices()
			if how == "twice" {
				x, y := c.choice(bisect.Choice{Part: part}), c.choice(bisect.Choice{Part: part + 1})
				c.must(protocol.Account{'e'}, dispute.Equivocation(dispute.Play{Move: x, Signature: signed(accuser, x.Digest())}, dispute.Play{Move: y, Signature: signed(accuser, y.Digest())}))
			}
			if how != "anywhere" {
				c.wait()
				continue
			}
		}
		choice, err := bisect.Show(g, lie, part)
		if err == nil && c.play(c.choice(choice)) { // there may be no step between two points: then it must choose again
			made++
		} else if made == level {
			choices = slices.Clone(choices)
			choices[made]++
		}
	}
	c.acquitted(fmt.Sprintf("%s: an accuser who leaves at %s, %s", u.name, stage, how))
	return stage
}
