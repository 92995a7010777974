package modelcmd

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/onnx"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/node/failure"
)

// save writes the graph that build makes to a file.
func save(t *testing.T, build func(b *graph.Builder)) string {
	t.Helper()
	b := graph.NewBuilder("test")
	build(b)
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "model.mutg")
	put(t, file, graph.Encode(g))
	return file
}

func put(t *testing.T, file string, b []byte) string {
	t.Helper()
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// runs gives what a run prints.
func runs(t *testing.T, o RunOptions) string {
	t.Helper()
	var w bytes.Buffer
	if err := Run(o, &w); err != nil {
		t.Fatal(err)
	}
	return w.String()
}

// TestInputForms gives the same inputs in every form: the roots agree.
func TestInputForms(t *testing.T) {
	model := save(t, func(b *graph.Builder) {
		x, n := b.Input("x", tensor.Float32, 2, 1), b.Input("n", tensor.Int64, 2, 1)
		b.Output("sum", b.Op("Add", nil, x, b.Op("Cast", graph.Attrs{"to": 1}, n)))
		b.Output("twice", b.Op("Add", nil, n, n))
	})
	dir := t.TempDir()
	x, n := tensor.FromFloat32([]float32{1.5, -2}, 2, 1), tensor.FromInt64([]int64{3, 4}, 2, 1)
	one, two := put(t, filepath.Join(dir, "x.npy"), writeNPY(x)), put(t, filepath.Join(dir, "n.npy"), writeNPY(n))
	var npz bytes.Buffer
	if err := writeNPZ(&npz, []part{{"x", onnx.Value{Tensor: x}}, {"n", onnx.Value{Tensor: n}}}); err != nil {
		t.Fatal(err)
	}
	archive := put(t, filepath.Join(dir, "all.npz"), npz.Bytes())
	object := put(t, filepath.Join(dir, "all.json"), []byte(`{"x": [[1.5], [-2]], "n": [[3], [4]]}`))
	sheet := put(t, filepath.Join(dir, "all.csv"), []byte("n,other,x\n3,a,1.5\n4,b,-2\n"))
	list := put(t, filepath.Join(dir, "x.json"), []byte("[[1.5], [-2]]"))
	want := runs(t, RunOptions{File: model, Inputs: []string{"x=" + one, "n=" + two}, Trace: true})
	if !strings.Contains(want, "sum  float32[2 1]  4.5 2\n") || !strings.Contains(want, "root of all outputs") {
		t.Fatalf("printed\n%s", want)
	}
	for _, in := range [][]string{{archive}, {object}, {sheet}, {"x=" + archive, "n=" + archive}, {"x=" + list, "n=" + sheet + ":n"}, {"x=" + sheet + ":x", "n=" + two}} {
		if got := runs(t, RunOptions{File: model, Inputs: in, Trace: true}); got != want {
			t.Errorf("%v printed\n%s, want\n%s", in, got, want)
		}
	}
	for want, in := range map[string][]string{
		"no column":                       {"x=" + sheet + ":age"},
		`line 2, column "other"`:          {"x=" + sheet + ":other"},
		"the model has 2 inputs":          {one},
		`the model has no input "z"`:      {put(t, filepath.Join(dir, "z.json"), []byte(`{"z": 1}`))},
		"no column for input":             {put(t, filepath.Join(dir, "short.csv"), []byte("x\n1\n"))},
		"no rows":                         {"x=" + put(t, filepath.Join(dir, "empty.csv"), []byte("x\n"))},
		"wrong number of fields":          {"x=" + put(t, filepath.Join(dir, "ragged.csv"), []byte("x,y\n1\n"))},
		"invalid .npz":                    {"x=" + put(t, filepath.Join(dir, "bad.npz"), []byte("PK"))},
		"a picture needs 4":               {"x=" + put(t, filepath.Join(dir, "p.png"), pngOf(t, 2, 2, func(x, y int) color.Color { return color.White }))},
		"image: unknown format":           {"x=" + put(t, filepath.Join(dir, "q.png"), []byte("no picture"))},
		"cannot read inputs from nowhere": {"nowhere.npz"},
	} {
		var w bytes.Buffer
		if err := Run(RunOptions{File: model, Inputs: in}, &w); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want one with %q", in, err, want)
		}
	}
}

