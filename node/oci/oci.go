// Package oci takes a model's files to registries of containers and back, as artifacts of the OCI image specification 1.1 in the form of
// ModelPack. What comes from a registry is hostile: names, sizes and digests are checked, nothing is written outside of one folder, and a
// download that was interrupted goes on. It knows nothing of the ledger.
// Source: OCI image-spec and distribution-spec 1.1; github.com/modelpack/model-spec, docs/spec.md.
package oci

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
	"oras.land/oras-go/v2/registry/remote/retry"
)

// Types of ModelPack, and of a statement about a model that refers to it.
const (
	typeModel      = "application/vnd.cncf.model.manifest.v1+json"
	typeConfig     = "application/vnd.cncf.model.config.v1+json"
	typeWeights    = "application/vnd.cncf.model.weight.v1.raw"
	typeDoc        = "application/vnd.cncf.model.doc.v1.raw"
	typeStatement  = "application/vnd.in-toto+json"
	typeEnvelope   = "application/vnd.dsse.envelope.v1+json"
	annotationPath = "org.cncf.model.filepath"
)

// Bounds of what is pulled.
const (
	maxManifest = 4 << 20  // bytes
	maxFiles    = 64       //
	maxName     = 128      // bytes
	maxFile     = 64 << 30 // bytes
)

var (
	// ErrReference reports a name that is not one of a registry.
	ErrReference = errors.New("write it like registry.example/folder/name:tag")
	// ErrForeign reports an artifact that holds no files of a model, or holds them otherwise.
	ErrForeign = errors.New("the artifact is no model in ModelPack's form with raw files")
	// ErrDigest reports bytes that are not those that the manifest names.
	ErrDigest = errors.New("the registry sent other bytes than its manifest names")
)

// File is one file of a model.
type File struct {
	Name    string
	Content []byte
}

// Remote is one place in a registry.
type Remote struct{ repo *remote.Repository }

// Open names a place, "HOST/NAME:TAG" or "HOST/NAME@sha256:…". Who asks is told to the registry by the credentials of Docker's configuration file. It
// connects over TLS unless the host is this machine, or plain is set. Nothing is sent yet. Errors wrap ErrReference.
func Open(ref string, plain bool) (*Remote, error) {
	parsed, err := registry.ParseReference(ref)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrReference, err)
	}
	if parsed.Reference == "" {
		return nil, fmt.Errorf("%w: it has no tag", ErrReference)
	}
	repo, err := remote.NewRepository(ref)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrReference, err)
	}
	store, err := credentials.NewStoreFromDocker(credentials.StoreOptions{})
	if err != nil {
		return nil, fmt.Errorf("docker's configuration: %w", err)
	}
	repo.Client = &auth.Client{Client: &http.Client{Transport: &retry.Transport{Policy: patience}}, Cache: auth.NewCache(), Credential: credentials.Credential(store)}
	repo.PlainHTTP = plain || loopback(parsed.Registry)
	repo.MaxMetadataBytes = maxManifest
	return &Remote{repo}, nil
}

// patience tries again what may pass by itself. Where nobody listens, nobody will in three seconds.
func patience() retry.Policy {
	return &retry.GenericPolicy{
		Retryable: func(r *http.Response, err error) (bool, error) {
			if errors.Is(err, syscall.ECONNREFUSED) {
				return false, nil
			}
			return retry.DefaultPredicate(r, err)
		},
		Backoff: retry.DefaultBackoff, MinWait: 200 * time.Millisecond, MaxWait: 3 * time.Second, MaxRetry: 5,
	}
}

// String is the name of the place.
func (r *Remote) String() string { return r.repo.Reference.String() }

// loopback reports whether a host is this machine.
func loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
