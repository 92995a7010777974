package registry

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/merkle"
	"github.com/mutirao/mutirao/verify/trace"
)

func account(name string) protocol.Account {
	var a protocol.Account
	copy(a[:], name)
	return a
}

func hash(s string) protocol.Hash { return merkle.Leaf([]byte(s)) }

var params = []string{"fc.bias", "fc.weight"}

// program is sigmoid(standardised x · weight + bias), with weights as inputs.
func program(t testing.TB, n, m int) *graph.Graph {
	t.Helper()
	b := graph.NewBuilder("inference")
	bias := b.Input("fc.bias", tensor.Float32, m)
	weight := b.Input("fc.weight", tensor.Float32, n, m)
	x := b.Input("x", tensor.Float32, 1, n)
	mean := make([]float32, n)
	for i := range mean {
		mean[i] = float32(i)
	}
	x = b.Op("Sub", nil, x, b.Initializer("mean", tensor.FromFloat32(mean, n)))
	b.Output("y", b.Op("Sigmoid", nil, b.Op("Add", nil, b.Op("MatMul", nil, x, weight), bias)))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func weights(n, m int, v float32) []trace.Entry {
	list := []trace.Entry{
		{Name: "fc.bias", Role: RoleWeights, Tensor: tensor.New(tensor.Float32, m)},
		{Name: "fc.weight", Role: RoleWeights, Tensor: tensor.New(tensor.Float32, n, m)},
	}
	for _, e := range list {
		for i := range e.Tensor.Float32() {
			e.Tensor.Float32()[i] = v
		}
	}
	return list
}

func artifactBytes(t testing.TB, p *graph.Graph, w []trace.Entry) []byte {
	t.Helper()
	g, err := JoinArtifact(p, w)
	if err != nil {
		t.Fatal(err)
	}
	return graph.Encode(g)
}

var dataset = Dataset{ID: hash("dataset"), Steward: account("steward")}

// finished is a run that ended with these weights.
func finished(p *graph.Graph, w []trace.Entry) *work.State {
	return &work.State{
		ID: hash("run"), Author: account("author"), Phase: work.PhaseFinished, Done: 2, Tokens: 300,
		Spec:    work.Spec{Name: "r", Dataset: dataset.ID, InferenceProgram: trace.ProgramHash(p), Params: params},
		Current: work.StateRef{Model: trace.StateRoot(w), Blob: hash("blob")},
		Members: []work.Member{
			{Account: account("p1"), Role: work.Provider, Units: 2, Status: work.Left},
			{Account: account("p2"), Role: work.Provider, Units: 1, Status: work.Left},
			{Account: account("p3"), Role: work.Provider, Units: 5, Status: work.Expelled},
			{Account: account("v1"), Role: work.Verifier, Duties: 9, Status: work.Left},
		},
	}
}

func TestSplitIsIndependentOfWeights(t *testing.T) {
	p := program(t, 30, 1)
	for _, v := range []float32{0, 1.5} {
		g, err := graph.Decode(artifactBytes(t, p, weights(30, 1, v)))
		if err != nil {
			t.Fatal(err)
		}
		split, w, err := SplitArtifact(g, params)
		if err != nil {
			t.Fatal(err)
		}
		if trace.ProgramHash(split) != trace.ProgramHash(p) {
			t.Errorf("weights of %v change the program", v)
		}
		if trace.StateRoot(w) != trace.StateRoot(weights(30, 1, v)) {
			t.Errorf("weights of %v come out different", v)
		}
	}
	g, err := JoinArtifact(p, weights(30, 1, 1))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := SplitArtifact(g, []string{"fc.bias", "fc.missing"}); !errors.Is(err, protocol.ErrArtifact) {
		t.Errorf("missing parameter: %v", err)
	}
	if _, err := JoinArtifact(p, weights(31, 1, 1)); !errors.Is(err, protocol.ErrArtifact) {
		t.Errorf("weights of another shape: %v", err)
	}
}

func TestPublish(t *testing.T) {
	p, w := program(t, 30, 1), weights(30, 1, 0.25)
	good := artifactBytes(t, p, w)
	env := protocol.Env{Height: 9}
	m, held, _, err := Publish(PublishModel{Run: hash("run"), Artifact: good}, finished(p, w), dataset, nil, nil, account("x"), env)
	if err != nil {
		t.Fatal(err)
	}
	if m.ID != ModelID(trace.ProgramHash(p), trace.StateRoot(w), hash("run")) || m.Lineage != Proven || m.Dataset != dataset.ID {
		t.Errorf("model %+v", m)
	}
	if c := m.Callable; c == nil || c.Input != "x" || c.Inputs != 30 || c.Output != "y" || c.Outputs != 1 || c.MACs < 30 {
		t.Errorf("callable %+v", c)
	}
	want := []Share{
		{account("p1"), ForCompute, 333_333}, {account("p2"), ForCompute, 166_667}, {account("steward"), ForData, 300_000},
		{account("author"), ForAuthor, 150_000}, {account("v1"), ForVerifier, 50_000},
	}
	if !slices.Equal(m.Shares, want) {
		t.Errorf("shares %+v", m.Shares)
	}
	if len(held) != len(want) || held[0] != (Holding{Model: m.ID, Holder: account("p1"), PPM: 333_333}) {
		t.Errorf("holdings %+v", held)
	}

	swapped, err := JoinArtifact(p, w)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(swapped.Initializers)
	other := program(t, 30, 1)
	other.Name = "other"
	for _, c := range []struct {
		name   string
		change func(m *PublishModel, run *work.State, d *Dataset, known **Model)
		want   error
	}{
		{"other run", func(m *PublishModel, _ *work.State, _ *Dataset, _ **Model) { m.Run = hash("other") }, protocol.ErrNotFound},
		{"other dataset", func(_ *PublishModel, _ *work.State, d *Dataset, _ **Model) { d.ID = hash("other") }, protocol.ErrNotFound},
		{"not ended", func(_ *PublishModel, s *work.State, _ *Dataset, _ **Model) { s.Phase = work.PhaseCompute }, protocol.ErrNotFinished},
		{"nothing counted", func(_ *PublishModel, s *work.State, _ *Dataset, _ **Model) {
			s.Phase, s.Done = work.PhaseStopped, 0
		}, protocol.ErrNotFinished},
		{"again", func(_ *PublishModel, _ *work.State, _ *Dataset, k **Model) { *k = &m }, protocol.ErrExists},
		{"other program", func(m *PublishModel, _ *work.State, _ *Dataset, _ **Model) { m.Artifact = artifactBytes(t, other, w) }, protocol.ErrArtifact},
		{"other weights", func(m *PublishModel, _ *work.State, _ *Dataset, _ **Model) {
			m.Artifact = artifactBytes(t, p, weights(30, 1, 0.5))
		}, protocol.ErrArtifact},
		{"other order", func(m *PublishModel, _ *work.State, _ *Dataset, _ **Model) { m.Artifact = graph.Encode(swapped) }, protocol.ErrArtifact},
		{"without weights", func(m *PublishModel, _ *work.State, _ *Dataset, _ **Model) { m.Artifact = graph.Encode(p) }, protocol.ErrShape},
		{"cut", func(m *PublishModel, _ *work.State, _ *Dataset, _ **Model) { m.Artifact = good[:len(good)-1] }, protocol.ErrArtifact},
		{"too large", func(m *PublishModel, _ *work.State, _ *Dataset, _ **Model) { m.Artifact = make([]byte, MaxArtifact+1) }, protocol.ErrTooLarge},
		{"wide input", func(m *PublishModel, _ *work.State, _ *Dataset, _ **Model) {
			m.Artifact = artifactBytes(t, program(t, MaxInputs+1, 1), weights(MaxInputs+1, 1, 1))
		}, protocol.ErrShape},
		{"wide output", func(m *PublishModel, _ *work.State, _ *Dataset, _ **Model) {
			m.Artifact = artifactBytes(t, program(t, 2, MaxOutputs+1), weights(2, MaxOutputs+1, 1))
		}, protocol.ErrShape},
		{"costly", func(m *PublishModel, _ *work.State, _ *Dataset, _ **Model) { m.Artifact = costly(t, 8192, 1) }, protocol.ErrTooLarge},
		{"big in memory", func(m *PublishModel, _ *work.State, _ *Dataset, _ **Model) { m.Artifact = costly(t, 2048, 3) }, protocol.ErrTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			msg, run, d, known := PublishModel{Run: hash("run"), Artifact: good}, finished(p, w), dataset, (*Model)(nil)
			c.change(&msg, run, &d, &known)
			if _, _, effects, err := Publish(msg, run, d, nil, known, account("x"), env); !errors.Is(err, c.want) || effects != nil {
				t.Errorf("%v", err)
			}
		})
	}
}

