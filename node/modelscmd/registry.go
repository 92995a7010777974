package modelscmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote/errcode"

	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/oci"
	"github.com/mutirao/mutirao/node/provenance"
	"github.com/mutirao/mutirao/node/running"
	"github.com/mutirao/mutirao/protocol"
)

// place opens what a person names in a registry.
func place(ref string, plain bool) (*oci.Remote, error) {
	r, err := oci.Open(ref, plain)
	switch {
	case errors.Is(err, oci.ErrReference):
		return nil, failure.New(failure.Usage, fmt.Sprintf("%q names no place in a registry", ref), err, "mutirao models push MODEL registry.example/folder/name:tag")
	case err != nil:
		return nil, failure.New(failure.General, "the registry's credentials cannot be read", err, "correct ~/.docker/config.json, or docker login again")
	}
	return r, nil
}

// remote gives what went wrong with a registry an exit code and a next step.
func remote(what string, err error) error {
	var explained *failure.Error
	var answer *errcode.ErrorResponse
	switch {
	case errors.As(err, &explained), errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, oci.ErrReference):
		return failure.New(failure.Usage, what, err, "name a tag: registry.example/folder/name:tag")
	case errors.Is(err, oci.ErrDigest):
		return failure.New(failure.Unverified, what, err, "try again; if it stays so, ask the registry's operator")
	case errors.Is(err, oci.ErrForeign):
		return failure.New(failure.Unverified, what, err, "name a model that mutirao models push put there")
	case errors.Is(err, fs.ErrExist):
		return failure.New(failure.General, what, err, "choose a folder that does not exist yet")
	case errors.Is(err, errdef.ErrNotFound):
		return failure.New(failure.NotFound, what, err, "check name and tag")
	case errors.As(err, &answer) && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden):
		return failure.New(failure.Denied, what, err, "docker login, or podman login --authfile ~/.docker/config.json, then try again")
	}
	return failure.New(failure.Network, what, err, "try again: what has arrived is kept")
}

// moved is the answer of push and pull for machines.
type moved struct {
	Schema  string        `json:"schema"` // "mutirao.model-push/v1" or "mutirao.model-pull/v1"
	Place   string        `json:"place"`
	Digest  string        `json:"digest"`
	Model   protocol.Hash `json:"model,omitzero"`
	Dir     string        `json:"dir,omitzero"`
	Files   []string      `json:"files"`
	Verdict *Verdict      `json:"verdict,omitzero"`
}

