// Package proofcmd is what `mutirao proof` and `mutirao verify proof` do: the first fetches, the second checks without any network.
package proofcmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/chain/lightproof"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/running"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/request"
)

// answerTimeout is how long the network has to answer.
const answerTimeout = 30 * time.Second

// New is the command that fetches.
func New() *cobra.Command {
	var network string
	var height, from int64
	cmd := &cobra.Command{
		Use:   "proof",
		Short: "Fetch a proof of a balance, a model, a share, a receipt or an answer, for people who run no node",
		Long: `Fetch what proves that the ledger holds a balance, a model, a share of one, a receipt, or a request's answer with what it is worth: the value,
its way to the hash of the state, and signed headers. Whoever gets the file checks it with mutirao verify proof, without any network, by the
height and hash of a header that they trust. With --from the headers begin at that height, so that an older trusted header will do.`,
		Example: `  mutirao proof balance 0x70997970c51812dc3a010c7d01b50e0d17dc79c8 --network ./v1 > proof.json
  mutirao proof model 9885505361e8cf26… --from 1200 > proof.json
  mutirao proof share 9885505361e8cf26… 0x70997970… > proof.json
  mutirao proof receipt RUN r3-u2 > proof.json           mutirao credits receipts lists them
  mutirao proof answer REQUEST > proof.json              mutirao ask list lists them`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f := cmd.PersistentFlags()
	f.StringVar(&network, "network", os.Getenv("MUTIRAO_NETWORK"), "folder of a network that runs on this machine, an invite, or http://HOST:PORT; default $MUTIRAO_NETWORK")
	f.Int64Var(&height, "height", 0, "block after which it was so (default the last one that another commits to)")
	f.Int64Var(&from, "from", 0, "height of the header that the reader trusts (default the one that commits to the state)")
	sub := func(use, short string, args int, subject func([]string) lightproof.Subject) {
		cmd.AddCommand(&cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(args), RunE: func(cmd *cobra.Command, args []string) error {
			return fetch(cmd, network, subject(args), height, from)
		}})
	}
	sub("model ID", "That a model is registered, with its owners and its root", 1, func(a []string) lightproof.Subject {
		return lightproof.Subject{Kind: lightproof.Model, ID: id(a[0])}
	})
	sub("receipt RUN RECEIPT", "That a unit of work was paid", 2, func(a []string) lightproof.Subject {
		run := id(a[0])
		key := a[1]
		if !strings.Contains(key, "/") {
			key = run + "/" + key // as work.Receipt.RecordKey
		}
		return lightproof.Subject{Kind: lightproof.Receipt, ID: run, Key: key}
	})
	sub("balance ACCOUNT", "What an account has", 1, func(a []string) lightproof.Subject {
		return lightproof.Subject{Kind: lightproof.Balance, ID: strings.ToLower(a[0])}
	})
	sub("share MODEL ACCOUNT", "How much of a model an account owns", 2, func(a []string) lightproof.Subject {
		return lightproof.Subject{Kind: lightproof.Share, ID: id(a[0]), Key: strings.ToLower(a[1])}
	})
	sub("answer REQUEST", "What a request was answered, and what that is worth", 1, func(a []string) lightproof.Subject {
		return lightproof.Subject{Kind: lightproof.Answer, ID: id(a[0])}
	})
	sub("request-receipt MODEL REQUEST", "How a request has ended, also long ago", 2, func(a []string) lightproof.Subject {
		return lightproof.Subject{Kind: lightproof.Ended, ID: id(a[0]), Key: id(a[1])}
	})
	return cmd
}

// id is a hash as people copy it: with or without 0x, of either case.
func id(text string) string { return strings.ToLower(strings.TrimPrefix(text, "0x")) }

func fetch(cmd *cobra.Command, network string, s lightproof.Subject, height, from int64) error {
	if _, _, err := s.StoreKey(); err != nil {
		return failure.New(failure.Usage, "nothing can be proven of that", err, "mutirao proof --help")
	}
	urls, err := running.Endpoints(network)
	if err != nil {
		return err
	}
	c, err := client.Dial(urls, client.Key{})
	if err != nil {
		return failure.New(failure.Usage, "the network's address cannot be used", err, "write it like http://127.0.0.1:26657")
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), answerTimeout)
	defer cancel()
	p, err := c.Proof(ctx, s, height, from)
	switch {
	case errors.Is(err, client.ErrUnreachable), errors.Is(err, context.DeadlineExceeded):
		return failure.New(failure.Network, "the network does not answer", err, "check the address")
	case errors.Is(err, client.ErrPruned):
		return failure.New(failure.NotFound, "there is no such proof", err, "choose a later --height, or ask a node with pruning = \"nothing\" in its validator.toml")
	case err != nil:
		return failure.New(failure.NotFound, "there is no such proof", err, "mutirao validator status  shows the node's last block")
	}
	if len(p.Value) == 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "the ledger does not hold it; the file proves that\n")
	}
	if from == 0 {
		from = p.Height + 1
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "to check it: mutirao verify proof FILE --height %d --hash …, the hash of block %d from somebody whom you trust\n", from, from)
	file, err := p.Encode()
	if err != nil {
		return err
	}
	_, err = cmd.OutOrStdout().Write(file)
	return err
}

