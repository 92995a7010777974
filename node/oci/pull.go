package oci

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
)

// Pulled is what came.
type Pulled struct {
	Digest      string            // of the manifest
	Annotations map[string]string // of it
	Files       []string          // names, in the manifest's order
}

// Pull downloads a model into a folder that does not exist. The files come into a folder beside it whose name begins with a point; once all are there
// and check, if not nil, accepts that folder, it gets its name. What an interrupted call left is used by the next one for the same manifest.
// Errors wrap ErrForeign, ErrDigest, fs.ErrExist, or are those of the registry or of check.
func (r *Remote) Pull(ctx context.Context, dir string, check func(dir string) error) (*Pulled, error) {
	if _, err := os.Lstat(dir); err == nil {
		return nil, fmt.Errorf("%s: %w", dir, fs.ErrExist)
	}
	p, layers, err := r.manifest(ctx)
	if err != nil {
		return nil, err
	}
	dir = filepath.Clean(dir)
	part := filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+".pull-"+p.Digest[len("sha256:"):][:16])
	if err := os.MkdirAll(part, 0o755); err != nil {
		return nil, err
	}
	for i, name := range p.Files {
		if err := r.file(ctx, layers[i], filepath.Join(part, name)); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if check != nil {
		if err := check(part); err != nil {
			return nil, errors.Join(err, os.RemoveAll(part))
		}
	}
	return p, os.Rename(part, dir)
}

// manifest fetches and checks what the reference names.
func (r *Remote) manifest(ctx context.Context) (*Pulled, []v1.Descriptor, error) {
	d, body, err := r.repo.FetchReference(ctx, r.repo.Reference.Reference)
	if err != nil {
		return nil, nil, err
	}
	defer body.Close()
	if d.Size > maxManifest {
		return nil, nil, fmt.Errorf("%w: its manifest has %d bytes", ErrForeign, d.Size)
	}
	raw, err := content.ReadAll(body, d) // checks size and digest
	if err != nil {
		return nil, nil, fmt.Errorf("%w: manifest: %w", ErrDigest, err)
	}
	var m v1.Manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrForeign, err)
	}
	if d.Digest.Algorithm() != digest.SHA256 || m.ArtifactType != typeModel && m.Config.MediaType != typeConfig {
		return nil, nil, fmt.Errorf("%w: it is %.80q, described by %.80q", ErrForeign, m.ArtifactType, m.Config.MediaType)
	}
	p := &Pulled{Digest: d.Digest.String(), Annotations: m.Annotations}
	p.Files, err = names(m.Layers)
	return p, m.Layers, err
}

// names checks the files that a manifest names, and returns what they are called.
func names(layers []v1.Descriptor) ([]string, error) {
	if len(layers) == 0 || len(layers) > maxFiles {
		return nil, fmt.Errorf("%w: it has %d files", ErrForeign, len(layers))
	}
	var list []string
	taken := map[string]bool{}
	for _, l := range layers {
		name := l.Annotations[annotationPath]
		if name == "" {
			name = l.Annotations[v1.AnnotationTitle]
		}
		switch {
		case !plain(name):
			return nil, fmt.Errorf("%w: a file called %.60q", ErrForeign, name)
		case taken[strings.ToLower(name)]: // some file systems do not tell A from a
			return nil, fmt.Errorf("%w: two files called %q", ErrForeign, name)
		case strings.Contains(l.MediaType, ".tar"):
			return nil, fmt.Errorf("%w: %s is %.80q", ErrForeign, name, l.MediaType)
		case l.Size < 0 || l.Size > maxFile:
			return nil, fmt.Errorf("%w: %s has %d bytes", ErrForeign, name, l.Size)
		case l.Digest.Validate() != nil || l.Digest.Algorithm() != digest.SHA256:
			return nil, fmt.Errorf("%w: %s has the digest %.80q", ErrForeign, name, l.Digest)
		}
		taken[strings.ToLower(name)] = true
		list = append(list, name)
	}
	return list, nil
}

// plain reports whether a name is that of a file in a folder on any system: letters, digits and ._-+ only, and no point in front.
func plain(name string) bool {
	if name == "" || len(name) > maxName || name[0] == '.' || strings.HasSuffix(name, suffixPart) {
		return false
	}
	return strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-+") == ""
}

// suffixPart marks a file that is not complete.
const suffixPart = ".part"

// file downloads one file unless it is there already, going on where an earlier call ended.
func (r *Remote) file(ctx context.Context, d v1.Descriptor, name string) error {
	if h, n, err := digestOf(name); err == nil && n == d.Size && sum(h) == d.Digest {
		return nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	resumed, err := r.download(ctx, d, name+suffixPart)
	if errors.Is(err, ErrDigest) && resumed { // what was there may have been damaged
		_, err = r.download(ctx, d, name+suffixPart)
	}
	if err != nil {
		return err
	}
	return os.Rename(name+suffixPart, name)
}

// download appends to a file what is missing of d and checks the whole. A file that turns out to be wrong is removed.
func (r *Remote) download(ctx context.Context, d v1.Descriptor, name string) (resumed bool, err error) {
	h, have, err := digestOf(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		h, have = sha256.New(), 0
	case err != nil:
		return false, err
	}
	body, err := r.repo.Blobs().Fetch(ctx, d)
	if err != nil {
		return false, err
	}
	defer body.Close()
	flags := os.O_WRONLY | os.O_CREATE | os.O_APPEND
	if seeker, ok := body.(io.Seeker); !ok || have > d.Size {
		h, have, flags = sha256.New(), 0, flags|os.O_TRUNC // the registry sends a file from its beginning only
	} else if have > 0 {
		if _, err := seeker.Seek(have, io.SeekStart); err != nil {
			return false, err
		}
	}
	resumed = have > 0
	f, err := os.OpenFile(name, flags, 0o644)
	if err != nil {
		return resumed, err
	}
	n, err := io.Copy(io.MultiWriter(f, h), io.LimitReader(body, d.Size-have))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return resumed, err
	}
	if have+n < d.Size {
		return resumed, fmt.Errorf("%w after %d of %d bytes", io.ErrUnexpectedEOF, have+n, d.Size)
	}
	if got := sum(h); got != d.Digest {
		return resumed, errors.Join(fmt.Errorf("%w: %s instead of %s", ErrDigest, got, d.Digest), os.Remove(name))
	}
	return resumed, nil
}

// digestOf hashes a file.
func digestOf(name string) (hash.Hash, int64, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return h, n, err
}

func sum(h hash.Hash) digest.Digest {
	return digest.NewDigestFromEncoded(digest.SHA256, hex.EncodeToString(h.Sum(nil)))
}
