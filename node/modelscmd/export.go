package modelscmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/onnx"
	"github.com/mutirao/mutirao/engine/safetensors"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/oci"
	"github.com/mutirao/mutirao/node/provenance"
	"github.com/mutirao/mutirao/node/role"
	"github.com/mutirao/mutirao/node/running"
	"github.com/mutirao/mutirao/protocol"
)

// Names of the files of a model.
const (
	onnxFile       = "model.onnx"        // for other programs
	tensorsFile    = "model.safetensors" // the weights alone
	graphFile      = "model.graph"       // the network's own encoding, from which the id follows
	bomFile        = "model.cdx.json"    // a bill of materials
	cardFile       = "README.md"
	provenanceFile = "model.intoto.jsonl"
)

// formats are what --format takes.
var formats = map[string]string{"onnx": onnxFile, "safetensors": tensorsFile, "graph": graphFile}

// bundle is a model as files with their provenance.
type bundle struct {
	card      *Card
	statement *provenance.Statement
	signer    protocol.Account
	files     []oci.File // the model's, its card, and the provenance last
}

var errFormat = errors.New("formats are onnx, safetensors and graph")

// pack makes the files of a model and signs for them with the folder's key.
func (o *options) pack(ctx context.Context, c *client.Client, id protocol.Hash, wanted []string) (*bundle, error) {
	for _, w := range wanted {
		if formats[w] == "" {
			return nil, failure.New(failure.Usage, fmt.Sprintf("there is no format %q", w), errFormat, "mutirao models export --help")
		}
	}
	card, err := Read(ctx, c, id)
	if err != nil {
		return nil, running.Refused("model "+short(id)+" cannot be read", err, "mutirao models list")
	}
	f, err := o.fetch(ctx, c, id)
	if err != nil {
		return nil, err
	}
	key, err := role.Key(o.Dir)
	if err != nil {
		return nil, err
	}
	s, err := statement(ctx, c, card, f)
	if err != nil {
		return nil, err
	}
	b := &bundle{card: card, statement: s, signer: key.Account()}
	for _, name := range []string{"onnx", "safetensors", "graph"} {
		if !slices.Contains(wanted, name) {
			continue
		}
		content, err := f.encode(name, s.Metadata())
		if err != nil {
			return nil, failure.New(failure.General, "model "+short(id)+" cannot be written as "+name, err, "mutirao models export "+short(id)+" FOLDER --format graph")
		}
		b.add(formats[name], content)
	}
	inputs, outputs := ports(f.graph.Inputs), ports(f.graph.Outputs)
	bill, err := provenance.BOM(s, inputs, outputs)
	if err != nil {
		return nil, err
	}
	b.add(bomFile, bill)
	b.add(cardFile, readme(card, s, inputs, outputs))
	envelope, err := provenance.Seal(s, key.Account(), func(d protocol.Hash) ([]byte, error) { return key.Sign(d) })
	if err != nil {
		return nil, err
	}
	line, err := provenance.Write(envelope)
	b.files = append(b.files, oci.File{Name: provenanceFile, Content: line})
	return b, err
}

// add takes a file into the bundle and into the statement.
func (b *bundle) add(name string, content []byte) {
	b.files = append(b.files, oci.File{Name: name, Content: content})
	b.statement.Add(name, content)
}

// ports are inputs or outputs in words.
func ports(values []graph.Value) (list []string) {
	for _, v := range values {
		list = append(list, fmt.Sprintf("%s %v%v", v.Name, v.DType, v.Shape))
	}
	return list
}

func (f *fetched) encode(format string, meta map[string]string) ([]byte, error) {
	switch format {
	case "graph":
		return f.raw, nil
	case "onnx":
		plain, err := onnx.Standard(f.graph)
		if err != nil {
			return nil, err
		}
		return onnx.SaveWith(plain, meta)
	}
	list := f.graph.Initializers
	if f.run != nil {
		list = nil
		for _, t := range f.graph.Initializers {
			if _, trained := slices.BinarySearch(f.run.Spec.Params, t.Name); trained {
				list = append(list, tensor.Named{Name: t.Name, Tensor: t.Tensor})
			}
		}
	}
	return safetensors.Encode(list, meta)
}

