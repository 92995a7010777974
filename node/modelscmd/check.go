package modelscmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/provenance"
	"github.com/mutirao/mutirao/node/running"
	"github.com/mutirao/mutirao/protocol"
)

// Verdict is what was found about a provenance file and the files that it is about.
type Verdict struct {
	Schema  string               `json:"schema"` // "mutirao.provenance-verdict/v1"
	Holds   bool                 `json:"holds"`
	Model   protocol.Hash        `json:"model"`
	Name    string               `json:"name"`
	Lineage string               `json:"lineage"`
	Signers []protocol.Account   `json:"signers"`
	Files   []provenance.Finding `json:"files"`
	Ledger  *Agreement           `json:"ledger,omitzero"` // absent if no network was asked
}

// Agreement is what the ledger says of a statement.
type Agreement struct {
	Holds  bool   `json:"holds"`
	Detail string `json:"detail"`
}

var errDiffers = errors.New("files, signature and statement do not fit together")

// verify reads a provenance file and checks signatures and files; with a ledger also that the statement says what the ledger knows.
func verify(ctx context.Context, file, dir string, l Ledger) ([]Verdict, error) {
	next := "give a file that mutirao models export wrote, or its folder"
	f, err := os.Open(file)
	if err != nil {
		code := failure.General
		if errors.Is(err, fs.ErrNotExist) {
			code = failure.NotFound
		}
		return nil, failure.New(code, "cannot read "+file, err, next)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, provenance.MaxFile+1))
	if err != nil {
		return nil, failure.New(failure.General, "cannot read "+file, err, next)
	}
	envelopes, err := provenance.Parse(raw)
	if err != nil {
		return nil, failure.New(failure.Unverified, file+" says nothing of a model", err, next)
	}
	var list []Verdict
	for _, e := range envelopes {
		v, err := judge(ctx, e, dir, l)
		if err != nil {
			return nil, err
		}
		list = append(list, *v)
	}
	return list, nil
}

func judge(ctx context.Context, e *provenance.Envelope, dir string, l Ledger) (*Verdict, error) {
	s, signers, err := e.Open()
	if err != nil {
		return nil, failure.New(failure.Unverified, "the provenance does not hold", err, "ask who gave it to you for the original")
	}
	external := s.Predicate.BuildDefinition.External
	v := &Verdict{
		Schema: "mutirao.provenance-verdict/v1", Holds: true, Model: external.Model, Name: external.Name, Lineage: s.Metadata()[provenance.MetaLineage], Signers: signers,
	}
	if v.Files, err = provenance.Check(s, dir); err != nil {
		return nil, failure.New(failure.General, "the files cannot be read", err, "check the permissions of "+dir)
	}
	for _, f := range v.Files {
		v.Holds = v.Holds && f.Holds
	}
	if l != nil {
		if v.Ledger, err = agree(ctx, l, s); err != nil {
			return nil, running.Refused("the ledger cannot be asked", err, "try again, or without --network")
		}
		v.Holds = v.Holds && v.Ledger.Holds
	}
	return v, nil
}

// agree compares a statement with what a ledger knows of the model, but for the files, which are the signer's word.
func agree(ctx context.Context, l Ledger, s *provenance.Statement) (*Agreement, error) {
	external := s.Predicate.BuildDefinition.External
	if external.Network != network.ChainID {
		return &Agreement{false, fmt.Sprintf("the statement is about network %.60q, this is %s", external.Network, network.ChainID)}, nil
	}
	card, err := Read(ctx, l, external.Model)
	if errors.Is(err, protocol.ErrNotFound) {
		return &Agreement{false, "the ledger does not know the model"}, nil
	}
	if err != nil {
		return nil, err
	}
	m, err := l.Model(ctx, external.Model)
	if err != nil {
		return nil, err
	}
	f := &fetched{model: m}
	if !m.Run.IsZero() {
		if f.run, err = l.Run(ctx, m.Run); err != nil {
			return nil, err
		}
	}
	want, err := statement(ctx, l, card, f)
	if err != nil {
		return nil, err
	}
	mine, err := json.Marshal(want.Predicate)
	if err != nil {
		return nil, err
	}
	theirs, err := json.Marshal(s.Predicate)
	if err != nil {
		return nil, err
	}
	if !sameJSON(mine, theirs) {
		return &Agreement{false, "the ledger knows another origin of the model, other weights or another program"}, nil
	}
	return &Agreement{true, "origin, weights and program are as the ledger has them"}, nil
}

// sameJSON compares values: the lineage of a statement that was read has its keys in another order.
func sameJSON(a, b []byte) bool {
	canonical := func(raw []byte) string {
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		var v any
		if dec.Decode(&v) != nil {
			return ""
		}
		out, _ := json.Marshal(v) // what was unmarshalled marshals
		return string(out)
	}
	return canonical(a) != "" && canonical(a) == canonical(b)
}

// Print writes the verdict for people.
func (v Verdict) Print(w io.Writer) error {
	word := map[bool]string{true: "ok  ", false: "FAIL"}
	fmt.Fprintf(w, "model %s %q, lineage %s\n", short(v.Model), v.Name, v.Lineage)
	for _, s := range v.Signers {
		fmt.Fprintf(w, "ok    signed by %s\n", s)
	}
	for _, f := range v.Files {
		fmt.Fprintf(w, "%s  %s: %s\n", word[f.Holds], clean(f.File), clean(f.Detail))
	}
	if v.Ledger != nil {
		fmt.Fprintf(w, "%s  ledger: %s\n", word[v.Ledger.Holds], v.Ledger.Detail)
	}
	return nil
}

func newVerify(o *options) *cobra.Command {
	var in string
	cmd := &cobra.Command{
		Use: "verify-provenance FILE", Short: "Check a model's files against its signed provenance", Args: cobra.ExactArgs(1),
		Long: `Check a model's files against its signed provenance: the signature, the SHA-256 of every file that it names, and, from the contents, the ids
inside them, the root of the weights and the id of the model. FILE is a provenance file or the folder that mutirao models export made. With --network (not
with $MUTIRAO_NETWORK alone) the ledger is asked, too. Who signed is told; whether you trust them is yours to say. Exit code 9 if something does not fit.`,
		Example: `  mutirao models verify-provenance ./diagnosis
  mutirao models verify-provenance diagnosis.intoto.jsonl --in ./diagnosis --network ./network`,
		RunE: func(cmd *cobra.Command, args []string) error {
			file := args[0]
			if info, err := os.Stat(file); err == nil && info.IsDir() {
				file = filepath.Join(file, provenanceFile)
			}
			dir := in
			if dir == "" {
				dir = filepath.Dir(file)
			}
			var l Ledger
			if cmd.Flags().Changed("network") {
				c, err := o.Read(cmd.Context())
				if err != nil {
					return err
				}
				l = c
			}
			list, err := verify(cmd.Context(), file, dir, l)
			if err != nil {
				return err
			}
			holds := true
			for _, v := range list {
				holds = holds && v.Holds
				if err := o.Answer(cmd, v, v.Print); err != nil {
					return err
				}
			}
			if !holds {
				return failure.New(failure.Unverified, "the provenance does not hold", errDiffers, "ask who gave the files to you for the original")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&in, "in", "", "folder of the files; that of FILE if not given")
	return cmd
}