// costly is a small file that describes much work: n×n matrices made by broadcasting, multiplied so many times.
func costly(t *testing.T, n, times int) []byte {
	t.Helper()
	b := graph.NewBuilder("costly")
	x := b.Input("x", tensor.Float32, 1, 1)
	b.Initializer("fc.bias", tensor.New(tensor.Float32, 1))
	b.Initializer("fc.weight", tensor.New(tensor.Float32, 1))
	big := b.Op("Expand", nil, x, b.Ints(n, n))
	for range times {
		big = b.Op("MatMul", nil, big, big)
	}
	b.Output("y", b.Op("Reshape", nil, b.Op("ReduceSum", nil, big), b.Ints(1, 1)))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return graph.Encode(g)
}

// TestPublishInTwoSteps registers a model by its hashes and adds the artifact later; uses in between are kept.
func TestPublishInTwoSteps(t *testing.T) {
	p, w := program(t, 3, 1), weights(3, 1, 1)
	run := finished(p, w)
	m, _, _, err := Publish(PublishModel{Run: run.ID}, run, dataset, nil, nil, account("x"), protocol.Env{})
	if err != nil || m.Callable != nil {
		t.Fatalf("%+v, %v", m, err)
	}
	if m, _, err = Charge(Use{Model: m.ID, Fee: money.New(10)}, m, account("y"), protocol.Env{}); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := Publish(PublishModel{Run: run.ID}, run, dataset, nil, &m, account("x"), protocol.Env{}); !errors.Is(err, protocol.ErrExists) {
		t.Errorf("second time without artifact: %v", err)
	}
	full, _, _, err := Publish(PublishModel{Run: run.ID, Artifact: artifactBytes(t, p, w)}, run, dataset, nil, &m, account("z"), protocol.Env{})
	if err != nil || full.Callable == nil || full.Uses != 1 || full.Publisher != account("x") {
		t.Errorf("%+v, %v", full, err)
	}
	if m.Callable != nil {
		t.Error("Publish changed its input")
	}
}

