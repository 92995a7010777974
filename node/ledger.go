package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/ledgeraudit"
)

// shownFindings is how many findings a terminal gets; --json has all.
const shownFindings = 20

var errBooks = errors.New("the ledger's books differ from its own log")

func newLedger() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ledger",
		Short: "Check the ledger's books, and carry its state to another network",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newLedgerAudit(), newLedgerExport(), newLedgerImport())
	return cmd
}

func newLedgerAudit() *cobra.Command {
	var o ledgeraudit.Options
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "audit [folder]",
		Short: "Recompute every balance, share and receipt from the log of blocks alone",
		Long: `Recompute every balance, escrow, share, dividend and receipt of a network from its genesis and the log of its blocks, with a
second implementation of the rules of money that shares no code with the ledger, and compare them with the ledger's state to
the last unit. Where they differ, the first block with a difference is named, and the transactions that touch it.

Read from the log are transactions, whether they were carried out, gas, base fees and verdicts (which units counted, who was
expelled); no amount that the ledger announced. The folder is a validator's, or a demo's kept with --dir; with --rpc a running
validator is asked. A network that was imported goes on from the state of another, which is taken as it is; with
--before, that one's folder, both logs are read as one. A network that was imported goes on from another's state: name that one's folder with --before, and both logs are read
as one. The exit code is 9 if anything differs.`,
		Example: "  mutirao ledger audit ./network                        after mutirao demo --dir ./network\n  mutirao ledger audit --rpc http://127.0.0.1:26657     a running validator",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.Dir = args[0]
			}
			if (o.Dir == "") == (o.RPC == "") {
				return failure.New(failure.Usage, "nothing to audit, or two things", errors.New("name a folder or --rpc, not both"), "mutirao ledger audit ./network")
			}
			shown := time.Now()
			o.Progress = func(height, last int64) {
				if time.Since(shown) > time.Second {
					shown = time.Now()
					fmt.Fprintf(cmd.ErrOrStderr(), "block %d of %d\n", height, last)
				}
			}
			return ledgerAudit(cmd, o, asJSON)
		},
	}
	cmd.Flags().StringVar(&o.RPC, "rpc", "", "CometBFT RPC of a running validator")
	cmd.Flags().StringArrayVar(&o.Before, "before", nil, "folder of the network from whose export this one goes on; if that goes on from another, name the older one first")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func ledgerAudit(cmd *cobra.Command, o ledgeraudit.Options, asJSON bool) error {
	r, err := ledgeraudit.Audit(cmd.Context(), o)
	if err != nil {
		return auditFailure(o, err)
	}
	out := cmd.OutOrStdout()
	if asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", " ")
		if err := e.Encode(r); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(out, "%s\n", r)
		for i, f := range r.Findings {
			if i == shownFindings {
				fmt.Fprintf(out, "… %d more (--json has all)\n", len(r.Findings)-i)
				break
			}
			fmt.Fprintln(out, f)
		}
		if r.Agrees {
			fmt.Fprintf(out, "recomputed from the log alone: every balance, escrow, share and receipt agrees to the last unit; supply %s amut\n", r.Supply)
		}
	}
	if !r.Agrees {
		return failure.New(failure.Unverified, fmt.Sprintf("%d difference(s), the first after block %d", len(r.Findings), r.Findings[0].Height), errBooks,
			"mutirao ledger audit --json, and compare with another validator's folder")
	}
	return nil
}

func auditFailure(o ledgeraudit.Options, err error) error {
	switch {
	case ledgeraudit.Missing(err):
		return failure.New(failure.NotFound, "there is no network in "+o.Dir, err, "mutirao demo --dir "+o.Dir)
	case ledgeraudit.Pruned(err):
		return failure.New(failure.NotFound, "the books cannot be recomputed from this node", err, "ask one that has all blocks: with retain_blocks = 0 in its validator.toml, and not begun from a snapshot")
	case o.RPC != "" && !errors.Is(err, context.Canceled):
		return failure.New(failure.Network, "the validator at "+o.RPC+" does not answer", err, "mutirao ledger audit FOLDER  reads a validator's folder")
	case ledgeraudit.Locked(err):
		return failure.New(failure.Denied, "the validator in "+o.Dir+" is running", err, "end it, or ask it: mutirao ledger audit --rpc http://HOST:PORT")
	}
	return err
}
