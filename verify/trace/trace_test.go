package trace

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/verify/merkle"
)

// ramp returns a float32 tensor whose element i is i.
func ramp(shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.Float32, shape...)
	for i := range t.Float32() {
		t.Float32()[i] = float32(i)
	}
	return t
}

// rootByElement is the definition of TensorRoot read literally: every element of every tile is looked up on its own.
func rootByElement(t *tensor.Tensor) merkle.Hash {
	rows, cols, th, tw := 1, 1, 0, 0
	if s := t.Shape(); len(s) > 0 {
		cols = s[len(s)-1]
		for _, d := range s[:len(s)-1] {
			rows *= d
		}
	}
	if rows*cols > 0 {
		th = min(rows, 512/min(cols, 32))
		tw = min(cols, 512/th)
	}
	var leaves []merkle.Hash
	for r0 := 0; r0 < rows && cols > 0; r0 += th {
		for c0 := 0; c0 < cols; c0 += tw {
			var b []byte
			for r := r0; r < min(r0+th, rows); r++ {
				for c := c0; c < min(c0+tw, cols); c++ {
					b = t.Append(b, r*cols+c, r*cols+c+1)
				}
			}
			leaves = append(leaves, merkle.Leaf(b))
		}
	}
	var dims []byte
	for _, d := range t.Shape() {
		dims = binary.LittleEndian.AppendUint64(dims, uint64(d))
	}
	root := merkle.Root(leaves)
	return merkle.Digest("mutirao/tensor/1", []byte{byte(t.DType())}, dims, root[:])
}

func TestTensorRootEqualsDefinition(t *testing.T) {
	for _, shape := range [][]int{
		{}, {1}, {511}, {512}, {513}, {1, 1}, {64, 64}, {65, 63}, {63, 65}, {1300, 1}, {1, 1300}, {4, 1000}, {17, 30}, {2, 33, 70}, {3, 1, 1, 5}, {0}, {0, 5}, {5, 0},
	} {
		x := ramp(shape...)
		if got, want := TensorRoot(x), rootByElement(x); got != want {
			t.Errorf("shape %v: %s, definition gives %s", shape, got, want)
		}
		for i := range x.Len() {
			tile, position := newGrid(shape).at(i)
			if n := Tiles(shape); tile >= n || tile != TileOf(shape, i) || position >= TileLen(shape, tile) || TileElement(shape, tile, position) != i {
				t.Fatalf("shape %v: element %d in tile %d of %d at %d", shape, i, tile, n, position)
			}
		}
	}
	for _, x := range []*tensor.Tensor{
		tensor.From([]int8{-1, 2}, 2), tensor.From([]uint8{255}), tensor.From([]int32{-5, 6}, 1, 2),
		tensor.FromInt64([]int64{-7, 1 << 40, 3}, 3), tensor.FromBool([]bool{true, false}, 2, 1),
	} {
		if TensorRoot(x) != rootByElement(x) {
			t.Errorf("%v differs from the definition", x.DType())
		}
	}
}

// TestRootIsTheSameOnAnyNumberOfCores covers the split of many tiles among goroutines.
func TestRootIsTheSameOnAnyNumberOfCores(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	x := ramp(700, 300)
	want := rootByElement(x)
	for _, n := range []int{1, 2, 3, 8} {
		runtime.GOMAXPROCS(n)
		if got := TensorRoot(x); got != want {
			t.Errorf("GOMAXPROCS %d: %s, definition gives %s", n, got, want)
		}
	}
}

// TestFlippedBitChangesRootAndTile flips random bits of random tensors: the root changes, and exactly the tile that TileOf
// names has another leaf.
func TestFlippedBitChangesRootAndTile(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 60 {
		shape := make([]int, 1+rng.IntN(3))
		for i := range shape {
			shape[i] = 1 + rng.IntN(150>>(2*(len(shape)-1)/2))
		}
		a := ramp(shape...)
		b := a.Clone()
		i := rng.IntN(b.Len())
		bits := math.Float32bits(b.Float32()[i]) ^ 1<<rng.IntN(32)
		if f := math.Float32frombits(bits); f != f {
			continue // becomes the one NaN: covered below
		}
		b.Float32()[i] = math.Float32frombits(bits)
		if TensorRoot(a) == TensorRoot(b) {
			t.Fatalf("shape %v: element %d changed, the root did not", shape, i)
		}
		g := newGrid(shape)
		for tile := range g.tiles() {
			same := string(g.appendTile(nil, a, tile)) == string(g.appendTile(nil, b, tile))
			if same == (tile == TileOf(shape, i)) {
				t.Fatalf("shape %v: element %d, tile %d: equal %v, TileOf says %d", shape, i, tile, same, TileOf(shape, i))
			}
		}
	}
}

