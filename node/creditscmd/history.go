package creditscmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/mutirao/mutirao/audit"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/ledgeraudit"
	"github.com/mutirao/mutirao/protocol/money"
)

// History is a page of an account's movements.
type History struct {
	Schema  string                 `json:"schema"` // "mutirao.credits-history/v1"
	Account audit.Account          `json:"account"`
	Height  int64                  `json:"height"` // the last block
	Began   string                 `json:"began"`  // what the account had at genesis, amut
	List    []ledgeraudit.Movement `json:"list"`
	Next    string                 `json:"next,omitempty"` // what --after goes on with, if there is more
}

func newHistory(o *options) *cobra.Command {
	var limit int
	var after string
	cmd := &cobra.Command{
		Use:   "history",
		Short: "Every movement of an account's coins in order, with its block and reason",
		Long: `Every movement of an account's coins, and every receipt, in the order of blocks. They are recomputed from the log of blocks alone, as
mutirao ledger audit does, so they are complete and no amount is taken on trust. Blocks that were read once are kept in the cache folder of this
user ($XDG_CACHE_HOME, mutirao/blocks) and not asked for again; before they are believed the node confirms the hash of the last of them.
A network that does not run is read from its folder.`,
		Example: "  mutirao credits history --limit 20\n  mutirao credits history --limit 20 --after 512.3 --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 0 {
				return failure.New(failure.Usage, "the limit cannot be used", fmt.Errorf("%d is negative", limit), "write it like --limit 20; 0 is all")
			}
			from, err := parseID(after)
			if after != "" && err != nil {
				return err
			}
			h := History{Schema: "mutirao.credits-history/v1", List: []ledgeraudit.Movement{}}
			var story ledgeraudit.Story
			h.Account, story, err = o.movements(cmd, func(m ledgeraudit.Movement) bool {
				if at, _ := parseID(m.ID); after != "" && !from.before(at) {
					return true
				}
				if limit > 0 && len(h.List) == limit {
					h.Next = h.List[limit-1].ID
					return false
				}
				h.List = append(h.List, m)
				return true
			})
			if err != nil {
				return err
			}
			h.Began, h.Height = story.Began, story.Height
			return o.Answer(cmd, h, h.print)
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 100, "movements at most; 0 is all")
	o.cache(cmd)
	cmd.Flags().StringVar(&after, "after", "", "go on after the movement with this id")
	return cmd
}

// movements reads the history of the account that is meant.
func (o *options) movements(cmd *cobra.Command, each func(ledgeraudit.Movement) bool) (audit.Account, ledgeraudit.Story, error) {
	who, err := o.who()
	if err != nil {
		return audit.Account{}, ledgeraudit.Story{}, err
	}
	log, err := o.log()
	if err != nil {
		return audit.Account(who), ledgeraudit.Story{}, err
	}
	if !o.noCache {
		log.Cache = cacheFolder()
	}
	shown := time.Now()
	log.Progress = func(height, last int64) {
		if time.Since(shown) > time.Second {
			shown = time.Now()
			fmt.Fprintf(cmd.ErrOrStderr(), "block %d of %d\n", height, last)
		}
	}
	story, err := ledgeraudit.History(cmd.Context(), log, audit.Account(who), each)
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return audit.Account(who), story, err
	case ledgeraudit.Missing(err):
		err = failure.New(failure.NotFound, "there is no network in "+o.Network, err, "mutirao demo --dir "+o.Network)
	case ledgeraudit.Locked(err):
		err = failure.New(failure.Denied, "the validator in "+o.Network+" is running", err, "name it by --network http://HOST:PORT")
	default:
		err = failure.New(failure.Network, "the blocks cannot be read", err, "try again, or name another validator with --network http://HOST:PORT")
	}
	return audit.Account(who), story, err
}

// cacheFolder is where blocks are kept that were read; empty if this machine has no such place.
func cacheFolder() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "mutirao", "blocks")
}

// place is the id of a movement: its block, and its place there.
type place struct{ height, n uint64 }

func parseID(id string) (p place, err error) {
	block, n, ok := strings.Cut(id, ".")
	if p.height, err = strconv.ParseUint(block, 10, 64); err == nil {
		p.n, err = strconv.ParseUint(n, 10, 64)
	}
	if !ok || err != nil {
		return p, failure.New(failure.Usage, fmt.Sprintf("%.60q is no movement", id), errID, "mutirao credits history  lists them")
	}
	return p, nil
}

var errID = errors.New("an id is a block and a place in it, such as 512.3")

func (p place) before(q place) bool { return p.height < q.height || p.height == q.height && p.n < q.n }

// coins writes the decimal digits of amut for people.
func coins(digits string) string {
	a, err := money.Parse(digits)
	if err != nil {
		return digits + " amut"
	}
	return a.Coins()
}

// other names the other side of a movement.
func other(m ledgeraudit.Movement) string {
	if m.Escrow == "" {
		return m.With.String()
	}
	if m.In && m.With == (audit.Account{}) {
		return "-"
	}
	return m.Escrow
}

func sign(m ledgeraudit.Movement) string {
	if m.In {
		return "+"
	}
	return "-"
}

// print writes the page as a table.
func (h History) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tCOINS\tFOR\tFROM OR TO\tBALANCE AFTER THE BLOCK")
	for _, m := range h.List {
		fmt.Fprintf(t, "%s\t%s%s\t%s\t%s\t%s\n", m.ID, sign(m), coins(m.Amount), m.Why, other(m), coins(m.Balance))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	rest := "that is all"
	if h.Next != "" {
		rest = "more: --after " + h.Next
	}
	_, err := fmt.Fprintf(w, "%d movements of %s, which began with %s, up to block %d; %s\n", len(h.List), h.Account, coins(h.Began), h.Height, rest)
	return err
}
