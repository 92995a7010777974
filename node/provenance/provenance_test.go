package provenance

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/onnx"
	"github.com/mutirao/mutirao/engine/safetensors"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/verify/trace"
)

// DSSE's own test vector, protocol.md.
func TestEncoding(t *testing.T) {
	if got := encoding("http://example.com/HelloWorld", []byte("hello world")); string(got) != "DSSEv1 29 http://example.com/HelloWorld 11 hello world" {
		t.Errorf("%q", got)
	}
}

// signer is an account with its key.
func signer(t *testing.T, seed byte) (protocol.Account, Sign) {
	t.Helper()
	key, err := crypto.ToECDSA(append(make([]byte, 31), seed))
	if err != nil {
		t.Fatal(err)
	}
	return protocol.Account(crypto.PubkeyToAddress(key.PublicKey)), func(d protocol.Hash) ([]byte, error) { return crypto.Sign(d[:], key) }
}

// trained is a small model of a run, its files in a folder, and the statement about them.
func trained(t *testing.T) (*Statement, string) {
	t.Helper()
	b := graph.NewBuilder("risk")
	x := b.Input("features", tensor.Float32, 1, 2)
	bias := b.Initializer("bias", tensor.FromFloat32([]float32{-0.125}, 1))
	weight := b.Initializer("weight", tensor.FromFloat32([]float32{0.3, -0.7}, 2, 1))
	b.Output("probability", b.Op("Sigmoid", nil, b.Op("Add", nil, b.Op("MatMul", nil, x, weight), bias)))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	params := []string{"bias", "weight"}
	program, weights, err := registry.SplitArtifact(g, params)
	if err != nil {
		t.Fatal(err)
	}
	run := protocol.Hash{7}
	id := registry.ModelID(trace.ProgramHash(program), trace.StateRoot(weights), run)
	s := NewStatement(Predicate{
		BuildDefinition: Definition{BuildType: Trained, External: External{Network: "mutirao-1", Model: id, Name: "risk", Run: run}, Internal: Internal{Params: params}},
		RunDetails:      Details{Byproducts: []Resource{{Name: "weights", Digest: map[string]string{DigestWeights: trace.StateRoot(weights).String()}}}},
	})
	dir := t.TempDir()
	write := func(name string, content []byte, err error) {
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		s.Add(name, content)
	}
	file, err := onnx.SaveWith(g, s.Metadata())
	write("model.onnx", file, err)
	file, err = safetensors.Encode(g.Initializers, s.Metadata())
	write("model.safetensors", file, err)
	write("model.graph", graph.Encode(g), nil)
	write("README.md", []byte("# risk\n"), nil)
	return s, dir
}

func TestSealedStatementIsChecked(t *testing.T) {
	s, dir := trained(t)
	who, sign := signer(t, 1)
	sealed, err := Seal(s, who, sign)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := Write(sealed, sealed)
	if err != nil || strings.Count(string(raw), "\n") != 2 {
		t.Fatalf("%d lines: %v", strings.Count(string(raw), "\n"), err)
	}
	list, err := Parse(raw)
	if err != nil || len(list) != 2 {
		t.Fatal(err)
	}
	opened, signers, err := list[1].Open()
	if err != nil || !slices.Equal(signers, []protocol.Account{who}) {
		t.Fatalf("signed by %v: %v", signers, err)
	}
	found, err := Check(opened, dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"weights was recomputed", "weights was recomputed", "id was recomputed", "SHA-256 agrees"} {
		if f := found[i]; !f.Holds || !strings.HasSuffix(f.Detail, want) {
			t.Errorf("%s: %v %s", f.File, f.Holds, f.Detail)
		}
	}
	// A bit of a file: the digest is another.
	file := filepath.Join(dir, "model.onnx")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "README.md")); err != nil {
		t.Fatal(err)
	}
	found, err = Check(opened, dir)
	if err != nil || found[0].Holds || !strings.Contains(found[0].Detail, "its SHA-256 is") || !found[1].Holds || found[3].Holds {
		t.Errorf("%+v: %v", found, err)
	}
}

