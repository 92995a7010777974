package oci

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
)

// shop is a registry on this machine. spoil may change what it answers to a GET of a blob.
type shop struct {
	host   string
	ranges atomic.Int64 // requests for a part of a blob
	spoil  func(w http.ResponseWriter, r *http.Request, answer []byte) bool
	user   string // and password; empty for anybody
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{}
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); s.user != "" && (user != s.user || password != "secret") {
			w.Header().Set("WWW-Authenticate", `Basic realm="shop"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/blobs/") {
			inner.ServeHTTP(w, r)
			return
		}
		answer := httptest.NewRecorder()
		inner.ServeHTTP(answer, r)
		if r.Header.Get("Range") != "" {
			s.ranges.Add(1)
		}
		if s.spoil != nil && s.spoil(w, r, answer.Body.Bytes()) {
			return
		}
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.Header().Set("Accept-Ranges", "bytes")
		w.WriteHeader(answer.Code)
		w.Write(answer.Body.Bytes())
	}))
	t.Cleanup(server.Close)
	s.host = strings.TrimPrefix(server.URL, "http://")
	return s
}

func (s *shop) open(t *testing.T, name string) *Remote {
	t.Helper()
	t.Setenv("DOCKER_CONFIG", filepath.Join(t.TempDir(), "none"))
	r, err := Open(s.host+"/"+name, false)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func sample() Model {
	weights := bytes.Repeat([]byte("0123456789abcdef"), 1<<14) // 256 KiB
	return Model{Name: "double", Version: "00ff", Authors: []string{"0x01"}, Formats: "onnx", Precision: "float32", Annotations: map[string]string{"a.b": "c"},
		Provenance: "model.intoto.jsonl", Files: []File{{"model.onnx", weights}, {"README.md", []byte("# double\n")}, {"model.intoto.jsonl", []byte("{}\n")}}}
}

func TestPushAndPull(t *testing.T) {
	s, m := newShop(t), sample()
	r := s.open(t, "models/double:v1")
	digest, err := r.Push(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.open(t, "models/double:v2").Push(t.Context(), m)
	if err != nil || again != digest {
		t.Errorf("the same files are %s and %s: %v", digest, again, err)
	}
	for _, name := range []string{"models/double:v1", "models/double@" + digest} {
		dir := filepath.Join(t.TempDir(), "double")
		p, err := s.open(t, name).Pull(t.Context(), dir, func(part string) error {
			if _, err := os.Stat(dir); err == nil {
				t.Error("the folder is there before it was checked")
			}
			return nil
		})
		if err != nil || p.Digest != digest || p.Annotations["a.b"] != "c" || !slices.Equal(p.Files, []string{"model.onnx", "README.md", "model.intoto.jsonl"}) {
			t.Fatalf("%s: %+v, %v", name, p, err)
		}
		for _, f := range m.Files {
			if raw, err := os.ReadFile(filepath.Join(dir, f.Name)); err != nil || !bytes.Equal(raw, f.Content) {
				t.Errorf("%s: %d bytes, %v", f.Name, len(raw), err)
			}
		}
		if entries, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(entries) != 1 {
			t.Errorf("%d entries are left beside the folder: %v", len(entries), err)
		}
		if _, err := r.Pull(t.Context(), dir, nil); !errors.Is(err, fs.ErrExist) {
			t.Errorf("into a folder that exists: %v", err)
		}
	}

	// The manifest is ModelPack's, and the statement refers to it.
	d, raw, err := oras.FetchBytes(t.Context(), r.repo, "v1", oras.FetchBytesOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var manifest v1.Manifest
	if err := json.Unmarshal(raw, &manifest); err != nil || manifest.ArtifactType != typeModel || manifest.Config.MediaType != typeConfig || manifest.Layers[0].MediaType != typeWeights || manifest.Layers[1].MediaType != typeDoc {
		t.Errorf("%s: %v", raw, err)
	}
	about, err := content.FetchAll(t.Context(), r.repo, manifest.Config)
	if want := fmt.Sprintf(`{"descriptor":{"authors":["0x01"],"name":"double","version":"00ff"},"modelfs":{"type":"layers","diffIds":[%q,%q,%q]},"config":{"format":"onnx","precision":"float32"}}`,
		manifest.Layers[0].Digest, manifest.Layers[1].Digest, manifest.Layers[2].Digest); err != nil || string(about) != want {
		t.Errorf("%s: %v", about, err)
	}
	var statements []v1.Descriptor
	err = r.repo.Referrers(t.Context(), d, typeStatement, func(list []v1.Descriptor) error {
		statements = append(statements, list...)
		return nil
	})
	if err != nil || len(statements) != 1 {
		t.Errorf("%d statements: %v", len(statements), err)
	}
}

// A download that breaks off goes on where it ended; one whose beginning was damaged begins anew; wrong bytes are not kept.
func TestInterruptedPull(t *testing.T) {
	s, m := newShop(t), sample()
	r := s.open(t, "m:v1")
	if _, err := r.Push(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	size := int64(len(m.Files[0].Content))
	dir := filepath.Join(t.TempDir(), "m")
	s.spoil = func(w http.ResponseWriter, _ *http.Request, answer []byte) bool {
		if int64(len(answer)) < size {
			return false
		}
		w.Header().Set("Content-Length", fmt.Sprint(size))
		w.Write(answer[:size/4])
		return true // the connection ends early
	}
	if _, err := r.Pull(t.Context(), dir, nil); err == nil {
		t.Fatal("a download that broke off is whole")
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("half a model has its name: %v", err)
	}
	s.spoil = nil
	parts, err := filepath.Glob(filepath.Join(filepath.Dir(dir), ".m.pull-*", "model.onnx.part"))
	if err != nil || len(parts) != 1 {
		t.Fatalf("%v are left: %v", parts, err)
	}
	saved, err := os.ReadFile(parts[0])
	if err != nil || len(saved) == 0 {
		t.Fatalf("%d bytes were kept: %v", len(saved), err)
	}
	if _, err := r.Pull(t.Context(), dir, nil); err != nil {
		t.Fatal(err)
	}
	if raw, err := os.ReadFile(filepath.Join(dir, "model.onnx")); err != nil || !bytes.Equal(raw, m.Files[0].Content) {
		t.Errorf("%d bytes after going on: %v", len(raw), err)
	}
	if n := s.ranges.Load(); n != 1 {
		t.Errorf("%d requests for what was missing", n)
	}

	// Damage in what an earlier call left.
	if err := os.Rename(dir, filepath.Dir(parts[0])); err != nil {
		t.Fatal(err)
	}
	saved[0] ^= 1
	if err := errors.Join(os.Remove(filepath.Join(filepath.Dir(parts[0]), "model.onnx")), os.WriteFile(parts[0], saved, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Pull(t.Context(), dir, nil); err != nil {
		t.Errorf("after damage on the disk: %v", err)
	}

	// A registry that sends other bytes.
	s.spoil = func(w http.ResponseWriter, _ *http.Request, answer []byte) bool {
		answer[len(answer)-1] ^= 1
		w.Write(answer)
		return true
	}
	other := filepath.Join(t.TempDir(), "other")
	if _, err := r.Pull(t.Context(), other, nil); !errors.Is(err, ErrDigest) {
		t.Errorf("other bytes: %v", err)
	}
	s.spoil = nil
	wrong := errors.New("not what I want")
	if _, err := r.Pull(t.Context(), other, func(string) error { return wrong }); !errors.Is(err, wrong) {
		t.Errorf("refused by the check: %v", err)
	}
	if entries, err := os.ReadDir(filepath.Dir(other)); err != nil || len(entries) != 0 {
		t.Errorf("%d entries of what was refused are left: %v", len(entries), err)
	}
}

// What a stranger may put into a registry.
func TestForeignArtifacts(t *testing.T) {
	s := newShop(t)
	layer := func(name, media string) v1.Descriptor {
		d := content.NewDescriptorFromBytes(media, []byte("x"))
		d.Annotations = map[string]string{annotationPath: name}
		return d
	}
	huge := layer("a", typeWeights)
	huge.Size = maxFile + 1
	md5 := layer("a", typeWeights)
	md5.Digest = "sha512:" + "00"
	for name, c := range map[string]struct {
		kind   string
		layers []v1.Descriptor
	}{
		"an image":           {"application/vnd.example", []v1.Descriptor{layer("a", typeWeights)}},
		"a path":             {typeModel, []v1.Descriptor{layer("../a", typeWeights)}},
		"a path of Windows":  {typeModel, []v1.Descriptor{layer(`..\a`, typeWeights)}},
		"an absolute path":   {typeModel, []v1.Descriptor{layer("/a", typeWeights)}},
		"a hidden file":      {typeModel, []v1.Descriptor{layer(".profile", typeWeights)}},
		"no name":            {typeModel, []v1.Descriptor{layer("", typeWeights)}},
		"a part":             {typeModel, []v1.Descriptor{layer("a.part", typeWeights)}},
		"the same name":      {typeModel, []v1.Descriptor{layer("a", typeWeights), layer("A", typeWeights)}},
		"an archive":         {typeModel, []v1.Descriptor{layer("a", "application/vnd.cncf.model.weight.v1.tar")}},
		"a huge file":        {typeModel, []v1.Descriptor{huge}},
		"another hash":       {typeModel, []v1.Descriptor{md5}},
		"too many":           {typeModel, slices.Repeat([]v1.Descriptor{layer("a", typeWeights)}, maxFiles+1)},
		"a terminal's codes": {typeModel, []v1.Descriptor{layer("a\x1b[2J", typeWeights)}},
	} {
		r := s.open(t, "foreign:v1")
		config := content.NewDescriptorFromBytes("application/vnd.example.config", []byte("{}"))
		if err := r.upload(t.Context(), config, []byte("{}")); err != nil {
			t.Fatal(err)
		}
		d, err := oras.PackManifest(t.Context(), r.repo, oras.PackManifestVersion1_1, c.kind, oras.PackManifestOptions{ConfigDescriptor: &config, Layers: c.layers})
		if err == nil {
			err = r.repo.Tag(t.Context(), d, "v1")
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Pull(t.Context(), filepath.Join(t.TempDir(), "x"), nil); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCredentials(t *testing.T) {
	s := newShop(t)
	s.user = "ana"
	if _, err := s.open(t, "m:v1").Push(t.Context(), sample()); err == nil {
		t.Error("pushed without a password")
	}
	dir := t.TempDir()
	config := fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, s.host, base64.StdEncoding.EncodeToString([]byte("ana:secret")))
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DOCKER_CONFIG", dir)
	r, err := Open(s.host+"/m:v1", false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Push(t.Context(), sample()); err != nil {
		t.Errorf("with Docker's configuration: %v", err)
	}
}

func TestReferences(t *testing.T) {
	for ref, plain := range map[string]bool{"localhost:5000/a:b": true, "127.0.0.1/a/b:c": true, "registry.example/a:b": false, "10.0.0.1:80/a:b": false, "127.0.0.1.example/a:b": false} {
		r, err := Open(ref, false)
		if err != nil || r.repo.PlainHTTP != plain {
			t.Errorf("%s: %v", ref, err)
		}
		if r, err := Open(ref, true); err != nil || !r.repo.PlainHTTP {
			t.Errorf("%s as it is wanted: %v", ref, err)
		}
	}
	for _, ref := range []string{"", "a", "a:b", "host/a", "host/A:b", "host/a@sha256:00", "host/a:b c"} {
		if _, err := Open(ref, false); !errors.Is(err, ErrReference) {
			t.Errorf("%q: %v", ref, err)
		}
	}
}
