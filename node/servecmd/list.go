package servecmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mutirao/mutirao/chain/asks"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/request"
)

// listing is what `mutirao ask list` prints.
type listing struct {
	Schema   string  `json:"schema"` // "mutirao.requests/v1"
	Height   uint64  `json:"height"`
	Requests []shown `json:"requests"`
}

// choice says which requests are listed.
type choice struct {
	mine, worker, open, quiet bool
	account                   string
}

func newList(o *options) *cobra.Command {
	var ch choice
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Requests that are open, or that an account has made or answers",
		Long: `Requests that have not ended; with --mine those that the account has made, with --worker those in which it has a seat, both also for 50,000
blocks after their end. --account names another account than that of the key, such as a contract.`,
		Example: "  mutirao ask list\n  mutirao ask list --mine --open\n  mutirao ask list --mine --account 0x5fbd…      of a contract",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, _, err := o.connect(cmd.Context())
			if err != nil {
				return err
			}
			defer c.Close()
			l, err := ch.list(cmd.Context(), c)
			switch {
			case err != nil:
				return err
			case o.json:
				return json.NewEncoder(cmd.OutOrStdout()).Encode(l)
			case ch.quiet:
				for _, s := range l.Requests {
					fmt.Fprintln(cmd.OutOrStdout(), s.Request)
				}
				return nil
			}
			return l.print(cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.BoolVar(&ch.mine, "mine", false, "those that the account has made")
	f.BoolVar(&ch.worker, "worker", false, "those in which the account has a seat")
	f.BoolVar(&ch.open, "open", false, "of these only those that have not ended")
	f.StringVar(&ch.account, "account", "", "0x and 40 digits; default that of the key")
	f.BoolVarP(&ch.quiet, "quiet", "q", false, "ids only")
	return cmd
}

func (ch choice) list(ctx context.Context, c *asks.Client) (listing, error) {
	l := listing{Schema: "mutirao.requests/v1", Requests: []shown{}}
	who := c.Account()
	if ch.account != "" {
		if err := who.UnmarshalText([]byte(strings.ToLower(ch.account))); err != nil {
			return l, failure.New(failure.Usage, fmt.Sprintf("%.60q is no account", ch.account), err, "write it as 0x and 40 hexadecimal digits")
		}
		ch.mine = ch.mine || !ch.worker
	}
	ids, err := c.Wanted(ctx)
	if ch.mine || ch.worker {
		ids, err = c.Of(ctx, who)
	}
	if err != nil {
		return l, err
	}
	p, err := measure(ctx, c)
	if err != nil {
		return l, err
	}
	l.Height = p.height
	for _, id := range ids {
		r, err := c.Request(ctx, id)
		if errors.Is(err, protocol.ErrNotFound) { // it was forgotten meanwhile
			continue
		}
		if err != nil {
			return l, err
		}
		seated := slices.ContainsFunc(r.Workers, func(w request.Worker) bool { return w.Account == who })
		if ch.open && r.Status.Final() || (ch.mine || ch.worker) && !(ch.mine && r.From == who || ch.worker && seated) {
			continue
		}
		l.Requests = append(l.Requests, describe(r, p))
	}
	slices.SortStableFunc(l.Requests, func(a, b shown) int { // what changes first comes first
		switch {
		case a.Due < b.Due:
			return -1
		case a.Due > b.Due:
			return 1
		}
		return 0
	})
	return l, nil
}

// print writes a table.
func (l listing) print(w io.Writer) error {
	if len(l.Requests) == 0 {
		_, err := fmt.Fprintf(w, "no requests, up to block %d\n", l.Height)
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "REQUEST\tMODEL\tSTATUS\tFINALITY\tSEATS\tPRICE\tCALLBACK\tUNTIL")
	for _, s := range l.Requests {
		state := "-"
		if s.Callback != nil {
			state = s.Callback.State
		}
		fmt.Fprintf(t, "%.8s\t%.8s\t%s\t%s\t%d/%d\t%s\t%s\t%s\n", s.Request, s.Model, s.Status, s.Finality, len(s.Seats), s.Workers, s.Price.Coins(), state, s.when())
	}
	return t.Flush()
}

func newDeliver(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "deliver ID",
		Short: "Call the contract that waits for an answer, or once more after it failed",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, _, err := o.connect(cmd.Context())
			if err != nil {
				return err
			}
			defer c.Close()
			id, err := resolve(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			why, err := c.Deliver(cmd.Context(), id)
			switch {
			case errors.Is(err, protocol.ErrDuplicate):
				return failure.New(failure.General, "nothing was delivered", errors.New("the contract was called already, and took it"), "mutirao ask show "+args[0])
			case errors.Is(err, protocol.ErrPhase):
				return failure.New(failure.General, "nothing can be delivered", errors.New("the answer is not final, or no contract waits for it"), "mutirao ask show "+args[0])
			case err != nil:
				return missing(err, args[0])
			case why != "":
				return failure.New(failure.General, "the contract did not take the answer", errors.New(why), "repair it, then mutirao ask deliver "+args[0])
			}
			if o.json {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(struct {
					Schema    string        `json:"schema"`
					Request   protocol.Hash `json:"request"`
					Delivered bool          `json:"delivered"`
				}{"mutirao.delivery/v1", id, true})
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "delivered")
			return err
		},
	}
}
