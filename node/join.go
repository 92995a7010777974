package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mutirao/mutirao/agent"
	"github.com/mutirao/mutirao/agent/member"
	"github.com/mutirao/mutirao/agent/provider"
	"github.com/mutirao/mutirao/agent/verifier"
	"github.com/mutirao/mutirao/agent/watcher"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/node/child"
	"github.com/mutirao/mutirao/node/event"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/invite"
	"github.com/mutirao/mutirao/node/marketcmd"
	"github.com/mutirao/mutirao/node/role"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/work"
)

// joinTimeout is how long a ledger has to answer before joining fails with a reason.
const joinTimeout = 60 * time.Second

type joinOptions struct {
	dir        string
	listen     string
	json       bool
	supervised bool
	drill      string
	reserve    string
	watch      string
	as         string
}

func newJoin() *cobra.Command {
	var o joinOptions
	cmd := &cobra.Command{
		Use:   "join <invite>",
		Short: "Lend this machine to a run: compute units, or verify them, and earn",
		Long: `Lend this machine to the run that an invite names: it fetches the data and the model from other members, computes
the units that it is assigned, and is paid for each one that holds. The bond goes back when the run ends or on leaving.

Ctrl-C stops at once and loses nothing that was sealed; the same command goes on where it stopped.

With --watch this machine is no member: it executes that share of everybody's units again, in percent, and disputes each claim that is false
while it is open to dispute. It needs no bond of the run, only coins for the bonds of its disputes, which come back with half of each
liar's bond. One honest machine with --watch 100 is enough for no false unit to be paid, whoever else lies.`,
		Example: "  mutirao join mutirao-invite-eyJjaGFpbiI6…\n  mutirao join --dir /data/lend <invite>\n  mutirao join --watch 100 <invite>",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return join(cmd.Context(), args[0], o, event.NewWriter(cmd.OutOrStdout(), o.json))
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.dir, "dir", defaultDir(), "folder for the key and for fetched data")
	f.StringVar(&o.listen, "listen", "/ip4/127.0.0.1/tcp/0", "where to serve peers, as a multiaddr")
	f.BoolVar(&o.json, "json", false, "print events as JSON, one object a line")
	f.BoolVar(&o.supervised, "supervised", false, "stop when standard input ends, as it does when the starting process is gone")
	f.StringVar(&o.reserve, "reserve", "0", "least price of a unit for which this machine works, in MUT, in a run that hires through the market")
	f.StringVar(&o.watch, "watch", "", "compute no units of this machine's own: execute this share of the others' again, in percent such as 100 or 2.5, and dispute what is false")
	f.StringVar(&o.as, "as", string(work.Provider), "what this machine does: provider computes units, verifier recomputes some and is paid for that")
	f.StringVar(&o.drill, "drill", "", "misbehave on purpose, to see that the others notice: lie:ROUND, slow:ROUND or copy")
	return cmd
}

func defaultDir() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return ".mutirao"
	}
	return filepath.Join(home, ".mutirao")
}

func join(ctx context.Context, word string, o joinOptions, news *event.Writer) error {
	if o.supervised {
		ctx = child.UntilParentEnds(ctx, os.Stdin)
	}
	v, err := invite.Parse(word)
	if err != nil {
		return failure.New(failure.Usage, "the invite cannot be read", err, "copy it again, whole, from who sent it")
	}
	if v.Chain != network.ChainID {
		return failure.New(failure.Usage, "the invite is for another network", fmt.Errorf("%w: %.60q, this version takes part in %s", errChain, v.Chain, network.ChainID), "ask for an invite to "+network.ChainID)
	}
	as := work.Role(o.as)
	if as != work.Provider && as != work.Verifier {
		return failure.New(failure.Usage, "the role is unknown", fmt.Errorf("%q is neither provider nor verifier", o.as), "mutirao join --as verifier <invite>")
	}
	drill, err := parseDrill(o.drill)
	if err != nil {
		return failure.New(failure.Usage, "the drill is unknown", err, "mutirao join --help")
	}
	reserve, err := marketcmd.ParsePrice(o.reserve)
	if err != nil {
		return err
	}
	watch, err := parseShare(o.watch)
	if err != nil {
		return failure.New(failure.Usage, "the share to watch is unknown", err, "mutirao join --watch 100 <invite>")
	}
	if watch > 0 && drill != nil {
		return failure.New(failure.Usage, "a watcher has no drill", errBoth, "choose --watch or --drill")
	}
	m, err := role.Open(ctx, role.Config{Dir: o.dir, Ledger: v.Ledger, Listen: o.listen})
	if err != nil {
		return err
	}
	defer m.Close()
	if err := reach(ctx, m, v, as, watch > 0); err != nil {
		return err
	}
	if err := findProposer(ctx, m, v); err != nil {
		return err
	}
	news.Emit(event.Event{Name: "ready", Detail: fmt.Sprintf("account %s · serves peers at %s · reachability %s", m.Identity.Account, o.listen, m.Host.Reachability())})
	observe := m.Observer(news)
	c := member.Config{
		Identity: m.Identity, Run: v.Run, Peer: m.Peer, Ledger: m.Client, Court: m.Client, Blobs: m.Blobs(), Observe: observe,
		Market: m.Client, Reserve: reserve,
	}
	var r agent.Role
	switch {
	case watch > 0:
		r = watcher.New(c, watch)
	case as == work.Verifier:
		r = verifier.New(c, verifier.DefaultPatience)
	default:
		r = provider.New(c, drill)
	}
	err = agent.Run(ctx, m.Client, v.Run, r, observe)
	if errors.Is(err, context.Canceled) && o.supervised {
		return nil // the parent has ended: nobody is left to be told
	}
	return err
}

