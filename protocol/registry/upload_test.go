package registry

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/verify/trace"
)

// large is an artifact of 4·rows KiB and a little.
func large(t testing.TB, rows int) []byte {
	t.Helper()
	b := graph.NewBuilder("large")
	x := b.Input("x", tensor.Float32, 1, rows)
	table := make([]float32, rows*1024)
	for i := range table {
		table[i] = float32(i % 977)
	}
	y := b.Op("MatMul", nil, x, b.Initializer("table", tensor.FromFloat32(table, rows, 1024)))
	b.Output("y", b.Op("MatMul", nil, y, b.Initializer("last", tensor.New(tensor.Float32, 1024, 1))))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return graph.Encode(g)
}

func none(protocol.Hash) (*Model, error) { return nil, nil }

// TestUploadTakesChunksInOneOrder sends the chunks of a model many times each, in random order, damaged and by others: only the next one of
// the owner is taken, and what comes of it is the model that one message deposits.
func TestUploadTakesChunksInOneOrder(t *testing.T) {
	ana, bia, env := account("ana"), account("bia"), protocol.Env{Height: 7}
	raw := large(t, 120)
	u, effects, err := Open(OpenUpload{Name: "large", Content: trace.PayloadRoot(raw), Size: uint64(len(raw))}, ana, env)
	if err != nil {
		t.Fatal(err)
	}
	if lock := effects[0].(protocol.Lock); lock.From != ana || lock.Amount != DepositPerByte.Times(uint64(len(raw))) || u.Until != 7+UploadBlocks {
		t.Fatalf("locks %+v until %d", lock, u.Until)
	}
	for seed := range uint64(50) {
		random, u, kept := rand.New(rand.NewPCG(seed, 1)), u, []byte(nil)
		for taken := 0; !u.Complete(); {
			i := random.Uint32N(Chunks(u.Size) + 1)
			from, data := ana, raw[min(int(i)*ChunkBytes, len(raw)):]
			data = data[:min(ChunkBytes, len(data))]
			good := int(i) == taken
			switch random.IntN(8) {
			case 0:
				from, good = bia, false
			case 1:
				data, good = slices.Concat(data, []byte{0}), false
			case 2:
				data, good = data[:max(0, len(data)-1)], false
			}
			m := AddChunk{u.ID, i, data}
			next, err := u.Add(m, from)
			if good != (err == nil) || err != nil && !errors.Is(err, protocol.ErrInvalid) {
				t.Fatalf("seed %d: chunk %d of %d bytes after %d: %v", seed, i, len(data), taken, err)
			}
			if err == nil {
				u, kept, taken = next, append(kept, data...), taken+1
			}
		}
		if string(kept) != string(raw) {
			t.Fatalf("seed %d: %d bytes of %d", seed, len(kept), len(raw))
		}
	}
	u.Received = u.Size
	m, held, effects, err := Finish(u, raw, none, env)
	if err != nil || len(held) != 1 || held[0].Holder != ana || held[0].PPM != whole || m.Deposit != u.Deposit || m.Callable == nil || m.Name != "large" {
		t.Fatalf("model %+v, held %+v: %v", m, held, err)
	}
	if id, err := DepositID(raw, ana); err != nil || id != m.ID {
		t.Errorf("id %s, want %s: %v", m.ID, id, err)
	}
	for _, e := range effects {
		if _, ok := e.(protocol.Event); !ok {
			t.Errorf("finishing moves coins: %+v", e)
		}
	}
	if _, _, _, err := Finish(u, raw, func(protocol.Hash) (*Model, error) { return &m, nil }, env); !errors.Is(err, protocol.ErrExists) {
		t.Errorf("a model that is there: %v", err)
	}
	raw[len(raw)/2] ^= 1
	if _, _, _, err := Finish(u, raw, none, env); !errors.Is(err, protocol.ErrArtifact) {
		t.Errorf("a flipped bit: %v", err)
	}
}

// mesh is a model of nothing but small nodes, which takes longer to read than its bytes pay for.
func mesh(t *testing.T, nodes int) []byte {
	t.Helper()
	b := graph.NewBuilder("mesh")
	y := b.Input("x", tensor.Float32, 1, 1)
	for range nodes {
		y = b.Op("Neg", nil, y)
	}
	b.Output("y", y)
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return graph.Encode(g)
}

func TestModelsAreNoMeshes(t *testing.T) {
	raw := mesh(t, 10_000)
	u := Upload{Owner: account("ana"), Name: "mesh", Content: trace.PayloadRoot(raw), Size: uint64(len(raw)), Received: uint64(len(raw))}
	if _, _, _, err := Finish(u, raw, none, protocol.Env{}); len(raw) <= MaxArtifact || !errors.Is(err, protocol.ErrTooLarge) {
		t.Errorf("%d bytes in chunks: %v", len(raw), err)
	}
	for nodes, refused := range map[int]bool{600: false, 700: true} { // three parts each
		raw := mesh(t, nodes)
		if _, _, _, err := Deposit(DepositModel{Name: "mesh", Artifact: raw}, nil, account("ana"), protocol.Env{}); errors.Is(err, protocol.ErrTooLarge) != refused || !refused && err != nil {
			t.Errorf("%d nodes, %d bytes: %v", nodes, len(raw), err)
		}
	}
}

// TestUploadEnds by its owner at any time, by itself when its time is up; the deposit comes back either way.
func TestUploadEnds(t *testing.T) {
	ana, env := account("ana"), protocol.Env{Height: 7}
	u, _, err := Open(OpenUpload{Name: "n", Content: hash("c"), Size: MaxUpload}, ana, env)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.Abort(AbortUpload{u.ID}, account("bia")); !errors.Is(err, protocol.ErrInvalid) {
		t.Errorf("aborted by another: %v", err)
	}
	effects, err := u.Abort(AbortUpload{u.ID}, ana)
	if err != nil || effects[0] != protocol.Effect(protocol.Pay{To: ana, Amount: u.Deposit}) {
		t.Errorf("aborted: %+v, %v", effects, err)
	}
	if _, over := u.Expire(protocol.Env{Height: u.Until - 1}); over {
		t.Error("over a block early")
	}
	if effects, over := u.Expire(protocol.Env{Height: u.Until}); !over || effects[0] != protocol.Effect(protocol.Pay{To: ana, Amount: u.Deposit}) {
		t.Errorf("over: %v, %+v", over, effects)
	}
	garbage := make([]byte, 300)
	u.Size, u.Received, u.Content = 300, 300, trace.PayloadRoot(garbage)
	if _, _, _, err := Finish(u, garbage, none, env); !errors.Is(err, protocol.ErrArtifact) {
		t.Errorf("no graph: %v", err)
	}
	for name, m := range map[string]OpenUpload{
		"no bytes": {"n", hash("c"), 0}, "too many": {"n", hash("c"), MaxUpload + 1}, "no content": {"n", protocol.Hash{}, 1}, "no name": {"", hash("c"), 1},
	} {
		if _, _, err := Open(m, ana, env); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}
