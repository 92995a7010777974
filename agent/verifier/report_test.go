package verifier

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/agent/member"
	"github.com/mutirao/mutirao/agent/workshop"
	"github.com/mutirao/mutirao/learn/data"
	"github.com/mutirao/mutirao/learn/recipe"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/merkle"
)

// disk is a store without peers.
type disk map[protocol.Hash][]byte

func (d disk) Put(_ context.Context, data []byte) (protocol.Hash, error) {
	id := merkle.Leaf(data)
	d[id] = data
	return id, nil
}

func (d disk) GetAtMost(_ context.Context, id protocol.Hash, _ int64) ([]byte, error) {
	if d[id] == nil {
		return nil, errors.New("not here")
	}
	return d[id], nil
}

func (disk) Remove(protocol.Hash) error { return nil }
func (disk) SetPeers([]string)          {}

// TestDivergedUnitIsJudged: a unit that diverges has no result. A worker may seal one all the same, and its auditors must
// be able to say so instead of failing at their report.
func TestDivergedUnitIsJudged(t *testing.T) {
	dir := filepath.Join("..", "..", "sim", "testdata")
	file, err := os.ReadFile(filepath.Join(dir, "fruit.toml"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := recipe.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	r.Train.LR, r.Train.WeightDecay = 1, 1
	set, err := data.Load(r, dir)
	if err != nil {
		t.Fatal(err)
	}
	shop, err := workshop.New(disk{}, r, set)
	if err != nil {
		t.Fatal(err)
	}
	public, err := shop.Trainer().Initial()
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range public.Theta {
		if w.Name == "fc2.bias" { // of the last layer: its score saturates, gradients stay finite
			w.Tensor.Float32()[0] = 0x1p105 // decays by a tenth in a step, which no scale of a payload holds
		}
	}
	ref, err := shop.Keep(t.Context(), public)
	if err != nil {
		t.Fatal(err)
	}
	one := protocol.Hash{1}
	made := work.Result{Payload: work.PayloadRef{Root: one, Blob: one, Size: 1}, Trace: one}
	s := &work.State{
		Spec: work.Spec{Steps: uint32(r.Train.Steps)}, Current: ref,
		Round: &work.Round{Units: []work.Unit{{Status: work.Revealed, Result: made}}},
	}
	v := New(member.Config{}, 0)
	v.Shop, v.openings = shop, map[attempt]work.Opening{}
	o, err := v.recompute(t.Context(), s, 0)
	if err != nil || o.Agrees(made) || !strings.Contains(o.Detail, "diverges") {
		t.Errorf("%+v, %v", o.Detail, err)
	}
}