// TestOutputForms writes outputs in every form and reads them again.
func TestOutputForms(t *testing.T) {
	model := save(t, func(b *graph.Builder) {
		x := b.Input("x", tensor.Float32, 2, 2)
		b.Output("y", b.Op("Reciprocal", nil, x))
		b.Output("big", b.Op("Cast", graph.Attrs{"to": 9}, b.Op("Greater", nil, b.Op("Reshape", nil, x, b.Ints(4)), b.Float(0.3))))
	})
	dir := t.TempDir()
	x := put(t, filepath.Join(dir, "x.json"), []byte("[[0.1, 0], [3, -7]]"))
	write := func(to string) string {
		runs(t, RunOptions{File: model, Inputs: []string{x}, Out: filepath.Join(dir, to)})
		return filepath.Join(dir, to)
	}
	folder, archive, object := write("folder"), write("all.npz"), write("all.json")
	r, err := Verify(folder, archive)
	if err != nil || !r.Equal || r.Tensors != 2 {
		t.Errorf("folder and archive: %+v, %v", r, err)
	}
	b, err := os.ReadFile(object)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(b), `{"big":[false,false,true,false],"y":[[10,"+Inf"],[0.33333334,-0.14285715]]}`+"\n"; got != want {
		t.Errorf("JSON %s, want %s", got, want)
	}
	var w bytes.Buffer
	if err := Run(RunOptions{File: model, Inputs: []string{x}, Out: filepath.Join(dir, "all.csv")}, &w); err == nil || !strings.Contains(err.Error(), "rows") {
		t.Errorf("outputs of 4 and 2 rows in one table: error %v", err)
	}
	v := onnx.Value{Tensor: tensor.FromFloat32([]float32{0.1, float32(math.NaN())}, 2, 1)}
	labels := onnx.Value{Text: &onnx.Text{Shape: []int{2}, Data: []string{"a,b", "ü"}}}
	w.Reset()
	if err := writeCSV(&w, []part{{"p", v}, {"label", labels}}, []onnx.Port{{Name: "p", Keys: []string{"cat"}}}); err != nil {
		t.Fatal(err)
	}
	if got, want := w.String(), "p.cat,label\n0.1,\"a,b\"\nNaN,ü\n"; got != want {
		t.Errorf("CSV %q, want %q", got, want)
	}
	again, err := readArray(writeArray(labels))
	if err != nil || again.Text == nil || !slices.Equal(again.Text.Data, labels.Text.Data) {
		t.Errorf("strings came back as %+v, %v", again.Text, err)
	}
}

// TestTop prints the best classes with their names.
func TestTop(t *testing.T) {
	model := save(t, func(b *graph.Builder) { b.Output("scores", b.Op("Softmax", nil, b.Input("x", tensor.Float32, 1, 3))) })
	dir := t.TempDir()
	x := put(t, filepath.Join(dir, "x.json"), []byte("[[0, 2, 0]]"))
	labels := put(t, filepath.Join(dir, "labels.txt"), []byte("cat\ndog\n"))
	got := runs(t, RunOptions{File: model, Inputs: []string{x}, Labels: labels, Top: 2})
	if want := "scores, row 0\n  0.786986    dog\n  0.106507    cat\n"; !strings.HasSuffix(got, want) {
		t.Errorf("printed\n%s, want at the end\n%s", got, want)
	}
	if got := runs(t, RunOptions{File: model, Inputs: []string{x}, Top: 3}); !strings.HasSuffix(got, "class 1\n  0.106507    class 0\n  0.106507    class 2\n") {
		t.Errorf("printed\n%s", got)
	}
}

