package oci

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
)

// Model is what is pushed.
type Model struct {
	Name        string
	Version     string   // the model's id
	Authors     []string // who wrote its recipe
	Licence     string   // SPDX, empty if nobody said
	Formats     string   // of its weights
	Precision   string
	Annotations map[string]string // of the manifest
	Files       []File
	Provenance  string // name of the file that is also attached as a statement; empty for none
}

// config is ModelPack's description of a model.
type config struct {
	Descriptor descriptor `json:"descriptor"`
	ModelFS    modelFS    `json:"modelfs"`
	Config     technical  `json:"config"`
}

type descriptor struct {
	Authors  []string `json:"authors,omitempty"`
	Name     string   `json:"name,omitempty"`
	Version  string   `json:"version,omitempty"`
	Licenses []string `json:"licenses,omitempty"`
}

type modelFS struct {
	Type    string          `json:"type"`
	DiffIDs []digest.Digest `json:"diffIds"`
}

type technical struct {
	Format    string `json:"format,omitempty"`
	Precision string `json:"precision,omitempty"`
}

// created is the time in manifests: the same files have the same digest.
const created = "1970-01-01T00:00:00Z"

// Push uploads what the registry does not have yet, then the manifest under the tag, and returns the manifest's digest. Before it returns, nobody
// who pulls the tag sees anything new.
func (r *Remote) Push(ctx context.Context, m Model) (string, error) {
	if _, err := r.repo.Reference.Digest(); err == nil {
		return "", fmt.Errorf("%w: what is pushed gets a tag, its digest follows from it", ErrReference)
	}
	c := config{Descriptor: descriptor{Authors: m.Authors, Name: m.Name, Version: m.Version}, ModelFS: modelFS{Type: "layers"},
		Config: technical{Format: m.Formats, Precision: m.Precision}}
	if m.Licence != "" {
		c.Descriptor.Licenses = []string{m.Licence}
	}
	var layers []v1.Descriptor
	var envelope []byte
	for _, f := range m.Files {
		d := content.NewDescriptorFromBytes(typeOf(f.Name), f.Content)
		d.Annotations = map[string]string{annotationPath: f.Name, v1.AnnotationTitle: f.Name}
		if err := r.upload(ctx, d, f.Content); err != nil {
			return "", fmt.Errorf("%s: %w", f.Name, err)
		}
		layers = append(layers, d)
		c.ModelFS.DiffIDs = append(c.ModelFS.DiffIDs, d.Digest)
		if f.Name == m.Provenance {
			envelope = f.Content
		}
	}
	raw, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	about := content.NewDescriptorFromBytes(typeConfig, raw)
	if err := r.upload(ctx, about, raw); err != nil {
		return "", fmt.Errorf("configuration: %w", err)
	}
	manifest, err := oras.PackManifest(ctx, r.repo, oras.PackManifestVersion1_1, typeModel, oras.PackManifestOptions{
		ConfigDescriptor: &about, Layers: layers, ManifestAnnotations: dated(m.Annotations),
	})
	if err != nil {
		return "", fmt.Errorf("manifest: %w", err)
	}
	if err := r.attach(ctx, manifest, envelope); err != nil {
		return "", fmt.Errorf("statement: %w", err)
	}
	if err := r.repo.Tag(ctx, manifest, r.repo.Reference.Reference); err != nil {
		return "", fmt.Errorf("tag: %w", err)
	}
	return manifest.Digest.String(), nil
}

// attach adds a statement that refers to the manifest, so that tools find it by asking for referrers.
func (r *Remote) attach(ctx context.Context, manifest v1.Descriptor, envelope []byte) error {
	if envelope == nil {
		return nil
	}
	layer := content.NewDescriptorFromBytes(typeEnvelope, envelope)
	_, err := oras.PackManifest(ctx, r.repo, oras.PackManifestVersion1_1, typeStatement, oras.PackManifestOptions{
		Subject: &manifest, Layers: []v1.Descriptor{layer}, ManifestAnnotations: dated(nil),
	})
	return err
}

func dated(annotations map[string]string) map[string]string {
	out := map[string]string{v1.AnnotationCreated: created}
	for name, value := range annotations {
		out[name] = value
	}
	return out
}

func typeOf(name string) string {
	switch filepath.Ext(name) {
	case ".md", ".json", ".jsonl":
		return typeDoc
	}
	return typeWeights
}

func (r *Remote) upload(ctx context.Context, d v1.Descriptor, raw []byte) error {
	if there, err := r.repo.Exists(ctx, d); err != nil || there {
		return err
	}
	return r.repo.Push(ctx, d, bytes.NewReader(raw))
}