func TestNaNHasOneRoot(t *testing.T) {
	root := func(bits uint32) merkle.Hash {
		return TensorRoot(tensor.FromFloat32([]float32{math.Float32frombits(bits)}, 1))
	}
	if root(0x7FC00000) != root(0xFFC00000) || root(0x7FC00000) != root(0x7F800001) {
		t.Error("NaNs have several roots")
	}
	if root(0x00000000) == root(0x80000000) {
		t.Error("0 and -0 have one root")
	}
}

func state() []Entry {
	return []Entry{
		{"fc1.weight", "theta", ramp(3, 5)}, {"fc1.weight", "m", ramp(3, 5)}, {"fc1.bias", "theta", ramp(3)}, {"fc2", "theta", ramp(70, 2)},
	}
}

func TestStateRootBindsEverything(t *testing.T) {
	want := StateRoot(state())
	shuffled := state()
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	first := shuffled[0].Name + shuffled[0].Role
	if StateRoot(shuffled) != want {
		t.Error("the order of the argument changes the root")
	}
	if shuffled[0].Name+shuffled[0].Role != first {
		t.Error("StateRoot reorders its argument")
	}
	seen := map[merkle.Hash]string{want: "the state"}
	for name, change := range map[string]func(s []Entry) []Entry{
		"name":          func(s []Entry) []Entry { s[0].Name = "fc1.weighu"; return s },
		"role":          func(s []Entry) []Entry { s[0].Role = "v"; return s },
		"name and role": func(s []Entry) []Entry { s[0].Name, s[0].Role = "fc1.weightt", "heta"; return s },
		"value":         func(s []Entry) []Entry { s[3].Tensor.Float32()[139] = 0; return s },
		"shape":         func(s []Entry) []Entry { s[0].Tensor = ramp(5, 3); return s },
		"rank":          func(s []Entry) []Entry { s[2].Tensor = ramp(1, 3); return s },
		"zero tail":     func(s []Entry) []Entry { s[2].Tensor = tensor.FromFloat32([]float32{0, 1, 2, 0}, 4); return s },
		"missing":       func(s []Entry) []Entry { return s[:3] },
		"twice":         func(s []Entry) []Entry { return append(s, s[3]) },
		"swapped":       func(s []Entry) []Entry { s[0].Role, s[1].Role = "m2", "theta"; return s },
		"type": func(s []Entry) []Entry {
			s[2].Tensor = tensor.From([]int32{0, 0x3f800000, 0x40000000}, 3) // the bytes of 0, 1, 2
			return s
		},
	} {
		root := StateRoot(change(state()))
		if other, ok := seen[root]; ok {
			t.Errorf("%s: the same root as %s", name, other)
		}
		seen[root] = name
	}
	if StateRoot(nil) == (merkle.Hash{}) {
		t.Error("the empty state has no root")
	}
}

func TestStateRootOfDuplicatesIsOrderFree(t *testing.T) {
	a, b := Entry{"x", "r", ramp(1)}, Entry{"x", "r", ramp(2)}
	if StateRoot([]Entry{a, b}) != StateRoot([]Entry{b, a}) {
		t.Error("two entries of one name have two roots")
	}
}

// TestFloatBytes pins the little-endian layout to what the specification says, without the code under test.
func TestFloatBytes(t *testing.T) {
	b := make([]byte, 3*4)
	for i, f := range []float32{1.5, float32(math.Copysign(0, -1)), math.SmallestNonzeroFloat32} {
		binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(f))
	}
	x := tensor.FromFloat32([]float32{1.5, float32(math.Copysign(0, -1)), math.SmallestNonzeroFloat32}, 3)
	if TensorRoot(x) != TypeRoot(tensor.Float32, []int{3}, merkle.Root([]merkle.Hash{merkle.Leaf(b)})) {
		t.Error("one tile of three floats is not 12 bytes of little-endian floats")
	}
}

