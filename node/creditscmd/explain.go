package creditscmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/ledgeraudit"
	"github.com/mutirao/mutirao/protocol/work"
)

// Explanation is one movement, or one receipt of a run, in words.
type Explanation struct {
	Schema   string                `json:"schema"` // "mutirao.credits-explanation/v1"
	Movement *ledgeraudit.Movement `json:"movement,omitempty"`
	Receipt  *work.Receipt         `json:"receipt,omitempty"`
	Text     []string              `json:"text"`
}

func newExplain(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain ID",
		Short: "One movement or receipt in words, with the arithmetic that led to it",
		Long: `One movement in words: its price, split and burn, or, for a dividend, the chain of uses and models that it comes from. An id such as
512.3 is a movement of the account (mutirao credits history lists them); an id such as r3-u2, or RUN/r3-u2 if several runs have
one, is a receipt of a training run, whoever was paid.`,
		Example: "  mutirao credits explain 512.3\n  mutirao credits explain r3-u2 --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			explain := o.movement
			if strings.Contains(args[0], "r") {
				explain = o.receipt
			}
			x, err := explain(cmd, args[0])
			if err != nil {
				return err
			}
			return o.Answer(cmd, x, x.print)
		},
	}
	o.cache(cmd)
	return cmd
}

var errStranger = errors.New("no movement of the account has this id")

// movement finds a movement by reading the log up to its block.
func (o *options) movement(cmd *cobra.Command, id string) (x Explanation, err error) {
	at, err := parseID(id)
	if err != nil {
		return x, err
	}
	who, _, err := o.movements(cmd, func(m ledgeraudit.Movement) bool {
		here, _ := parseID(m.ID)
		if here == at {
			x.Movement = &m
		}
		return here.before(at)
	})
	if err != nil {
		return x, err
	}
	if x.Movement == nil {
		return x, failure.New(failure.NotFound, "there is no movement "+id+" of "+who.String(), errStranger, "mutirao credits history  lists them; --account names another account")
	}
	m := x.Movement
	verb, way := "paid", "to"
	if m.In {
		verb, way = "received", "from"
	}
	what := fmt.Sprintf("Block %d: %s %s %s %s %s, for: %s.", m.Height, who, verb, coins(m.Amount), way, other(*m), m.Why)
	if m.Amount == "0" {
		what = fmt.Sprintf("Block %d: %s received nothing, for: %s.", m.Height, who, m.Why)
	}
	x.Schema, x.Text = "mutirao.credits-explanation/v1", []string{what}
	for _, why := range m.Because {
		x.Text = append(x.Text, strings.ToUpper(why[:1])+why[1:]+".")
	}
	if m.Tx != "" {
		x.Text = append(x.Text, "Transaction "+m.Tx+".")
	} else {
		x.Text = append(x.Text, "No transaction asked for it: it was due at the end of the block.")
	}
	x.Text = append(x.Text, fmt.Sprintf("The account had %s after the block.", coins(m.Balance)))
	return x, nil
}

// receipt finds a receipt among those of all runs.
func (o *options) receipt(cmd *cobra.Command, id string) (x Explanation, err error) {
	run, name, ok := strings.Cut(id, "/")
	if !ok {
		run, name = "", id
	}
	found, _, err := o.receipts(cmd.Context(), run, func(r work.Receipt) bool { return r.ID == name })
	switch {
	case err != nil:
		return x, err
	case len(found) == 0:
		return x, failure.New(failure.NotFound, "there is no receipt "+id, errNoReceipt, "mutirao credits receipts  lists them; mutirao credits history lists movements, which have ids such as 512.3")
	case len(found) > 1:
		return x, failure.New(failure.Usage, "which receipt is meant", fmt.Errorf("%w: runs %.8s and %.8s", errSeveral, found[0].Run, found[1].Run), fmt.Sprintf("mutirao credits explain %.8s/%s", found[0].Run, name))
	}
	return Explanation{Schema: "mutirao.credits-explanation/v1", Receipt: &found[0], Text: []string{found[0].Explain(), "Proof for people without a node: " + proof(found[0])}}, nil
}

var (
	errNoReceipt = errors.New("no run keeps a receipt with this id")
	errSeveral   = errors.New("several runs have a receipt with this id")
)

// receipts are those that want takes, of runs whose id begins so, of which there are n.
func (o *options) receipts(ctx context.Context, run string, want func(work.Receipt) bool) (found []work.Receipt, n int, err error) {
	c, err := o.Read(ctx)
	if err != nil {
		return nil, 0, err
	}
	runs, err := c.Runs(ctx)
	if err != nil {
		return nil, 0, err
	}
	for _, r := range runs {
		if !strings.HasPrefix(r.String(), run) {
			continue
		}
		n++
		list, err := c.Receipts(ctx, r)
		if err != nil {
			return nil, n, err
		}
		for _, receipt := range list {
			if want(receipt) {
				found = append(found, receipt)
			}
		}
	}
	return found, n, nil
}

// print writes the sentences, one a line.
func (x Explanation) print(w io.Writer) error {
	_, err := fmt.Fprintln(w, strings.Join(x.Text, "\n"))
	return err
}
