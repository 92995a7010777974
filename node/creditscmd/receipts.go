package creditscmd

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
)

// Receipts are what runs have paid.
type Receipts struct {
	Schema string         `json:"schema"` // "mutirao.credits-receipts/v1"
	List   []work.Receipt `json:"list"`
}

func newReceipts(o *options) *cobra.Command {
	var mine bool
	cmd := &cobra.Command{
		Use:   "receipts [RUN]",
		Short: "What runs have paid, unit by unit, with what proves it",
		Long: `The receipts of a training run, or of all: who was paid what for which unit. RUN may be shortened. Each receipt is explained by mutirao
credits explain RUN/RECEIPT, and proven to people without a node by mutirao proof receipt RUN RECEIPT.`,
		Example: "  mutirao credits receipts\n  mutirao credits receipts 44cb --mine --json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			run, paid := "", func(work.Receipt) bool { return true }
			if len(args) > 0 {
				run = strings.ToLower(strings.TrimPrefix(args[0], "0x"))
			}
			if mine || o.account != "" {
				who, err := o.who()
				if err != nil {
					return err
				}
				paid = func(r work.Receipt) bool { return r.To == who }
			}
			list, runs, err := o.receipts(cmd.Context(), run, paid)
			if err != nil {
				return err
			}
			if run != "" && runs == 0 {
				return failure.New(failure.NotFound, fmt.Sprintf("there is no run %.64s", run), protocol.ErrNotFound, "mutirao credits receipts  lists those of all runs")
			}
			r := Receipts{"mutirao.credits-receipts/v1", append([]work.Receipt{}, list...)}
			return o.Answer(cmd, r, r.print)
		},
	}
	cmd.Flags().BoolVar(&mine, "mine", false, "only what was paid to the account")
	return cmd
}

// proof is the command that proves a receipt.
func proof(r work.Receipt) string { return fmt.Sprintf("mutirao proof receipt %s %s", r.Run, r.ID) }

// print writes a table.
func (r Receipts) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RUN\tRECEIPT\tFOR\tTO\tAMOUNT\tBLOCK")
	var total money.Amount
	for _, one := range r.List {
		total = total.Plus(one.Amount)
		fmt.Fprintf(t, "%.8s\t%s\t%s\t%s\t%s\t%d\n", one.Run, one.ID, one.Kind, one.To, one.Amount.Coins(), one.Height)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(r.List) == 0 {
		_, err := fmt.Fprintln(w, "no receipts")
		return err
	}
	_, err := fmt.Fprintf(w, "%d receipts, %s; the last is proven by: %s\n", len(r.List), total.Coins(), proof(r.List[len(r.List)-1]))
	return err
}