// TestRandomShares has crowds of any size: shares sum to a million.
func TestRandomShares(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 2))
		run := &work.State{Author: account("author")}
		for range r.IntN(300) {
			a := protocol.Account{}
			for i := range a {
				a[i] = byte(r.Uint32())
			}
			run.Members = append(run.Members, work.Member{Account: a, Units: r.Uint32N(1 << r.IntN(25)), Duties: r.Uint32N(3)})
		}
		list := shares(run, account("steward"))
		sum := uint32(0)
		for _, s := range list {
			sum += s.PPM
		}
		if sum != whole {
			t.Fatalf("seed %d: shares sum to %d", seed, sum)
		}
	}
}

func TestCharge(t *testing.T) {
	m := Model{ID: hash("m"), Shares: []Share{{account("a"), ForCompute, 600_000}, {account("b"), ForData, 400_000}}}
	next, effects, err := Charge(Use{Model: m.ID, Fee: money.New(101)}, m, account("payer"), protocol.Env{Height: 3})
	if err != nil || next.Uses != 1 || next.Earned != money.New(101) || m.Uses != 0 {
		t.Fatalf("%+v, %v", next, err)
	}
	if len(effects) != 3 || effects[0] != (protocol.Lock{From: account("payer"), Amount: money.New(101)}) {
		t.Errorf("effects %+v", effects)
	}
	receipt := effects[1].(protocol.Record).Value.(UseReceipt)
	if text := receipt.Explain(); !strings.Contains(text, "Use 1 of model") || !strings.Contains(text, "paid 0.000000000000000101 MUT") {
		t.Errorf("receipt: %s", text)
	}
	for _, c := range []struct {
		use  Use
		want error
	}{
		{Use{Model: hash("n"), Fee: money.New(1)}, protocol.ErrNotFound},
		{Use{Model: m.ID}, protocol.ErrInvalid},
		{Use{Model: m.ID, Fee: money.New(1 << 60).Times(1 << 60).Times(1 << 8)}, protocol.ErrInvalid},
	} {
		if _, _, err := Charge(c.use, m, account("payer"), protocol.Env{}); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v", c.use, err)
		}
	}
}