// TestOpenTile reads every element of every tile back and refuses bytes that are not a tile's.
func TestOpenTile(t *testing.T) {
	for _, x := range []*tensor.Tensor{
		ramp(40, 33), tensor.From([]int8{-1, 2, 3}, 3), tensor.From([]uint8{255}), tensor.From([]int32{-5, 6}, 1, 2),
		tensor.FromInt64([]int64{-7, 1 << 40, 3}, 3), tensor.FromBool([]bool{true, false}, 2, 1),
	} {
		for tile := range Tiles(x.Shape()) {
			b := TileBytes(x, tile)
			opened, err := OpenTile(x.DType(), x.Shape(), tile, b)
			if err != nil {
				t.Fatal(err)
			}
			for i := range x.Len() {
				got, ok := opened.Element(i)
				if ok != (TileOf(x.Shape(), i) == tile) || ok && got != Element(x, i) {
					t.Fatalf("%v %v: element %d of tile %d is %x, %v", x.DType(), x.Shape(), i, tile, got, ok)
				}
			}
			for _, bad := range [][]byte{nil, b[1:], append(b[:len(b):len(b)], 0)} {
				if _, err := OpenTile(x.DType(), x.Shape(), tile, bad); err == nil {
					t.Fatalf("%d bytes are accepted as tile %d", len(bad), tile)
				}
			}
		}
		if _, err := OpenTile(x.DType(), x.Shape(), Tiles(x.Shape()), nil); err == nil {
			t.Error("a tile beyond the tensor is accepted")
		}
	}
	if got := Element(tensor.FromInt64([]int64{-7}, 1), 0); int64(got) != -7 {
		t.Errorf("-7 is %d", int64(got))
	}
}

func TestTraceRootBindsEveryPoint(t *testing.T) {
	var points [Points]merkle.Hash
	for i := range points {
		points[i] = merkle.Leaf(fmt.Append(nil, i))
	}
	payload := merkle.Leaf([]byte("payload"))
	root := TraceRoot(points, payload)
	for i := range points {
		changed := points
		changed[i][31] ^= 1
		if TraceRoot(changed, payload) == root {
			t.Errorf("point %d is not bound", i)
		}
	}
	if TraceRoot(points, points[0]) == root {
		t.Error("the payload is not bound")
	}
	leaves := append(points[:], payload)
	if err := merkle.Prove(leaves, 5).Verify(root, points[5], 5, Points+1); err != nil {
		t.Errorf("a point cannot be opened: %v", err)
	}
}

