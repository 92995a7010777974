// Package node puts the layers together: configuration, roles and lifetimes. It is the one package that imports
// everything, and it holds no rule of its own. Main is the whole program.
package node

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/node/commonscmd"
	"github.com/mutirao/mutirao/node/creditscmd"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/modelscmd"
	"github.com/mutirao/mutirao/node/proofcmd"
	"github.com/mutirao/mutirao/node/servecmd"
	"github.com/mutirao/mutirao/node/vouchercmd"
)

// Main runs the program with the arguments after its name and returns its exit code. Results go to stdout,
// progress, hints and errors to stderr. The first interrupt asks every role to stop; the second ends the process.
func Main(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second interrupt is not caught

	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return failure.Report(stderr, usageFailure(root.ExecuteContext(ctx)))
}

func newRoot() *cobra.Command {
	cobra.EnableCommandSorting = false // the order says what comes first
	root := &cobra.Command{
		Use:   "mutirao",
		Short: "An open network that trains, runs and owns AI together",
		Long: `Mutirão is an open network that trains, runs and owns AI together, on machines that need not trust each other.

Every result can be recomputed bit for bit, so a cheater is found and pays for it; whoever contributed owns a
share of the model and is paid when it is used.`,
		Example: `  mutirao demo                      see the whole network at work, on this machine, in about a minute
  mutirao train dry-run run.toml    try a run file: price, time and first losses
  mutirao join <invite>             lend this machine to a run
  mutirao dev                       a chain for contracts that call models, ready in half a second`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.PersistentPreRun = func(cmd *cobra.Command, _ []string) {
		if err := kernel.SelfTest(); err != nil { // about 10 ms; it has fallen back to the portable definition
			fmt.Fprintf(cmd.ErrOrStderr(), "warning: %v\n", err)
		}
	}
	dir := defaultDir()
	for _, g := range []struct {
		title string
		list  []*cobra.Command
	}{
		{"See it work:", []*cobra.Command{newDemo(), newDev()}},
		{"Lend a machine and earn:", []*cobra.Command{newJoin(), servecmd.NewServe(dir), newMarket()}},
		{"Train, own and use models:", []*cobra.Command{newTrain(), modelscmd.New(dir), servecmd.NewAsk(dir), vouchercmd.New(dir), newModel()}},
		{"Your money and your vote:", []*cobra.Command{creditscmd.New(dir), commonscmd.New(dir), newProposal(), newDispute()}},
		{"Run and check the ledger:", []*cobra.Command{newValidator(), newLedger(), proofcmd.New(), proofcmd.NewVerify()}},
	} {
		root.AddGroup(&cobra.Group{ID: g.title, Title: g.title})
		for _, c := range g.list {
			c.GroupID = g.title
		}
		root.AddCommand(g.list...)
	}
	root.AddCommand(newVersion())
	return root
}

// usageFailure gives cobra's own complaints (unknown command, bad flag) the three-line form and exit code 2.
func usageFailure(err error) error {
	if err == nil {
		return nil
	}
	for _, sign := range []string{"unknown command", "unknown flag", "unknown shorthand flag", "invalid argument", "flag needs an argument", "accepts ", "requires at least", "required flag"} {
		if strings.HasPrefix(err.Error(), sign) {
			return failure.New(failure.Usage, "the command line was not understood", err, "mutirao help")
		}
	}
	return err
}