// statement says what the ledger knows of a model, in the words of in-toto and SLSA. Files are added later.
func statement(ctx context.Context, l Ledger, c *Card, f *fetched) (*provenance.Statement, error) {
	m := f.model
	p := provenance.Predicate{
		BuildDefinition: provenance.Definition{
			BuildType: provenance.Deposited,
			External:  provenance.External{Network: network.ChainID, Model: m.ID, Name: m.Name, Run: m.Run, Author: m.Author},
			Internal:  provenance.Internal{Rounds: m.Rounds, Records: m.Tokens, Height: uint64(m.Height), Lineage: c.Lineage},
		},
		RunDetails: provenance.Details{
			Builder:  provenance.Builder{ID: "mutirao:account/" + m.Author.String()},
			Metadata: provenance.Metadata{InvocationID: "mutirao:model/" + m.ID.String()},
			Byproducts: []provenance.Resource{
				{Name: "model", URI: "mutirao:model/" + m.ID.String(), Digest: map[string]string{provenance.DigestModel: m.ID.String()}},
				{Name: "weights", Digest: map[string]string{provenance.DigestWeights: m.Weights.String()}},
				{Name: "program", Digest: map[string]string{provenance.DigestProgram: m.Program.String()}},
			},
		},
	}
	if f.run != nil {
		d, err := l.Dataset(ctx, m.Dataset)
		if err != nil {
			return nil, err
		}
		p.BuildDefinition.BuildType, p.BuildDefinition.Internal.Params = provenance.Trained, f.run.Spec.Params
		p.RunDetails.Builder.ID, p.RunDetails.Metadata.InvocationID = "mutirao:network/"+network.ChainID, "mutirao:run/"+m.Run.String()
		p.BuildDefinition.Dependencies = []provenance.Resource{{
			Name: d.Name, URI: "mutirao:dataset/" + d.ID.String(), Annotations: map[string]string{"lineage": string(m.Lineage), "licence": d.Licence, "steward": d.Steward.String()},
			Digest: map[string]string{provenance.DigestDataset: d.ID.String(), provenance.DigestRecords: d.Root.String()},
		}}
	}
	for _, parent := range m.Parents {
		p.BuildDefinition.Dependencies = append(p.BuildDefinition.Dependencies, provenance.Resource{
			URI: "mutirao:model/" + parent.Model.String(), Digest: map[string]string{provenance.DigestModel: parent.Model.String()},
			Annotations: map[string]string{"lineage": string(parent.Lineage), "royalty": percent(parent.PPM)},
		})
	}
	return provenance.NewStatement(p), nil
}

// readme is the model card.
func readme(c *Card, s *provenance.Statement, inputs, outputs []string) []byte {
	d := s.Predicate.BuildDefinition
	a := provenance.About{
		Name: c.Name, ID: c.ID.String(), Network: d.External.Network, Trained: d.BuildType == provenance.Trained, Provenance: provenanceFile,
		Inputs: inputs, Outputs: outputs,
	}
	if a.Trained {
		a.Run = d.External.Run.String()
	}
	for _, r := range d.Dependencies {
		if r.Digest[provenance.DigestDataset] != "" {
			a.Datasets = append(a.Datasets, fmt.Sprintf("%s (%s), %s", r.Name, r.Annotations["licence"], r.URI))
		} else {
			a.Parents = append(a.Parents, r.URI)
		}
	}
	a.Lineage = tree(c.Lineage, "", "")
	a.Shares = "| Holder | Holds | First given for |\n|---|---|---|\n"
	for _, h := range c.Holders {
		a.Shares += fmt.Sprintf("| `%s` | %s | %s |\n", h.Holder, percent(h.PPM), given(h))
	}
	for _, r := range s.Subject {
		a.Files = append(a.Files, r.Name)
	}
	return provenance.ModelCard(a)
}

