package sim

import (
	"github.com/mutirao/mutirao/agent"
	"github.com/mutirao/mutirao/agent/member"
	"github.com/mutirao/mutirao/agent/provider"
	"github.com/mutirao/mutirao/agent/verifier"
	"github.com/mutirao/mutirao/agent/watcher"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/ledgertest"
	"github.com/mutirao/mutirao/protocol/market/auction"
	"github.com/mutirao/mutirao/protocol/work"
)

// Watcher is the role of a machine that is no member: it executes every unit and disputes what is false.
const Watcher work.Role = "watcher"

// Member is a machine that takes part in the run.
type Member struct {
	Name      string // unique; account and secret follow from it and the network's seed
	Role      work.Role
	Joins     protocol.Height // the block in which it is switched on
	Steadfast bool            // it may crash, but always comes back
	Lie       Lie             // None for an honest member
	Reserve   auction.Price   // of a provider in a run that hires through the market: the least for which it computes a unit
}

// Honest reports whether the member keeps to the rules.
func (m Member) Honest() bool { return m.Lie == None }

// machine is a member's machine with its place in the data network.
type machine struct {
	Member
	identity agent.Identity
	ledger   *ledgertest.Client
	store    *store
	observe  agent.Observer

	up   bool
	back protocol.Height // when it is switched on (again)
	busy protocol.Height // when the last answer to what it sent arrives
	role agent.Role      // nil while it is down

	holds   map[protocol.Hash]bool // blobs on its disk; the store's mutex guards it and what follows
	peers   []string
	in, out uint64 // bytes of blobs
}

// machine makes the machine of a member, switched off unless it joins nothing.
func (n *Network) machine(m Member) *machine {
	id := identity(n.config.Seed, m.Name)
	one := &machine{
		Member: m, identity: id, ledger: n.ledger.Client(id.Account), store: n.store, back: m.Joins,
		up: m.Role == "", holds: map[protocol.Hash]bool{},
	}
	one.observe = func(news agent.News) { n.tell(one, news) }
	return one
}

// start makes the member's role as it is after the program starts: without memory.
func (m *machine) start(run protocol.Hash) agent.Role {
	c := member.Config{Identity: m.identity, Run: run, Peer: m.address, Ledger: m.ledger, Court: m.ledger, Blobs: m, Observe: m.observe, Market: m.ledger, Reserve: m.Reserve}
	switch {
	case m.Role == Watcher:
		return watcher.New(c, work.PPM)
	case m.Role == work.Verifier && m.Honest():
		return verifier.New(c, 0)
	case m.Role == work.Verifier:
		return &corrupt{machine: m, run: run}
	}
	return provider.New(c, m.drill())
}

// address is how other machines find this one.
func (m *machine) address() string { return "sim/" + m.Name }