func pngOf(t *testing.T, width, height int, at func(x, y int) color.Color) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			m.Set(x, y, at(x, y))
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestPictures: layout and size come from the model, edges are cut, and several pictures are rows.
func TestPictures(t *testing.T) {
	left := pngOf(t, 4, 2, func(x, y int) color.Color { return color.RGBA{uint8(50 * x), 100, uint8(200 * y), 255} })
	port := func(dims ...int) onnx.Port {
		p := onnx.Port{DType: tensor.Float32}
		for _, d := range dims {
			p.Dims = append(p.Dims, onnx.Dim{Size: d})
		}
		return p
	}
	nchw, err := Picture{}.read(left, port(0, 3, 2, 2)) // the middle columns
	if err != nil {
		t.Fatal(err)
	}
	want := []float32{50, 100, 50, 100, 100, 100, 100, 100, 0, 0, 200, 200}
	for i, v := range nchw.Float32() {
		if v != want[i]/255 {
			t.Errorf("NCHW element %d is %v, want %v/255", i, v, want[i])
		}
	}
	nhwc, err := Picture{Mean: []float32{0.5}, Std: []float32{2, 2, 4}}.read(left, port(1, 2, 2, 3))
	if err != nil || !slices.Equal(nhwc.Shape(), []int{1, 2, 2, 3}) || nhwc.Float32()[2] != -0.125 || nhwc.Float32()[1] != (float32(100)/255-0.5)/2 {
		t.Errorf("NHWC %v %v, %v", nhwc.Shape(), nhwc.Float32(), err)
	}
	bytesPort := port(1, 1, 1, 1)
	bytesPort.DType = tensor.Uint8
	gray, err := Picture{Stretch: true}.read(pngOf(t, 2, 2, func(x, y int) color.Color { return color.Gray{uint8(100*x + 50*y)} }), bytesPort)
	if err != nil || tensor.Data[uint8](gray)[0] != 75 {
		t.Errorf("the mean of four pixels is %v, %v", gray, err)
	}
	wide, err := Picture{Width: 8, Height: 4}.read(pngOf(t, 3, 3, func(x, y int) color.Color { return color.RGBA{77, 7, 255, 255} }), port(0, 3, 0, 0))
	if err != nil || !slices.Equal(wide.Shape(), []int{1, 3, 4, 8}) || wide.Float32()[31] != float32(77)/255 || wide.Float32()[95] != 1 {
		t.Errorf("one color made larger: %v %v, %v", wide.Shape(), wide.Float32(), err)
	}
	for want, how := range map[string]Picture{"numbers of mean": {Mean: []float32{1, 2}}, "layout": {Layout: "CHWN"}, "at most": {Width: 1 << 20, Height: 1 << 20}} {
		if _, err := how.read(left, port(0, 3, 0, 0)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want one with %q", how, err, want)
		}
	}
	model := save(t, func(b *graph.Builder) {
		b.Output("y", b.Op("ReduceMax", nil, b.Input("x", tensor.Float32, 2, 3, 2, 2), b.Ints(1, 2, 3)))
	})
	dir := t.TempDir()
	one := put(t, filepath.Join(dir, "1.png"), left)
	m := image.NewGray(image.Rect(0, 0, 2, 2))
	var j, g bytes.Buffer
	if err := errorsOf(jpeg.Encode(&j, m, nil), gif.Encode(&g, m, nil)); err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{put(t, filepath.Join(dir, "2.jpg"), j.Bytes()), put(t, filepath.Join(dir, "2.gif"), g.Bytes())} {
		if got := runs(t, RunOptions{File: model, Inputs: []string{one, other}}); got != "y  float32[2 1 1 1]  0.78431374 0\n" {
			t.Errorf("two pictures: %s", got)
		}
	}
}

func errorsOf(list ...error) error {
	for _, err := range list {
		if err != nil {
			return err
		}
	}
	return nil
}

// TestHugePicture: a picture's size is looked at before memory is taken for it.
func TestHugePicture(t *testing.T) {
	b := pngOf(t, 1, 1, func(x, y int) color.Color { return color.Black })
	copy(b[16:], []byte{0, 1, 0, 0, 0, 1, 0, 0}) // 65536 x 65536; the checksum is wrong too, which is found later or at once
	if _, err := (Picture{}).read(b, onnx.Port{}); err == nil {
		t.Error("a picture of 2^32 pixels was read")
	}
	if _, err := (Picture{}).read(giant, onnx.Port{}); err == nil || !strings.Contains(err.Error(), "65535x65535") {
		t.Errorf("error %v, want one with the size", err)
	}
}

// giant is the beginning of a GIF of 65535x65535 pixels.
var giant = []byte("GIF89a\xff\xff\xff\xff\x80\x00\x00\x00\x00\x00\xff\xff\xff")

// TestVerify finds where two runs part.
func TestVerify(t *testing.T) {
	build := func(factor float32) string {
		return save(t, func(b *graph.Builder) {
			x := b.Input("x", tensor.Float32, 2)
			b.Output("y", b.Op("Exp", nil, b.Op("Mul", nil, b.Op("Neg", nil, x), b.Float(factor))))
		})
	}
	dir := t.TempDir()
	x := put(t, filepath.Join(dir, "x.json"), []byte("[1, 2]"))
	trace := func(name, model string) string {
		to := filepath.Join(dir, name)
		runs(t, RunOptions{File: model, Inputs: []string{x}, TraceTo: to, Out: strings.TrimSuffix(to, ".json")})
		return to
	}
	a, b, c := trace("a.json", build(1)), trace("b.json", build(1)), trace("c.json", build(1.0000001))
	if r, err := Verify(a, b); err != nil || !r.Equal || r.Tensors != 5 { // x, three functions and the name of the last
		t.Errorf("two runs of one model: %+v, %v", r, err)
	}
	r, err := Verify(a, c)
	if err != nil || r.Equal || r.First.Operator != "Mul" || r.First.Tensor != "Mul_0" {
		t.Errorf("models that differ in a product: %+v, %v", r.First, err)
	}
	var w bytes.Buffer
	if err := r.Print(&w); err != nil || !strings.Contains(w.String(), `first at node "Mul_0" (Mul)`) {
		t.Errorf("printed %s, %v", w.String(), err)
	}
	folders := []string{filepath.Join(dir, "a"), filepath.Join(dir, "c")}
	r, err = Verify(folders[0], folders[1])
	if err != nil || r.Equal || r.First.Tensor != "y" || !slices.Equal(r.First.Index, []int{0}) || r.First.Ulps == 0 || r.First.Count != 2 {
		t.Errorf("outputs: %+v, %v", r.First, err)
	}
	w.Reset()
	if err := r.Print(&w); err != nil || !strings.Contains(w.String(), "index   [0], 2 elements differ") || !strings.Contains(w.String(), "ulp") {
		t.Errorf("printed %s, %v", w.String(), err)
	}
	if r := compareArrays("z", onnx.Value{Tensor: tensor.FromFloat32([]float32{0}, 1)}, onnx.Value{Tensor: tensor.FromFloat32([]float32{float32(math.Copysign(0, -1))}, 1)}); r == nil {
		t.Error("0 and -0 are the same bits")
	}
	var f *failure.Error
	if _, err := Verify(filepath.Join(dir, "none.json"), a); err == nil || !errorsAs(err, &f) || f.Code != failure.NotFound || !strings.Contains(f.Next, "--trace") {
		t.Errorf("error %v", err)
	}
	if _, err := Verify(x, a); err == nil {
		t.Error("a list of numbers was read as a trace")
	}
}