// reach fails early, and with a reason, when the ledger does not answer or does not know the run, or when there are no coins: for the bond of
// a member, or for that of a watcher's first dispute.
func reach(ctx context.Context, m *role.Machine, v invite.Invite, as work.Role, watches bool) error {
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	if _, err := m.Client.Next(ctx, 0); err != nil {
		return failure.New(failure.Network, "the ledger does not answer", fmt.Errorf("%s: %w", strings.Join(v.Ledger, ", "), err), "check the network, or ask for a new invite")
	}
	s, err := m.Client.Run(ctx, v.Run)
	if err != nil {
		return failure.New(failure.NotFound, "the run of the invite cannot be read", err, "ask for a new invite")
	}
	if s.Phase.Ended() {
		return failure.New(failure.NotFound, "the run has ended", fmt.Errorf("%w: it is %s after %d rounds", errEnded, s.Phase, s.Done), "ask for an invite to another run")
	}
	if s.Spec.Calibration { // newcomers need no coins
		return nil
	}
	balance, err := m.Client.Balance(ctx, m.Identity.Account)
	if err != nil {
		return failure.New(failure.Network, "the balance cannot be read", err, "try again")
	}
	if watches {
		return canDispute(ctx, m, s, balance)
	}
	if _, member := s.Member(m.Identity.Account); !member && balance.Compare(s.Spec.Bond(as)) <= 0 {
		return failure.New(failure.Credit, "not enough coins for the bond",
			fmt.Errorf("%s has %s, the bond is %s and a transaction costs a little", m.Identity.Account, balance.Coins(), s.Spec.Bond(as).Coins()),
			"ask a member to send coins to "+m.Identity.Account.String())
	}
	return nil
}

// findProposer connects to who serves the data and the first model of a run of the commons; its author, the treasury, serves nothing.
func findProposer(ctx context.Context, m *role.Machine, v invite.Invite) error {
	o, err := m.Client.Proposal(ctx, v.Run)
	if errors.Is(err, protocol.ErrNotFound) || err == nil && o.Peer == "" {
		return nil
	}
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, joinTimeout)
		defer cancel()
		err = m.Host.Connect(ctx, strings.Fields(o.Peer))
	}
	if err != nil {
		return failure.New(failure.Network, "who proposed the run cannot be reached", err, "ask "+o.Proposer.String()+" to serve it: mutirao commons propose")
	}
	return nil
}

var (
	errEnded = errors.New("nothing is left to compute")
	errChain = errors.New("unknown network")
)

// slowDelay is how long a slow drill pauses: longer than any run of the demo.
const slowDelay = time.Hour

func parseDrill(text string) (provider.Drill, error) {
	kind, at, _ := strings.Cut(text, ":")
	var n uint32
	if at != "" {
		if _, err := fmt.Sscanf(at, "%d", &n); err != nil {
			return nil, fmt.Errorf("round %q is not a number", at)
		}
	}
	switch {
	case text == "":
		return nil, nil
	case text == "copy":
		return provider.Copier{}, nil
	case kind == "lie" && n > 0:
		return provider.Liar{Round: n}, nil
	case kind == "slow" && n > 0:
		return provider.Slow{Round: n, Delay: slowDelay}, nil
	}
	return nil, fmt.Errorf("%q is none of lie:ROUND, slow:ROUND, copy", text)
}