// A signer who signs for files whose contents are those of another model is found by the contents.
func TestContentsAreRecomputed(t *testing.T) {
	other := func(change func(*Statement)) []bool {
		s, dir := trained(t)
		change(s)
		found, err := Check(s, dir)
		if err != nil {
			t.Fatal(err)
		}
		var holds []bool
		for _, f := range found {
			holds = append(holds, f.Holds)
		}
		return holds
	}
	for name, c := range map[string]struct {
		change func(*Statement)
		want   []bool // onnx, safetensors, graph, README
	}{
		"another model":   {func(s *Statement) { s.Predicate.BuildDefinition.External.Model[0] ^= 1 }, []bool{false, false, false, true}},
		"another run":     {func(s *Statement) { s.Predicate.BuildDefinition.External.Run[0] ^= 1 }, []bool{false, false, false, true}},
		"another network": {func(s *Statement) { s.Predicate.BuildDefinition.External.Network = "x" }, []bool{false, false, true, true}},
		"not all weights": {func(s *Statement) { s.Predicate.BuildDefinition.Internal.Params = []string{"bias"} }, []bool{false, false, false, true}},
		"more weights":    {func(s *Statement) { s.Predicate.BuildDefinition.Internal.Params = []string{"bias", "w", "weight"} }, []bool{false, false, false, true}},
	} {
		if got := other(c.change); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
	for _, name := range []string{"../model.onnx", "/etc/passwd", "", "..", "a/b", `a\b`} {
		s, dir := trained(t)
		s.Subject[0].Name = name
		if found, err := Check(s, dir); err != nil || found[0].Holds {
			t.Errorf("%q: %+v, %v", name, found, err)
		}
	}
}

func TestForgeries(t *testing.T) {
	s, _ := trained(t)
	who, sign := signer(t, 1)
	other, _ := signer(t, 2)
	for name, change := range map[string]func(*Envelope){
		"another statement":        func(e *Envelope) { e.Payload = []byte(strings.Replace(string(e.Payload), "risk", "rusk", 1)) },
		"another signer":           func(e *Envelope) { e.Signatures[0].KeyID = other.String() },
		"nobody":                   func(e *Envelope) { e.Signatures = nil },
		"no account":               func(e *Envelope) { e.Signatures[0].KeyID = "me" },
		"a short signature":        func(e *Envelope) { e.Signatures[0].Sig = "AAAA" },
		"a signature of nothing":   func(e *Envelope) { e.Signatures[0].Sig = base64.StdEncoding.EncodeToString(make([]byte, 65)) },
		"a second one that is not": func(e *Envelope) { e.Signatures = append(e.Signatures, Signature{other.String(), e.Signatures[0].Sig}) },
		"another type":             func(e *Envelope) { e.PayloadType = "text/plain" },
	} {
		e, err := Seal(s, who, sign)
		if err != nil {
			t.Fatal(err)
		}
		change(e)
		if _, _, err := e.Open(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.PredicateType = "https://example.com/other"
	e, err := Seal(s, who, sign)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := e.Open(); !errors.Is(err, ErrInvalid) {
		t.Errorf("another predicate: %v", err)
	}
	for _, raw := range []string{"", "{", "null nul", strings.Repeat("{}", maxEnvelopes+1)} {
		if _, err := Parse([]byte(raw)); !errors.Is(err, ErrInvalid) {
			t.Errorf("%.10q: %v", raw, err)
		}
	}
}

// A name that an author chose is no Markdown, HTML or YAML of its own.
func TestModelCardOfAHostileName(t *testing.T) {
	card := string(ModelCard(About{Name: "<script>[x](y) `z`", ID: "00", Network: "n", Datasets: []string{"a: \"b\"\n- c"}, Lineage: "x\n```\n", Files: []string{"model.onnx"}, Provenance: "p", Inputs: []string{"<x> float32[1 2]"}}))
	for _, bad := range []string{"<script>", "[x](y)", "\n- c", "\n```\n```"} {
		if strings.Contains(card, bad) {
			t.Errorf("%q is in\n%s", bad, card)
		}
	}
	if !strings.HasPrefix(card, "---\nlicense: unknown\n") || !strings.Contains(card, "\n---\n\n# \\<script\\>") {
		t.Error(card)
	}
}

// The bill names the model with its files, the data and the parents, and how each is known.
func TestBOM(t *testing.T) {
	s, _ := trained(t)
	s.Predicate.BuildDefinition.Dependencies = []Resource{
		{Name: "patients", URI: "mutirao:dataset/01", Digest: map[string]string{DigestDataset: "01", DigestRecords: "02"}, Annotations: map[string]string{"lineage": "proven", "licence": "CC-BY-4.0", "steward": "0x01"}},
		{URI: "mutirao:model/03", Digest: map[string]string{DigestModel: "03"}, Annotations: map[string]string{"lineage": "claimed"}},
	}
	raw, err := BOM(s, []string{"features float32[1 2]"}, []string{"probability float32[1 1]"})
	if err != nil {
		t.Fatal(err)
	}
	bom := new(cdx.BOM)
	if err := cdx.NewBOMDecoder(bytes.NewReader(raw), cdx.BOMFileFormatJSON).Decode(bom); err != nil {
		t.Fatal(err)
	}
	m := bom.Metadata.Component
	if bom.SpecVersion != cdx.SpecVersion1_6 || m.Type != cdx.ComponentTypeMachineLearningModel || m.Name != "risk" || len(*m.Components) != 4 || (*(*m.Components)[0].Hashes)[0].Value != s.Subject[0].Digest["sha256"] {
		t.Errorf("%s", raw)
	}
	p := m.ModelCard.ModelParameters
	if (*p.Datasets)[0].Ref != "mutirao:dataset/01" || (*p.Inputs)[0].Format != "features float32[1 2]" || (*bom.Components)[0].BOMRef != "mutirao:dataset/01" || (*m.Pedigree.Ancestors)[0].Name != "03" {
		t.Errorf("%s", raw)
	}
	if want := (cdx.Property{Name: "lineage", Value: "claimed"}); !slices.Contains(*(*m.Pedigree.Ancestors)[0].Properties, want) {
		t.Errorf("%s", raw)
	}
}

// Whatever is read ends without a panic.
func FuzzOpen(f *testing.F) {
	s, err := json.Marshal(Envelope{PayloadType: payloadType, Payload: []byte(`{"_type":"` + statementType + `"}`), Signatures: []Signature{{"0x0000000000000000000000000000000000000000", "AA=="}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s)
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := Parse(b)
		if err != nil {
			return
		}
		for _, e := range list {
			if s, _, err := e.Open(); err == nil {
				s.Metadata()
			}
		}
	})
}