func newPush(o *options) *cobra.Command {
	var plain bool
	cmd := &cobra.Command{
		Use: "push MODEL|FOLDER PLACE", Short: "Put a model with its provenance into a registry of containers", Args: cobra.ExactArgs(2),
		Long: `Put a model with its provenance into a registry of containers: any that speaks OCI's distribution protocol, as an artifact in ModelPack's form. MODEL
is exported first, or a FOLDER that mutirao models export wrote is taken as it is, if its provenance holds. The statement is attached as a referrer, too.
Credentials are those of Docker's configuration file. A registry on this machine is spoken to without TLS.`,
		Example: `  mutirao models push f673 localhost:5000/models/diagnosis:v1 --network ./network
  mutirao models push ./diagnosis registry.example/models/diagnosis:v1`,
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := place(args[1], plain)
			if err != nil {
				return err
			}
			m, id, err := o.pushed(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			digest, err := r.Push(cmd.Context(), *m)
			if err != nil {
				return remote("the model cannot be pushed to "+args[1], err)
			}
			a := moved{Schema: "mutirao.model-push/v1", Place: r.String(), Digest: digest, Model: id}
			for _, f := range m.Files {
				a.Files = append(a.Files, f.Name)
			}
			return o.Answer(cmd, a, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "pushed model %s, %d files, to %s\ndigest %s\n", short(id), len(a.Files), a.Place, digest)
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&plain, "plain-http", false, "speak without TLS to a registry that is not on this machine")
	return cmd
}

// pushed is a model of the network, or of a folder whose provenance holds.
func (o *options) pushed(ctx context.Context, what string) (*oci.Model, protocol.Hash, error) {
	if info, err := os.Stat(what); err == nil && info.IsDir() {
		return fromFolder(ctx, what)
	}
	c, err := o.Read(ctx)
	if err != nil {
		return nil, protocol.Hash{}, err
	}
	id, err := Find(ctx, c, what)
	if err != nil {
		return nil, id, running.Refused("the models cannot be read", err, "try again")
	}
	b, err := o.pack(ctx, c, id, []string{"onnx", "safetensors", "graph"})
	if err != nil {
		return nil, id, err
	}
	return artifact(b.statement, b.files), id, nil
}

// fromFolder reads an exported folder.
func fromFolder(ctx context.Context, dir string) (*oci.Model, protocol.Hash, error) {
	file := filepath.Join(dir, provenanceFile)
	list, err := verify(ctx, file, dir, nil)
	if err != nil {
		return nil, protocol.Hash{}, err
	}
	if len(list) != 1 || !list[0].Holds {
		return nil, protocol.Hash{}, failure.New(failure.Unverified, dir+" is not pushed", errDiffers, "mutirao models verify-provenance "+dir)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, protocol.Hash{}, err
	}
	envelopes, err := provenance.Parse(raw)
	if err != nil {
		return nil, protocol.Hash{}, err
	}
	s, _, err := envelopes[0].Open()
	if err != nil {
		return nil, protocol.Hash{}, err
	}
	var files []oci.File
	for _, f := range list[0].Files { // names that were checked
		content, err := os.ReadFile(filepath.Join(dir, f.File))
		if err != nil {
			return nil, protocol.Hash{}, err
		}
		files = append(files, oci.File{Name: f.File, Content: content})
	}
	return artifact(s, append(files, oci.File{Name: provenanceFile, Content: raw})), list[0].Model, nil
}

// artifact is a model as a registry keeps it.
func artifact(s *provenance.Statement, files []oci.File) *oci.Model {
	d := s.Predicate.BuildDefinition.External
	m := &oci.Model{
		Name: d.Name, Version: d.Model.String(), Authors: []string{d.Author.String()}, Precision: "float32", Annotations: s.Metadata(), Files: files, Provenance: provenanceFile,
	}
	var kinds []string
	for _, f := range files {
		if f.Name == onnxFile || f.Name == tensorsFile || f.Name == graphFile {
			kinds = append(kinds, strings.TrimPrefix(filepath.Ext(f.Name), "."))
		}
	}
	m.Formats = strings.Join(kinds, ",")
	return m
}

var errUnsigned = errors.New("it has no " + provenanceFile)

func newPull(o *options) *cobra.Command {
	var plain, unsigned bool
	cmd := &cobra.Command{
		Use: "pull PLACE FOLDER", Short: "Get a model from a registry of containers and check its provenance", Args: cobra.ExactArgs(2),
		Long: `Get a model from a registry of containers and check its provenance. Every file is checked against the manifest, then signature, digests, roots and ids as
mutirao models verify-provenance does; only then the folder appears. A call that was interrupted goes on where it ended. With --network (not with
$MUTIRAO_NETWORK alone) the ledger is asked, too.`,
		Example: `  mutirao models pull localhost:5000/models/diagnosis:v1 ./diagnosis
  mutirao models pull registry.example/models/diagnosis@sha256:9f2c… ./diagnosis --network ./network`,
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := place(args[0], plain)
			if err != nil {
				return err
			}
			var l Ledger
			if cmd.Flags().Changed("network") {
				c, err := o.Read(cmd.Context())
				if err != nil {
					return err
				}
				l = c
			}
			var verdict *Verdict
			p, err := r.Pull(cmd.Context(), args[1], func(part string) error {
				v, err := arrived(cmd.Context(), part, l, unsigned)
				verdict = v
				return err
			})
			if err != nil {
				return remote("the model cannot be pulled from "+args[0], err)
			}
			a := moved{Schema: "mutirao.model-pull/v1", Place: r.String(), Digest: p.Digest, Dir: args[1], Files: p.Files, Verdict: verdict}
			if verdict != nil {
				a.Model = verdict.Model
			}
			return o.Answer(cmd, a, func(w io.Writer) error {
				fmt.Fprintf(w, "pulled %d files to %s\ndigest %s\n", len(p.Files), args[1], p.Digest)
				if verdict == nil {
					_, err := fmt.Fprintln(w, "it has no provenance: nobody says where it comes from")
					return err
				}
				return verdict.Print(w)
			})
		},
	}
	cmd.Flags().BoolVar(&plain, "plain-http", false, "speak without TLS to a registry that is not on this machine")
	cmd.Flags().BoolVar(&unsigned, "unsigned", false, "take a model without provenance, too")
	return cmd
}

// arrived checks a folder that was pulled.
func arrived(ctx context.Context, dir string, l Ledger, unsigned bool) (*Verdict, error) {
	file := filepath.Join(dir, provenanceFile)
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		if unsigned {
			return nil, nil
		}
		return nil, failure.New(failure.Unverified, "the model is not taken", errUnsigned, "add --unsigned if you trust the registry")
	}
	list, err := verify(ctx, file, dir, l)
	if err != nil {
		return nil, err
	}
	for _, v := range list {
		if !v.Holds {
			return nil, failure.New(failure.Unverified, "the model is not taken", fmt.Errorf("%w: %s", errDiffers, v.fault()), "ask who pushed it")
		}
	}
	return &list[0], nil
}

// fault is the first thing that does not hold.
func (v Verdict) fault() string {
	for _, f := range v.Files {
		if !f.Holds {
			return f.File + ": " + f.Detail
		}
	}
	if v.Ledger != nil && !v.Ledger.Holds {
		return v.Ledger.Detail
	}
	return "nothing"
}