// NewVerify is the command that checks.
func NewVerify() *cobra.Command {
	cmd := &cobra.Command{
		Use: "verify", Short: "Check what others claim, without asking anybody", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(verifyProof())
	return cmd
}

func verifyProof() *cobra.Command {
	var trust lightproof.Trust
	var hash string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "proof FILE", Short: "Check a proof of the ledger by a header that you trust", Args: cobra.ExactArgs(1),
		Long: `Check a proof by the height and hash of a header that you trust: from your own node (mutirao validator status), or from several people who do
not know each other. The hash is all that you need: it covers who validates, and the file cannot bring others. Nothing is asked of any
network. The exit code is 9 if the file proves nothing, or if a byte of it was changed.`,
		Example: "  mutirao verify proof proof.json --height 1201 --hash 27E83D10…",
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if trust.Hash, err = lightproof.ParseHash(hash); err != nil {
				return failure.New(failure.Usage, "the hash cannot be read", err, "copy it again, whole")
			}
			trust.Now = time.Now()
			f, err := verify(args[0], trust)
			if err != nil {
				return err
			}
			return write(cmd.OutOrStdout(), f, asJSON)
		},
	}
	f := cmd.Flags()
	f.Int64Var(&trust.Height, "height", 0, "of the header that you trust")
	f.StringVar(&hash, "hash", "", "of that header, 64 hexadecimal digits")
	f.DurationVar(&trust.Period, "period", lightproof.DefaultPeriod, "for how long a trusted header vouches for later ones")
	f.BoolVar(&asJSON, "json", false, "print one JSON object")
	cmd.MarkFlagRequired("height")
	cmd.MarkFlagRequired("hash")
	return cmd
}

func verify(name string, trust lightproof.Trust) (lightproof.Fact, error) {
	file, err := os.Open(name)
	if err != nil {
		return lightproof.Fact{}, failure.New(failure.NotFound, "the proof cannot be read", err, "name a file that mutirao proof has written")
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, lightproof.MaxFile+1))
	if err != nil {
		return lightproof.Fact{}, err
	}
	p, err := lightproof.Parse(raw)
	if err != nil {
		return lightproof.Fact{}, failure.New(failure.Unverified, name+" proves nothing", err, "ask for the file again")
	}
	f, err := p.Verify(trust)
	switch {
	case errors.Is(err, lightproof.ErrExpired):
		return f, failure.New(failure.Unverified, name+" proves nothing any more", err, "trust a later header, or a longer --period if you know that its validators are still bound")
	case errors.Is(err, lightproof.ErrTrust):
		return f, failure.New(failure.Unverified, name+" does not follow from what you trust", err, fmt.Sprintf("ask for one that does: mutirao proof … --from %d", trust.Height))
	case err != nil:
		return f, failure.New(failure.Unverified, name+" proves nothing", err, "ask for the file again, from somebody else")
	}
	return f, nil
}

// proven is a Fact with its value as machines want it.
type proven struct {
	lightproof.Fact
	Value  json.RawMessage `json:"value,omitempty"`
	Answer *answer         `json:"answer,omitempty"`
}

// answer is what a request was answered.
type answer struct {
	Status   string   `json:"status"`
	Finality string   `json:"finality"`
	Bits     []string `json:"bits,omitempty"` // absent if the file has the digest alone
	Output   []string `json:"output,omitempty"`
}

// answerOf reads the value of a proof of an answer; nil of any other.
func answerOf(f lightproof.Fact) (*answer, error) {
	if f.Subject.Kind != lightproof.Answer || !f.Exists {
		return nil, nil
	}
	var r request.Request
	err := json.Unmarshal(f.Value, &r)
	if err == nil && (r.Status > request.Refunded || r.Finality > request.Replayed) {
		err = fmt.Errorf("%w: status %d, finality %d", protocol.ErrInvalid, r.Status, r.Finality)
	}
	if err != nil {
		return nil, failure.New(failure.Unverified, "the request cannot be read", err, "this version may be too old for the network")
	}
	a := &answer{Status: r.Status.String(), Finality: r.Finality.String()}
	for _, bits := range f.Output {
		a.Bits = append(a.Bits, fmt.Sprintf("0x%08x", bits))
		a.Output = append(a.Output, strconv.FormatFloat(float64(math.Float32frombits(bits)), 'g', -1, 32))
	}
	return a, nil
}

func write(w io.Writer, f lightproof.Fact, asJSON bool) error {
	value := json.RawMessage(f.Value)
	answer, err := answerOf(f)
	if err != nil {
		return err
	}
	if f.Subject.Kind == lightproof.Balance {
		text := string(f.Value)
		if !f.Exists {
			text = "0"
		}
		amount, err := money.Parse(text)
		if err != nil {
			return failure.New(failure.Unverified, "the balance cannot be read", err, "this version may be too old for the network")
		}
		if !asJSON {
			_, err := fmt.Fprintf(w, "proven  %s had %s after block %d (%s)\n", f.Subject.ID, amount.Coins(), f.Height, f.Time.UTC().Format(time.RFC3339))
			return err
		}
		value, _ = json.Marshal(amount.String())
	}
	if asJSON {
		if !f.Exists && f.Subject.Kind != lightproof.Balance {
			value = nil
		}
		return json.NewEncoder(w).Encode(proven{f, value, answer})
	}
	if !f.Exists {
		_, err := fmt.Fprintf(w, "proven  the ledger did not hold %s %s %s after block %d (%s)\n", f.Subject.Kind, f.Subject.ID, f.Subject.Key, f.Height, f.Time.UTC().Format(time.RFC3339))
		return err
	}
	if answer != nil {
		if _, err := fmt.Fprintf(w, "proven  request %s was %s, %s: %s\n", f.Subject.ID, answer.Status, answer.Finality, strings.Join(answer.Output, " ")); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(w, "proven  the ledger held %s %s %s after block %d (%s)\n%s\n", f.Subject.Kind, f.Subject.ID, f.Subject.Key, f.Height, f.Time.UTC().Format(time.RFC3339), value)
	return err
}