func errorsAs(err error, to **failure.Error) bool {
	f, ok := err.(*failure.Error)
	*to = f
	return ok
}

// TestBench: figures are there and agree with each other; the steady state takes no memory to speak of.
func TestBench(t *testing.T) {
	model := save(t, func(b *graph.Builder) {
		x := b.Input("x", tensor.Float32, 4, 8)
		b.Output("y", b.Op("Relu", nil, b.Op("MatMul", nil, x, b.Initializer("w", tensor.New(tensor.Float32, 8, 8)))))
	})
	r, err := Measure(BenchOptions{File: model, Threads: 1, Time: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if r.Rows != 4 || r.Runs < 3 || r.Threads != 1 || r.MACs != 4*8*8+32 || r.Weights != 256 || r.P50 <= 0 || r.P95 < r.P50 || r.Inputs["x"] != "float32[4 8]" {
		t.Errorf("%+v", r)
	}
	if r.Allocated > 4 {
		t.Errorf("%v allocations in a run of two nodes", r.Allocated)
	}
	var w bytes.Buffer
	if err := r.Print(&w); err != nil || !strings.Contains(w.String(), "rows/s") {
		t.Errorf("printed %s, %v", w.String(), err)
	}
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
}

// FuzzPicture: bytes become a tensor of the wanted shape or an error.
func FuzzPicture(f *testing.F) {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 3, 2))); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(giant)
	f.Add([]byte("\xff\xd8\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, _, err := image.DecodeConfig(bytes.NewReader(b)); err == nil && c.Width*c.Height > 1<<16 {
			return // allowed, but slow
		}
		x, err := Picture{Width: 3, Height: 5}.read(b, onnx.Port{DType: tensor.Float32})
		if err == nil && !slices.Equal(x.Shape(), []int{1, 3, 5, 3}) {
			t.Errorf("shape %v", x.Shape())
		}
	})
}

// FuzzTable: a table gives a tensor of its rows or an error.
func FuzzTable(f *testing.F) {
	f.Add([]byte("a,b\n1,2\n3,\n"), "b,a")
	f.Add([]byte("\"a\n"), "")
	f.Fuzz(func(t *testing.T, b []byte, columns string) {
		for _, p := range []onnx.Port{{DType: tensor.Float32}, {DType: tensor.Uint8}, {DType: tensor.Bool}, {DType: tensor.Int64, Element: onnx.String}} {
			v, err := readColumns(b, p, columns)
			if err == nil && len(shapeOf(v)) != 2 {
				t.Errorf("%v", v)
			}
		}
	})
}

// FuzzArchive: an archive gives an array or an error; strings are written so that they are read again.
func FuzzArchive(f *testing.F) {
	var b bytes.Buffer
	if err := writeNPZ(&b, []part{{"x", onnx.Value{Tensor: tensor.Scalar(1)}}, {"s", onnx.Value{Text: &onnx.Text{Shape: []int{1}, Data: []string{"ab"}}}}}); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte("PK\x05\x06"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, name := range []string{"x", "s"} {
			v, err := readNPZ(b, name)
			if err != nil {
				continue
			}
			again, err := readArray(writeArray(v))
			if err != nil || again.String() != v.String() {
				t.Errorf("%v became %v: %v", v, again, err)
			}
		}
	})
}

// FuzzTrace: bytes become a trace that can be compared with itself, or an error.
func FuzzTrace(f *testing.F) {
	f.Add([]byte(`{"schema": "mutirao.model-trace/v1", "program": "` + strings.Repeat("00", 32) + `", "nodes": [{"name": "n", "values": [{}]}]}`))
	f.Add([]byte("[]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := readTrace(b)
		if err == nil && !compareTraces(x, x).Equal {
			t.Error("a trace differs from itself")
		}
	})
}