// writeFolder makes a folder with files, as a whole: a crash leaves none of it, or all.
func writeFolder(dir string, files []oci.File) error {
	taken := func(err error) error {
		return failure.New(failure.General, "cannot write "+dir, err, "choose a folder that does not exist yet")
	}
	if _, err := os.Lstat(dir); err == nil {
		return taken(errors.New("it exists"))
	}
	dir = filepath.Clean(dir)
	next, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+".next-*")
	if err != nil {
		return taken(err)
	}
	defer os.RemoveAll(next)
	for _, f := range files {
		if err := writeSynced(filepath.Join(next, f.Name), f.Content); err != nil {
			return failure.New(failure.General, "cannot write "+dir, err, "look for space on the disk")
		}
	}
	if err := os.Chmod(next, 0o755); err != nil {
		return taken(err)
	}
	if err := os.Rename(next, dir); err != nil {
		return taken(err)
	}
	return nil
}

func writeSynced(name string, content []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

// exported is the answer for machines.
type exported struct {
	Schema string                `json:"schema"` // "mutirao.model-export/v1"
	Model  protocol.Hash         `json:"model"`
	Signer protocol.Account      `json:"signer"`
	Dir    string                `json:"dir,omitzero"`
	Files  []provenance.Resource `json:"files"`
}

func newExport(o *options) *cobra.Command {
	var wanted []string
	var elsewhere string
	cmd := &cobra.Command{
		Use: "export MODEL FOLDER", Short: "Write a model's files with a card and signed provenance", Args: cobra.ExactArgs(2),
		Long: `Write a model's files with a card and signed provenance: ` + onnxFile + ` for other programs, ` + tensorsFile + ` with the trained weights, ` + graphFile + ` in
the network's own encoding, from which the model's id follows, ` + bomFile + `, a bill of materials in CycloneDX, ` + cardFile + ` as model hubs read it, and ` + provenanceFile + `: an in-toto statement in a DSSE envelope
that this folder's account signs. The model's id is recomputed from its bytes first, so the validator that is asked need not be trusted for them.`,
		Example: `  mutirao models export f673 ./diagnosis --network ./network
  mutirao models export f673 ./diagnosis --format onnx,safetensors --provenance diagnosis.intoto.jsonl
  mutirao models verify-provenance ./diagnosis`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := o.Read(cmd.Context())
			if err != nil {
				return err
			}
			id, err := Find(cmd.Context(), c, args[0])
			if err != nil {
				return running.Refused("the models cannot be read", err, "try again")
			}
			b, err := o.pack(cmd.Context(), c, id, wanted)
			if err != nil {
				return err
			}
			files := b.files
			if elsewhere != "" {
				last := len(files) - 1
				if err := writeSynced(elsewhere, files[last].Content); err != nil {
					return failure.New(failure.General, "cannot write "+elsewhere, err, "choose a name that is not taken")
				}
				files = files[:last]
			}
			if err := writeFolder(args[1], files); err != nil {
				return err
			}
			answer := exported{"mutirao.model-export/v1", id, b.signer, args[1], b.statement.Subject}
			return o.Answer(cmd, answer, func(w io.Writer) error { return b.print(w, args[1], elsewhere) })
		},
	}
	cmd.Flags().StringSliceVar(&wanted, "format", []string{"onnx", "safetensors", "graph"}, "formats to write")
	cmd.Flags().StringVar(&elsewhere, "provenance", "", "write the provenance to this file instead of the folder")
	return cmd
}

func (b *bundle) print(w io.Writer, dir, elsewhere string) error {
	for _, f := range b.files {
		name := filepath.Join(dir, f.Name)
		if f.Name == provenanceFile && elsewhere != "" {
			name = elsewhere
		}
		if _, err := fmt.Fprintf(w, "%s  %d bytes\n", name, len(f.Content)); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "model %s, lineage %s, signed by %s\n", short(b.card.ID), b.statement.Metadata()[provenance.MetaLineage], b.signer)
	return err
}