func program(t *testing.T, mul string, w float32) *graph.Graph {
	t.Helper()
	b := graph.NewBuilder("p")
	x := b.Input("x", tensor.Float32, 2, 2)
	y := b.Op(mul, nil, x, b.Initializer("w", tensor.FromFloat32([]float32{w}, 1)))
	b.Output("y", y)
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestProgramHash(t *testing.T) {
	h := ProgramHash(program(t, "Mul", 2))
	if h != ProgramHash(program(t, "Mul", 2)) {
		t.Error("one program, two hashes")
	}
	if h == ProgramHash(program(t, "Add", 2)) || h == ProgramHash(program(t, "Mul", 3)) {
		t.Error("another operator or initializer does not change the hash")
	}
	bad := program(t, "Mul", 2)
	bad.Nodes[0].Inputs[0] = "nothing"
	if ProgramHash(bad) != (merkle.Hash{}) {
		t.Error("a graph that is not valid has a hash")
	}
}

// BenchmarkStateRoot hashes what one trace point of a model of a million parameters holds: weights and two moments.
func BenchmarkStateRoot(b *testing.B) {
	var s []Entry
	for _, role := range []string{"theta", "m", "v"} {
		for i := range 4 {
			s = append(s, Entry{fmt.Sprint("w", i), role, ramp(512, 512)})
		}
	}
	b.SetBytes(3 * 4 * 512 * 512 * 4)
	for b.Loop() {
		StateRoot(s)
	}
}

// stepLike is a graph with everything that a training step has: states, a guard, a batch, short and long constants.
func stepLike(t *testing.T) *graph.Graph {
	t.Helper()
	b := graph.NewBuilder("step")
	w, x := b.Input("w", tensor.Float32, 20, 30), b.Input("x", tensor.Float32, 4, 20)
	y := b.Op("MatMul", nil, x, w)
	y = b.Op("Add", nil, y, b.Initializer("long", ramp(300, 1, 1)))
	both := b.OpN("Split", 2, nil, y, b.Ints(100, 200))
	b.Output(Guard, b.Op("ReduceSumSquare", graph.Attrs{"keepdims": 0}, both[1]))
	b.Output(NextPrefix+"w", b.Op("Mul", nil, w, w))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestProgramRecords opens every record of a program and reads it.
func TestProgramRecords(t *testing.T) {
	g := stepLike(t)
	p, err := NewProgram(g)
	if err != nil {
		t.Fatal(err)
	}
	open := func(i int) []byte {
		record, proof := p.Record(i)
		if err := proof.Verify(p.Root(), merkle.Leaf(record), i, p.Records()); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
		return record
	}
	h, err := ParseHeader(open(0))
	if err != nil || h != p.Header || h.Values != 2+len(g.Nodes)+1 || h.States != 1 || h.Records() != len(p.records) {
		t.Fatalf("header %+v, %v", h, err)
	}
	for i, want := range g.Inputs {
		if v, err := ParseInput(open(h.InputAt(i))); err != nil || v.Name != want.Name || fmt.Sprint(v.Shape) != fmt.Sprint(want.Shape) {
			t.Errorf("input %d: %v, %v", i, v, err)
		}
	}
	for i, want := range g.Initializers {
		if root, err := ParseConstant(open(h.ConstantAt(i))); err != nil || root != TensorRoot(want.Tensor) {
			t.Errorf("constant %d: %v", i, err)
		}
	}
	value := h.Inputs
	for i, want := range g.Nodes {
		call, _, err := ParseNode(open(h.NodeAt(i)))
		if err != nil || call.Node.Op != want.Op || call.Node.Name != want.Name {
			t.Fatalf("node %d: %v, %v", i, call, err)
		}
		for _, name := range call.Node.Outputs {
			if r, err := ParseRef(name); err != nil || int(r) != value {
				t.Errorf("node %d: output %q, want value %d: %v", i, name, value, err)
			}
			value++
		}
	}
	s, err := ParseState(open(h.StateAt(0)))
	if err != nil || s.Name != "w" || s.Input != 0 || int(s.Next) >= h.Values || int(h.Guard) >= h.Values {
		t.Errorf("state %+v, guard %d, %v", s, h.Guard, err)
	}
	for i := h.outputAt(0); i < h.Records(); i++ {
		open(i)
	}
	for _, bad := range []string{"", "v", "v01", "x1", "v-1", "c99999999999", "v 1"} {
		if _, err := ParseRef(bad); err == nil {
			t.Errorf("%q names a value", bad)
		}
	}
}

// FuzzRecord: no bytes make a parser panic, and what the header and state parsers accept is complete.
func FuzzRecord(f *testing.F) {
	b := graph.NewBuilder("p")
	x := b.Input("x", tensor.Float32, 2, 2)
	b.Output(NextPrefix+"x", b.Op("Mul", nil, x, b.Float(2)))
	g, err := b.Graph()
	if err != nil {
		f.Fatal(err)
	}
	p, err := NewProgram(g)
	if err != nil {
		f.Fatal(err)
	}
	for _, r := range p.records {
		f.Add(r)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		accepted := 0
		_, err := ParseHeader(b)
		count := func(err error) {
			if err == nil {
				accepted++
			}
		}
		count(err)
		_, err = ParseInput(b)
		count(err)
		_, err = ParseConstant(b)
		count(err)
		_, err = ParseState(b)
		count(err)
		_, _, err = ParseNode(b)
		count(err)
		if accepted > 1 {
			t.Error("one record is of two kinds")
		}
	})
}
