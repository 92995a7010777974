// Package sim owns the whole network in one process from one seed: a ledger in memory on the real rules, a data network in
// memory in which a machine serves what it holds while it is up, and the real roles, asked one after the other. From the
// seed come the order in which they are asked, delayed and lost messages, crashes and late arrivals, so that a run which
// went wrong is repeated to the bit by its seed. It has liars of its own, whom neither rules nor roles know of.
//
// It may import anything; it uses no network, no clock and no chain. The arithmetic is the engine's.
package sim

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/mutirao/mutirao/agent"
	"github.com/mutirao/mutirao/agent/trainer"
	"github.com/mutirao/mutirao/agent/workshop"
	"github.com/mutirao/mutirao/learn/data"
	"github.com/mutirao/mutirao/learn/recipe"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/ledgertest"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/bisect"
)

// ErrStalled reports a run that has not ended within the blocks that it was given.
var ErrStalled = errors.New("the run has not ended in time")

// Config is a network before its first block.
type Config struct {
	Seed    uint64
	Recipe  *recipe.Recipe
	Data    *data.Set
	Terms   work.Spec // what follows neither from the recipe nor from the data
	Members []Member
	Weather Weather
	// AuthorGone is the block from which the author's machine serves nothing any more, if it is not 0. By then others hold
	// what it published.
	AuthorGone protocol.Height
	// Observe is told what the machines do and meet; nil: nobody listens.
	Observe func(machine string, n agent.News)
}

// Network is a network at work. One goroutine owns it.
type Network struct {
	config   Config
	random   *rand.Rand
	ledger   *ledgertest.Ledger
	store    *store
	author   *machine
	machines []*machine
	mail     []letter
	run      protocol.Hash
}

// letter is a message on its way to the ledger.
type letter struct {
	due  protocol.Height
	from *machine
	msg  protocol.Msg
}

// New registers the data and the run and gives every member its bond twice over, and a watcher coins for disputes. No block has passed yet.
func New(ctx context.Context, c Config) (*Network, error) {
	n := &Network{
		config: c, random: rand.New(rand.NewPCG(c.Seed, 0x6d757469)), ledger: ledgertest.New(),
		store: &store{bytes: map[protocol.Hash][]byte{}},
	}
	n.ledger.DisputeBy(dispute.Params{Bond: money.MUT(1), Clock: clock})
	programs := workshop.NewPrograms()
	n.ledger.Judge(n.referee(programs))
	n.ledger.Programs(func(run *work.State, units int) (protocol.Hash, error) {
		return programs.Aggregate(run.Spec.Recipe, uint64(c.Data.RecordSize), uint64(c.Data.Count), units)
	})
	n.author = n.machine(Member{Name: "author"})
	n.ledger.Mint(n.author.identity.Account, budget(c.Recipe, c.Terms))
	t, err := trainer.New(trainer.Config{
		Identity: n.author.identity, Ledger: n.author.ledger, Blobs: n.author, Recipe: c.Recipe, Data: c.Data,
	})
	if err != nil {
		return nil, err
	}
	if n.run, err = t.Start(ctx, c.Terms, c.Seed); err != nil {
		return nil, err
	}
	for _, m := range c.Members {
		one := n.machine(m)
		n.machines = append(n.machines, one)
		n.ledger.Mint(one.identity.Account, c.Terms.Bond(m.Role).Times(2))
		if m.Role == Watcher {
			n.ledger.Mint(one.identity.Account, c.Terms.Price.PerUnit.Times(watcherPrices))
		}
	}
	n.store.machines = append(append(n.store.machines, n.machines...), n.author)
	return n, nil
}

// watcherPrices is how many prices of a unit a watcher has besides, for the bonds of disputes that are open at one time.
const watcherPrices = 10_000

// clock is how many blocks each side of a dispute may think: longer than bad weather keeps a steadfast machine away.
const clock = 250

// referee judges by what a ledger keeps of the run. The ledger holds its lock while it asks.
func (n *Network) referee(programs *workshop.Programs) func(*work.State, *dispute.State) dispute.Referee {
	return func(run *work.State, d *dispute.State) dispute.Referee {
		var source bisect.Source
		var err error
		size, count := uint64(n.config.Data.RecordSize), uint64(n.config.Data.Count)
		if _, vote := work.VoteSeat(d.Claim.Unit); vote {
			source, err = programs.Fold(run.Spec.Recipe, size, count, d.Claim.Terms.Model, d.Inputs)
		} else {
			source, err = programs.Source(run.Spec.Recipe, size, count, d.Claim.Shard, int(run.Spec.Steps))
		}
		if err != nil {
			panic(err) // New would have failed
		}
		return ledgertest.Referee(source)
	}
}

