package node

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mutirao/mutirao/node/disputecmd"
	"github.com/mutirao/mutirao/node/running"
)

// disputeFlags are those of every dispute command.
type disputeFlags struct{ running.Flags }

func newDispute() *cobra.Command {
	f := &disputeFlags{}
	cmd := &cobra.Command{
		Use:   "dispute",
		Short: "Read disputes in words, and play a side of one",
		Long: `Read disputes in words, and play a side of one.

Anybody may dispute what a worker claims to have computed, or what a verifier names as the aggregate of a round. The two narrow
it down by signed moves to one micro-operation or one byte, which every validator computes; whoever is wrong loses its bond. Providers and verifiers play
by themselves; these commands are for looking, and for whoever is no member.`,
		Example: `  mutirao demo --keep --dir ./network       a network on this machine; in another terminal:
  export MUTIRAO_NETWORK=./network
  mutirao dispute list                      all disputes, open and ended
  mutirao dispute explain 9c0456a6          each move in words
  mutirao dispute open --round 3 --unit 1 --dir ./me
  mutirao dispute play 9c0456a6 --dir ./me  play to the end, from a re-execution on this machine`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f.Add(cmd, "")
	cmd.AddCommand(disputeList(f), disputeShow(f, false), disputeShow(f, true), disputeOpen(f), disputePlay(f))
	return cmd
}

func disputeList(f *disputeFlags) *cobra.Command {
	var run string
	cmd := &cobra.Command{
		Use: "list", Short: "All disputes, open and ended", Args: cobra.NoArgs,
		Example: "  mutirao dispute list\n  mutirao dispute list --run 3fa2 --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := disputecmd.Open(cmd.Context(), f.Network)
			if err != nil {
				return err
			}
			l, err := c.List(cmd.Context(), run)
			if err != nil {
				return err
			}
			return f.Answer(cmd, l, l.Print)
		},
	}
	cmd.Flags().StringVar(&run, "run", "", "only about the run whose id begins so")
	return cmd
}

func disputeShow(f *disputeFlags, explain bool) *cobra.Command {
	cmd := &cobra.Command{Use: "show ID", Short: "One dispute: who against whom, about what, how far it is", Example: "  mutirao dispute show 9c0456a6"}
	if explain {
		cmd = &cobra.Command{Use: "explain ID", Short: "One dispute, each move in words", Example: "  mutirao dispute explain 9c0456a6"}
	}
	cmd.Args = cobra.ExactArgs(1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := disputecmd.Open(cmd.Context(), f.Network)
		if err != nil {
			return err
		}
		o, err := c.Show(cmd.Context(), args[0], explain)
		if err != nil {
			return err
		}
		return f.Answer(cmd, o, o.Print)
	}
	return cmd
}

func disputeOpen(f *disputeFlags) *cobra.Command {
	var dir, run, aggregate string
	var round, unit uint32
	var nonce uint64
	cmd := &cobra.Command{
		Use: "open", Short: "Dispute a unit, or an aggregate as a verifier named it; locks a bond, which is lost if the claim stands", Args: cobra.NoArgs,
		Example: "  mutirao dispute open --round 3 --unit 1 --dir ./me\n  mutirao dispute open --round 3 --aggregate 0x7a3f --dir ./me",
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := disputecmd.OpenPlayer(cmd.Context(), f.Network, dir, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			defer p.Close()
			id, err := p.Challenge(cmd.Context(), run, round, unit, aggregate, nonce)
			if err != nil {
				return err
			}
			if f.JSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]string{"schema": "mutirao.dispute-opened/v1", "id": id.String()})
			}
			fmt.Fprintln(cmd.OutOrStdout(), id)
			fmt.Fprintf(cmd.ErrOrStderr(), "next: mutirao dispute play %s --dir %s\n", id.String()[:12], dir)
			return nil
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&dir, "dir", defaultDir(), "folder with the account's key")
	fl.StringVar(&run, "run", "", "the run whose id begins so; default the newest")
	fl.Uint32Var(&round, "round", 0, "number of the open round")
	fl.Uint32Var(&unit, "unit", 0, "number of the unit")
	fl.StringVar(&aggregate, "aggregate", "", "the verifier whose account begins so: what it named as the round's aggregate is disputed")
	fl.Uint64Var(&nonce, "nonce", 0, "another number for a second dispute about one claim")
	cmd.MarkFlagRequired("round")
	cmd.MarkFlagsOneRequired("unit", "aggregate")
	cmd.MarkFlagsMutuallyExclusive("unit", "aggregate")
	return cmd
}

func disputePlay(f *disputeFlags) *cobra.Command {
	var dir, answer string
	var choose int64
	var dry bool
	cmd := &cobra.Command{
		Use: "play ID", Short: "Play the side of a folder's account, by itself or by hand", Args: cobra.ExactArgs(1),
		Long: `Play the side of a folder's account in a dispute, to its end: the unit is executed on this machine, and the moves follow from that.
With --choose or --answer one move is made by hand. With --dry-run the move that is due is told and not sent.

Stopping loses nothing but time on the clock: the same command goes on.`,
		Example: `  mutirao dispute play 9c0456a6 --dir ./me             to the end
  mutirao dispute play 9c0456a6 --dir ./me --dry-run   what would this machine do now?
  mutirao dispute play 9c0456a6 --dir ./me --choose 3  one choice of the challenger, by hand`,
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := disputecmd.OpenPlayer(cmd.Context(), f.Network, dir, cmd.OutOrStdout())
			if err != nil {
				return err
			}
			defer p.Close()
			switch {
			case choose >= 0:
				return p.Choose(cmd.Context(), args[0], uint32(choose))
			case answer != "":
				return p.Answer(cmd.Context(), args[0], answer)
			}
			return p.Play(cmd.Context(), args[0], dry)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&dir, "dir", defaultDir(), "folder with the account's key")
	fl.Int64Var(&choose, "choose", -1, "as the challenger, make this choice and no other move")
	fl.StringVar(&answer, "answer", "", "as the defender, send the bytes of this file and no other move")
	fl.BoolVar(&dry, "dry-run", false, "tell the move that is due and send nothing")
	return cmd
}