func TestRegister(t *testing.T) {
	good := RegisterDataset{Root: hash("r"), Blob: hash("b"), Schema: hash("s"), Records: 569, RecordSize: 124, Name: "wdbc", Licence: "CC-BY-4.0"}
	d, _, err := Register(good, account("s"), protocol.Env{Height: 4})
	if err != nil || d.ID != DatasetID(account("s"), good) || d.Steward != account("s") || d.Height != 4 {
		t.Fatalf("%+v, %v", d, err)
	}
	if d.ID == DatasetID(account("t"), good) {
		t.Error("two stewards have one id")
	}
	for name, change := range map[string]func(*RegisterDataset){
		"root":        func(m *RegisterDataset) { m.Root = protocol.Hash{} },
		"blob":        func(m *RegisterDataset) { m.Blob = protocol.Hash{} },
		"schema":      func(m *RegisterDataset) { m.Schema = protocol.Hash{} },
		"no records":  func(m *RegisterDataset) { m.Records = 0 },
		"records":     func(m *RegisterDataset) { m.Records = MaxRecords + 1 },
		"no size":     func(m *RegisterDataset) { m.RecordSize = 0 },
		"record size": func(m *RegisterDataset) { m.RecordSize = MaxRecordSize + 1 },
		"name":        func(m *RegisterDataset) { m.Name = "" },
		"licence":     func(m *RegisterDataset) { m.Licence = strings.Repeat("x", MaxLicence+1) },
	} {
		m := good
		change(&m)
		if _, _, err := Register(m, account("s"), protocol.Env{}); !errors.Is(err, protocol.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzDecodeMsg checks that whatever is accepted is valid and that nothing panics.
func FuzzDecodeMsg(f *testing.F) {
	f.Add("registry/use", []byte(`{"model":"`+hash("m").String()+`","fee":"12"}`))
	f.Add("registry/publish-model", []byte(`{"run":"`+hash("r").String()+`","artifact":"AAAA"}`))
	f.Add("registry/register-dataset", []byte(`{"records":1,"record_size":2,"name":"n","licence":"l"}`))
	f.Add("registry/other", []byte(`{}`))
	f.Fuzz(func(t *testing.T, kind string, data []byte) {
		m, err := DecodeMsg(kind, data)
		if err != nil {
			if !errors.Is(err, protocol.ErrInvalid) && !errors.Is(err, protocol.ErrTooLarge) {
				t.Fatalf("error without code: %v", err)
			}
			return
		}
		if m.Kind() != kind || m.Check() != nil {
			t.Fatalf("%s became %#v", kind, m)
		}
	})
}

// FuzzOpenArtifact opens hostile artifacts: an error with a code, or one whose parts make the same bytes.
func FuzzOpenArtifact(f *testing.F) {
	p := program(f, 3, 2)
	f.Add(artifactBytes(f, p, weights(3, 2, 1)))
	f.Add(graph.Encode(p))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := openArtifact(data, params)
		if err != nil {
			if c := protocol.Code(err); c == protocol.CodeUnknown {
				t.Fatalf("error without code: %v", err)
			}
			return
		}
		if a.callable.Inputs < 1 || a.callable.Inputs > MaxInputs || a.callable.Outputs > MaxOutputs || a.callable.MACs > MaxMACs {
			t.Fatalf("callable %+v", a.callable)
		}
	})
}