// Restart restarts the program on every machine that is up: what its role kept in memory is gone.
func (n *Network) Restart() {
	for _, m := range n.machines {
		if m.up {
			m.role = m.start(n.run)
		}
	}
}

// Gone reports whether the machine of a member has crashed for good.
func (n *Network) Gone(name string) bool {
	return slices.ContainsFunc(n.machines, func(m *machine) bool { return m.Name == name && !m.up && m.back == never })
}

// Ledger is the network's ledger.
func (n *Network) Ledger() *ledgertest.Ledger { return n.ledger }

// State is the run as it stands now. It must not be changed.
func (n *Network) State() *work.State {
	s, err := n.ledger.Run(n.run)
	if err != nil {
		panic(err) // New made it, and ledgers forget no run
	}
	return s
}

// Account is the account of the member with a name.
func (n *Network) Account(name string) protocol.Account { return identity(n.config.Seed, name).Account }

// Blob returns bytes that any machine has ever put, also when that machine is gone or refuses to serve them.
func (n *Network) Blob(id protocol.Hash) ([]byte, bool) { return n.store.archived(id) }

// Traffic is what the machine of a member has received from and sent to others so far, in bytes of blobs.
func (n *Network) Traffic(name string) (in, out uint64) {
	for _, m := range n.machines {
		if m.Name == name {
			return n.store.traffic(m)
		}
	}
	return 0, 0
}

// Run lets blocks pass until the run has ended. The error wraps ErrStalled if it has not after so many blocks, or is the
// first that Block returned.
func (n *Network) Run(ctx context.Context, blocks int) error {
	for range blocks {
		if err := n.Block(ctx); err != nil {
			return err
		}
		if n.State().Phase.Ended() {
			return nil
		}
	}
	s := n.State()
	reason, deadline, who := work.Waiting(s, n.ledger.Height())
	return fmt.Errorf("%w: block %d, round %d, phase %s until %d, %s %v", ErrStalled, n.ledger.Height(), s.Opened, s.Phase, deadline, reason, who)
}

// Block makes one block: machines fail and return, letters that are due arrive, and every live machine that awaits no
// answer is asked what is to be done, in an order drawn anew. The error is the end of ctx or a violated invariant of the
// ledger.
func (n *Network) Block(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	height := n.ledger.Height() + 1
	if n.config.AuthorGone > 0 && height >= n.config.AuthorGone {
		n.author.up = false
	}
	for _, m := range n.machines {
		n.weather(m, height)
	}
	n.deliver(height)
	for _, i := range n.random.Perm(len(n.machines)) {
		if m := n.machines[i]; m.up && m.busy <= height {
			n.ask(ctx, m, height)
		}
	}
	n.ledger.Advance()
	if err := n.ledger.Check(); err != nil {
		return fmt.Errorf("after block %d: %w", height, err)
	}
	return nil
}

// ask lets a machine do its step and posts what it wants to say. Like a client that waits for its transaction, it is not
// asked again before the answers are there.
func (n *Network) ask(ctx context.Context, m *machine, height protocol.Height) {
	s := n.State()
	msgs, err := m.role.Step(ctx, s)
	if err != nil {
		n.tell(m, agent.News{Name: agent.Trouble, Round: s.Opened, Detail: err.Error()})
	}
	for _, msg := range msgs {
		due, lost := n.config.Weather.post(n.random, height)
		m.busy = max(m.busy, due)
		switch {
		case lost:
		case due == height:
			n.submit(m, msg)
		default:
			n.mail = append(n.mail, letter{due, m, msg})
		}
	}
}

// deliver submits the letters that are due, in the order in which they were posted.
func (n *Network) deliver(height protocol.Height) {
	var later []letter
	for _, l := range n.mail {
		if l.due > height {
			later = append(later, l)
			continue
		}
		n.submit(l.from, l.msg)
	}
	n.mail = later
}

func (n *Network) submit(m *machine, msg protocol.Msg) {
	if err := n.ledger.Submit(m.identity.Account, msg); err != nil {
		n.tell(m, agent.News{Name: agent.Refused, Round: n.State().Opened, Detail: err.Error()})
	}
}

func (n *Network) tell(m *machine, news agent.News) {
	if n.config.Observe != nil {
		n.config.Observe(m.Name, news)
	}
}

// budget is what the run locks.
func budget(r *recipe.Recipe, terms work.Spec) money.Amount {
	terms.Rounds = uint32(r.Train.Rounds)
	return terms.Budget()
}

// identity derives account and secret from the seed and a name.
func identity(seed uint64, name string) agent.Identity {
	of := func(purpose string) [32]byte {
		return sha256.Sum256(append(binary.BigEndian.AppendUint64([]byte("mutirao/sim/"+purpose), seed), name...))
	}
	account := of("account")
	return agent.Identity{Account: protocol.Account(account[:len(protocol.Account{})]), Secret: of("secret")}
}
