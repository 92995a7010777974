package provenance

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/onnx"
	"github.com/mutirao/mutirao/engine/safetensors"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/trace"
)

// Names of the metadata that is written into model files.
const (
	MetaModel   = "mutirao.model"
	MetaWeights = "mutirao.weights"
	MetaRun     = "mutirao.run"
	MetaNetwork = "mutirao.network"
	MetaLineage = "mutirao.lineage" // proven or claimed
)

// Metadata is what the statement says of its files, as they have it inside.
func (s *Statement) Metadata() map[string]string {
	d := s.Predicate.BuildDefinition
	m := map[string]string{
		MetaModel: d.External.Model.String(), MetaWeights: s.Digest(DigestWeights), MetaNetwork: d.External.Network, MetaLineage: string(registry.Claimed),
	}
	if d.BuildType == Trained {
		m[MetaLineage] = string(registry.Proven)
		m[MetaRun] = d.External.Run.String()
	}
	return m
}

// Finding is what was found about one file.
type Finding struct {
	File   string `json:"file"`
	Holds  bool   `json:"holds"`
	Detail string `json:"detail"`
}

// Check recomputes what a statement says of its files in a folder: their digests, and, as far as the formats allow, the roots of the weights and
// the id of the model from the contents. The first error is that of reading a file.
func Check(s *Statement, dir string) ([]Finding, error) {
	var list []Finding
	for _, r := range s.Subject {
		detail, err := s.file(r, dir)
		var wrong *mismatch
		switch {
		case errors.As(err, &wrong):
			list = append(list, Finding{r.Name, false, wrong.why})
		case err != nil:
			return nil, err
		default:
			list = append(list, Finding{r.Name, true, detail})
		}
	}
	return list, nil
}

// mismatch is a file that is not what the statement says.
type mismatch struct{ why string }

func (m *mismatch) Error() string { return m.why }

func wrong(format string, args ...any) error { return &mismatch{fmt.Sprintf(format, args...)} }

// MaxContents is the largest file whose contents are recomputed; of a larger one only the digest is.
const MaxContents = 1 << 30

func (s *Statement) file(r Resource, dir string) (string, error) {
	if r.Name == "" || r.Name != filepath.Base(r.Name) || r.Name == "." || r.Name == ".." || strings.ContainsAny(r.Name, `/\`) {
		return "", wrong("the statement names a file %.60q that is not one of the folder", r.Name)
	}
	f, err := os.Open(filepath.Join(dir, r.Name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", wrong("there is no such file")
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	size, err := io.Copy(h, f)
	if err != nil {
		return "", err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != r.Digest[digestFile] {
		return "", wrong("its SHA-256 is %s, the statement says %.64s", got, r.Digest[digestFile])
	}
	if size > MaxContents {
		return "SHA-256 agrees", nil
	}
	raw, err := os.ReadFile(f.Name())
	if err != nil {
		return "", err
	}
	switch filepath.Ext(r.Name) {
	case ".safetensors":
		return s.safetensors(raw)
	case ".onnx":
		return s.onnx(raw)
	case ".graph":
		return s.graph(raw)
	}
	return "SHA-256 agrees", nil
}

func (s *Statement) safetensors(raw []byte) (string, error) {
	list, meta, err := safetensors.Decode(raw)
	if err != nil {
		return "", wrong("SHA-256 agrees, but %v", err)
	}
	if err := s.metadata(meta); err != nil {
		return "", err
	}
	if len(s.Predicate.BuildDefinition.Internal.Params) == 0 {
		return "SHA-256 and ids agree", nil // all constants belong to the program, whose root is of the graph
	}
	if err := s.weights(list); err != nil {
		return "", err
	}
	return "SHA-256 and ids agree; the root of the weights was recomputed", nil
}

func (s *Statement) onnx(raw []byte) (string, error) {
	m, err := onnx.Load(raw)
	if err != nil {
		return "", wrong("SHA-256 agrees, but %v", err)
	}
	if err := s.metadata(m.Metadata()); err != nil {
		return "", err
	}
	params := s.Predicate.BuildDefinition.Internal.Params
	if len(params) > work.MaxParams {
		return "", wrong("SHA-256 agrees, but the statement names %d trained tensors", len(params))
	}
	list, err := m.Initializers(params)
	if err != nil {
		return "", wrong("SHA-256 agrees, but %v", err)
	}
	if len(params) == 0 {
		return "SHA-256 and ids agree", nil
	}
	if err := s.weights(list); err != nil {
		return "", err
	}
	return "SHA-256 and ids agree; the root of the weights was recomputed", nil
}

// graph is the network's own encoding, from which the id of the model follows.
func (s *Statement) graph(raw []byte) (string, error) {
	g, err := graph.Decode(raw)
	if err != nil {
		return "", wrong("SHA-256 agrees, but %v", err)
	}
	d := s.Predicate.BuildDefinition
	program, weights, err := registry.SplitArtifact(g, d.Internal.Params)
	if err != nil {
		return "", wrong("SHA-256 agrees, but %v", err)
	}
	id := registry.ModelID(trace.ProgramHash(program), trace.StateRoot(weights), d.External.Run)
	if d.BuildType == Deposited {
		if id, err = registry.DepositID(raw, d.External.Author); err != nil {
			return "", wrong("SHA-256 agrees, but %v", err)
		}
	}
	if id != d.External.Model {
		return "", wrong("the model in it is %s, the statement says %s", id, d.External.Model)
	}
	return "SHA-256 agrees; the model's id was recomputed", nil
}

func (s *Statement) metadata(meta map[string]string) error {
	want := s.Metadata()
	for _, name := range []string{MetaModel, MetaRun, MetaWeights, MetaNetwork, MetaLineage} {
		if meta[name] != want[name] {
			return wrong("its %s is %.80q, the statement says %.80q", name, meta[name], want[name])
		}
	}
	return nil
}

// weights compares the root of trained tensors.
func (s *Statement) weights(list []tensor.Named) error {
	var entries []trace.Entry
	params := s.Predicate.BuildDefinition.Internal.Params
	for _, t := range list { // ascending
		if _, ok := slices.BinarySearch(params, t.Name); ok {
			entries = append(entries, trace.Entry{Name: t.Name, Role: registry.RoleWeights, Tensor: t.Tensor})
		}
	}
	if len(entries) != len(params) {
		return wrong("%d of %d trained tensors are in it", len(entries), len(params))
	}
	if root := trace.StateRoot(entries); root.String() != s.Digest(DigestWeights) {
		return wrong("the root of its weights is %s, the statement says %.64s", root, s.Digest(DigestWeights))
	}
	return nil
}

// Add names a file with its digest.
func (s *Statement) Add(name string, content []byte) {
	sum := sha256.Sum256(content)
	s.Subject = append(s.Subject, Resource{Name: name, Digest: map[string]string{digestFile: hex.EncodeToString(sum[:])}})
}

// Hash reads an id or root as digests have it; zero if it is none.
func Hash(text string) (h protocol.Hash) {
	if h.UnmarshalText([]byte(text)) != nil {
		return protocol.Hash{}
	}
	return h
}
