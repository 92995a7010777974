package modelscmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/verify/trace"
)

// TestDepositOnANetwork puts models of one message and of many chunks on a ledger and takes them off; an upload that was interrupted goes on,
// or is given up. What is locked comes back to the last unit.
func TestDepositOnANetwork(t *testing.T) {
	n := newNet(t, 9)
	dir := t.TempDir()
	write := func(name string, inputs, outputs int) (string, []byte) {
		b := graph.NewBuilder(name)
		x := b.Input("x", tensor.Float32, 1, inputs)
		b.Output("y", b.Op("MatMul", nil, x, b.Initializer("w", tensor.New(tensor.Float32, inputs, outputs))))
		g, err := b.Graph()
		if err != nil {
			t.Fatal(err)
		}
		file, raw := filepath.Join(dir, name+".graph"), graph.Encode(g)
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		return file, raw
	}
	c, err := client.Dial([]string{n.url}, n.key)
	if err != nil {
		t.Fatal(err)
	}
	locked := func() string {
		ids, err := c.Models(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		list := []string{}
		for _, id := range ids {
			if m, err := c.Model(t.Context(), id); err != nil || !m.Deposit.IsZero() {
				list = append(list, id.String()[:8]+" "+m.Deposit.String())
			}
		}
		return strings.Join(list, ", ")
	}
	before := locked()

	small, _ := write("small", 30, 2)
	id := strings.Fields(n.must("deposit", small))[0]
	n.must("withdraw", id)
	n.fails(failure.NotFound, "withdraw", id, "--network", n.url)

	large, raw := write("large", 600, 180) // four chunks
	upload := registry.UploadID(n.key.Account(), trace.PayloadRoot(raw))
	open := registry.OpenUpload{Name: "large", Content: trace.PayloadRoot(raw), Size: uint64(len(raw))}
	if err := c.Submit(t.Context(), open, registry.AddChunk{Upload: upload, Data: raw[:registry.ChunkBytes]}); err != nil {
		t.Fatal(err)
	}
	n.must("withdraw", upload.String())
	if err := c.Submit(t.Context(), open, registry.AddChunk{Upload: upload, Data: raw[:registry.ChunkBytes]}); err != nil {
		t.Fatal(err)
	}
	if list, err := c.Uploads(t.Context()); err != nil || len(list) != 1 || list[0].ID != upload || list[0].Received != registry.ChunkBytes {
		t.Errorf("uploads %+v: %v", list, err)
	}
	out := n.must("deposit", large)
	if !strings.Contains(out, "goes on after 131072 of") || strings.Contains(out, "chunk 1 of 4") || !strings.Contains(out, "chunk 4 of 4 is on the ledger") {
		t.Errorf("deposit:\n%s", out)
	}
	model, err := registry.DepositID(raw, n.key.Account())
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := c.Artifact(t.Context(), model); err != nil || string(kept) != string(raw) {
		t.Errorf("the ledger keeps %d bytes: %v", len(kept), err)
	}
	if list, err := c.Uploads(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("uploads %+v: %v", list, err)
	}
	n.fails(failure.Usage, "deposit", large, "--network", n.url)
	n.must("withdraw", model.String())
	if after := locked(); after != before {
		t.Errorf("locked %s, before %s", after, before)
	}
	tooLarge, _ := write("too-large", 4096, 130)
	n.fails(failure.Usage, "deposit", tooLarge, "--network", n.url)
}
