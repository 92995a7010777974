package modelscmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	ociregistry "github.com/google/go-containerregistry/pkg/registry"

	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/chain/genesis"
	"github.com/mutirao/mutirao/chain/validator"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/onnx"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/oci"
	"github.com/mutirao/mutirao/node/role"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
)

// net is a network of one validator with a deposited model, and the folder of its author's key.
type net struct {
	t     *testing.T
	url   string
	dir   string
	key   client.Key
	model protocol.Hash
}

func newNet(t *testing.T, seed byte) *net {
	t.Helper()
	n := &net{t: t, dir: filepath.Join(t.TempDir(), "author")}
	if err := role.WriteKey(n.dir, [32]byte{seed}); err != nil {
		t.Fatal(err)
	}
	var err error
	if n.key, err = role.Key(n.dir); err != nil {
		t.Fatal(err)
	}
	keys := genesis.DeriveKeys([32]byte{1}, 1)
	doc, err := genesis.New(genesis.Spec{Time: time.Now(), Validators: keys, Accounts: []genesis.Balance{{Address: n.key.Account(), Amount: money.MUT(10)}}})
	if err != nil {
		t.Fatal(err)
	}
	addresses, err := validator.FreeAddresses(2)
	if err != nil {
		t.Fatal(err)
	}
	node, err := validator.Start(context.Background(), validator.Config{
		Home: t.TempDir(), Genesis: doc, Keys: keys[0], P2P: addresses[0], RPC: addresses[1], TimeoutCommit: 50 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Stop() })
	n.url = "http://" + strings.TrimPrefix(addresses[1], "tcp://")
	b := graph.NewBuilder("double")
	x := b.Input("x", tensor.Float32, 1, 2)
	b.Output("y", b.Op("Mul", nil, x, b.Initializer("two", tensor.Scalar(2))))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.Dial([]string{n.url}, n.key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Next(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if n.model, err = registry.DepositID(graph.Encode(g), n.key.Account()); err != nil {
		t.Fatal(err)
	}
	if err := c.Submit(t.Context(), registry.DepositModel{Name: "double", Artifact: graph.Encode(g)}, registry.Use{Model: n.model, Fee: money.New(1000)}); err != nil {
		t.Fatal(err)
	}
	return n
}

// run is the command with arguments; it returns stdout.
func (n *net) run(args ...string) (string, error) {
	cmd := New(n.dir)
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(n.t.Context())
	return out.String(), err
}

func (n *net) must(args ...string) string {
	n.t.Helper()
	out, err := n.run(append(args, "--network", n.url)...)
	if err != nil {
		n.t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return out
}

// fails runs a command that must end with that exit code.
func (n *net) fails(code int, args ...string) {
	n.t.Helper()
	out, err := n.run(args...)
	var f *failure.Error
	if !errors.As(err, &f) || f.Code != code {
		n.t.Errorf("%v: %v, want exit code %d\n%s", args, err, code, out)
	}
}

func TestModelsOfANetwork(t *testing.T) {
	n := newNet(t, 7)
	short := n.model.String()[:12]
	if out := n.must("list"); !strings.Contains(out, short) || !strings.Contains(out, "double") || !strings.Contains(out, "claimed") {
		t.Errorf("list:\n%s", out)
	}
	stranger := "0x0000000000000000000000000000000000000077"
	n.must("transfer", short, "30%", stranger)
	n.fails(failure.Credit, "transfer", short, "70.0001", stranger, "--network", n.url)
	if out := n.must("claim", short); !strings.Contains(out, "paid 0.000000000000001 MUT") {
		t.Errorf("claim: %s", out)
	}
	n.fails(failure.NotFound, "claim", short, "--network", n.url)
	var card Card
	if err := json.Unmarshal([]byte(n.must("show", short, "--json")), &card); err != nil {
		t.Fatal(err)
	}
	if card.Schema != "mutirao.model-card/v1" || len(card.Holders) != 2 || card.Holders[0].PPM != 700_000 || card.Income.Paid != money.New(1000) || card.Lineage.From[0].Kind != "author" {
		t.Errorf("card %+v", card)
	}
	if out := n.must("show", short); !strings.Contains(out, stranger) || !strings.Contains(out, "70 %") {
		t.Errorf("show:\n%s", out)
	}

	// The files, and what becomes of them.
	dir := filepath.Join(t.TempDir(), "double")
	n.must("export", short, dir)
	n.fails(failure.General, "export", short, dir, "--network", n.url)
	n.fails(failure.Usage, "export", short, dir+"2", "--format", "pickle", "--network", n.url)
	raw, err := os.ReadFile(filepath.Join(dir, onnxFile))
	if err != nil {
		t.Fatal(err)
	}
	if m, err := onnx.Load(raw); err != nil || m.Metadata()["mutirao.model"] != n.model.String() {
		t.Errorf("ONNX says it is %v: %v", m.Metadata(), err)
	}
	if out, err := n.run("verify-provenance", dir); err != nil || !strings.Contains(out, "id was recomputed") || !strings.Contains(out, "signed by "+n.key.Account().String()) {
		t.Errorf("verify: %v\n%s", err, out)
	}
	if out := n.must("verify-provenance", dir); !strings.Contains(out, "ledger: origin, weights and program are as the ledger has them") {
		t.Errorf("verify with the ledger:\n%s", out)
	}
	n.throughARegistry(dir)

	other := newNet(t, 8) // which does not know the model
	n.fails(failure.Unverified, "verify-provenance", dir, "--network", other.url)
	raw[len(raw)-1] ^= 1
	if err := os.WriteFile(filepath.Join(dir, onnxFile), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	n.fails(failure.Unverified, "verify-provenance", dir)
	n.fails(failure.NotFound, "verify-provenance", filepath.Join(dir, "nothing"))
}

// throughARegistry pushes a model and an exported folder, pulls them, and finds the same files and what a stranger changed.
func (n *net) throughARegistry(dir string) {
	t := n.t
	t.Helper()
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	server := httptest.NewServer(ociregistry.New(ociregistry.Logger(log.New(io.Discard, "", 0)), ociregistry.WithReferrersSupport(true)))
	t.Cleanup(server.Close)
	place := strings.TrimPrefix(server.URL, "http://") + "/models/double"
	n.must("push", n.model.String()[:12], place+":ledger")
	if out, err := n.run("push", dir, place+":folder"); err != nil {
		t.Fatalf("push of a folder: %v\n%s", err, out)
	}
	back := filepath.Join(t.TempDir(), "back")
	if out := n.must("pull", place+":folder", back); !strings.Contains(out, "model.graph: SHA-256 agrees; the model's id was recomputed") || !strings.Contains(out, "ledger: origin") {
		t.Errorf("pull:\n%s", out)
	}
	for _, name := range []string{onnxFile, tensorsFile, graphFile, bomFile, cardFile, provenanceFile} {
		want, err := os.ReadFile(filepath.Join(dir, name))
		got, err2 := os.ReadFile(filepath.Join(back, name))
		if err != nil || err2 != nil || !bytes.Equal(want, got) {
			t.Errorf("%s came back otherwise: %v, %v", name, err, err2)
		}
	}
	n.fails(failure.General, "pull", place+":folder", back)
	n.fails(failure.NotFound, "pull", place+":other", back+"2")
	n.fails(failure.Usage, "pull", "nowhere", back+"2")

	// What somebody else puts into the registry: files that are not those of the statement, or no statement at all.
	card, err := os.ReadFile(filepath.Join(dir, provenanceFile))
	if err != nil {
		t.Fatal(err)
	}
	for tag, files := range map[string][]oci.File{
		"changed":  {{Name: onnxFile, Content: []byte("another model")}, {Name: provenanceFile, Content: card}},
		"unsigned": {{Name: onnxFile, Content: []byte("a model")}},
	} {
		r, err := oci.Open(place+":"+tag, false)
		if err == nil {
			_, err = r.Push(t.Context(), oci.Model{Files: files})
		}
		if err != nil {
			t.Fatal(err)
		}
		n.fails(failure.Unverified, "pull", place+":"+tag, back+"3")
		if _, err := os.Stat(back + "3"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s was taken: %v", tag, err)
		}
	}
	if out, err := n.run("pull", place+":unsigned", back+"3", "--unsigned"); err != nil || !strings.Contains(out, "no provenance") {
		t.Errorf("%v\n%s", err, out)
	}
}
