// Package economics asks whether lying pays. It runs the real rules of packages work and dispute on the ledger of package ledgertest, with
// strategies of providers, verifiers and strangers that are lazy, in league, many in one, or out for mischief, and counts money and wrong
// units. From one seed comes everything, so each figure can be had again.
//
// Its units are stand-ins: what a worker computes is a hash of its shard, true or false. The rules never look into a result; that an honest
// machine finds a false one and wins the dispute about it is shown elsewhere with real units (docs/faults.md). So here whoever
// executes a unit knows, and a liar who is disputed falls silent, which costs it the same.
package economics

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/ledgertest"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/bisect"
	"github.com/mutirao/mutirao/verify/merkle"
)

// PPM is what shares, and money as a share of the price of a unit, are counted in: a unit costs one coin.
const PPM = work.PPM

// price is that of a unit, times n.
func price(n int) money.Amount { return money.MUT(uint64(n)) }

// disputeFund is what a verifier has for the bonds of its disputes, in prices.
const disputeFund = 1_000

// purse is what a stranger has to begin with, in prices.
const purse = 1_000_000

// Config is a network before its first block.
type Config struct {
	Seed      uint64
	Terms     work.Spec // of which the name, hashes, price and seed are filled in
	Providers []Provider
	Verifiers []Verifier
	Watch     uint32 // share of all opened units, in parts per million, that a stranger executes and disputes if they are false
	Grief     uint32 // share of all opened units that another stranger disputes though they are true
	CostPPM   uint64 // what executing a unit costs, of its price
}

// Terms are the defaults of package work with bonds of 50 unit prices, and a window for strangers in which those of this package, who need no
// time, can look.
func Terms(rounds int) work.Spec {
	s := work.DefaultSpec()
	s.Windows.Challenge = 4
	s.Rounds, s.MinProviders, s.MinVerifiers = uint32(rounds), 1, 1
	s.ProviderBond, s.VerifierBond = price(50), price(50)
	return s
}

// Floor are terms whose rate falls to a floor after few clean units and then stays: the long run of any policy with that floor.
func Floor(rounds int, floorPPM uint32) work.Spec {
	s := Terms(rounds)
	s.Audit.NewcomerUnits, s.Audit.CleanDivisor, s.Audit.FloorPPM = 0, 1, floorPPM
	return s
}

// Network is a network at work.
type Network struct {
	Config
	ledger   *ledgertest.Ledger
	run      protocol.Hash
	random   *rand.Rand
	players  []*player
	watcher  protocol.Account
	griefer  protocol.Account
	false_   map[protocol.Hash]int // by payload root: the player who made it up
	seen     map[protocol.Hash]bool
	executed uint64 // units by verifiers and strangers
	Report   Report
}

// New sets a network up.
func New(c Config) (*Network, error) {
	n := &Network{
		Config: c, ledger: ledgertest.New(), random: rand.New(rand.NewPCG(c.Seed, 0x65636f6e)),
		false_: map[protocol.Hash]int{}, seen: map[protocol.Hash]bool{}, watcher: account(c.Seed, "watcher", 0), griefer: account(c.Seed, "griefer", 0),
	}
	n.ledger.Judge(func(*work.State, *dispute.State) dispute.Referee { return referee{} })
	author := account(c.Seed, "author", 0)
	set := registry.RegisterDataset{Root: name("r"), Blob: name("b"), Schema: name("s"), Records: 10, RecordSize: 4, Name: "d", Licence: "CC0-1.0"}
	s := c.Terms
	s.Name, s.Dataset, s.Program, s.InferenceProgram = "economics", registry.DatasetID(author, set), name("p"), name("i")
	s.Params, s.Steps, s.Price.PerUnit = []string{"w"}, 1, price(1)
	s.Initial = work.StateRef{Model: name("m"), Outer: name("o"), Blob: name("b")}
	s.MaxUnits = uint32(len(c.Providers))
	s.Seed = new(protocol.Preimage).Uint64(c.Seed).Digest("mutirao/sim/economics")
	n.Terms = s
	create := work.CreateRun{Spec: s}
	n.ledger.Mint(author, s.Budget())
	if err := n.ledger.Submit(author, set, create); err != nil {
		return nil, err
	}
	n.run = work.RunID(author, create)
	for i, k := range c.Providers {
		n.players = append(n.players, &player{kind: "provider", role: work.Provider, index: i, provider: k})
	}
	for i, k := range c.Verifiers {
		n.players = append(n.players, &player{kind: "verifier", role: work.Verifier, index: i, verifier: k})
	}
	for _, who := range []protocol.Account{n.watcher, n.griefer} {
		n.ledger.Mint(who, price(purse))
	}
	for _, p := range n.players {
		if err := n.join(p); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// Run lets blocks pass until the run has ended.
func (n *Network) Run() error {
	for range 200 * int(n.Terms.Rounds) {
		s, err := n.ledger.Run(n.run)
		if err != nil {
			return err
		}
		if s.Phase.Ended() {
			n.Report.finish(n, s)
			return n.ledger.Check()
		}
		for _, p := range n.players {
			n.ask(p, s)
		}
		n.strangers(s)
		n.defend()
		n.ledger.Advance()
	}
	return fmt.Errorf("economics: seed %d: the run has not ended", n.Seed)
}

// join gives a player a new account and its bond.
func (n *Network) join(p *player) error {
	p.account = account(n.Seed, p.kind, p.index<<16|p.lives)
	p.lives++
	bond := n.Terms.Bond(p.role)
	if p.role == work.Verifier {
		bond = bond.Plus(price(disputeFund))
	}
	p.minted += number(bond)
	n.ledger.Mint(p.account, bond)
	p.accounts = append(p.accounts, p.account)
	return n.ledger.Submit(p.account, work.Join{Run: n.run, Role: p.role})
}

// strangers look at units that have just been opened.
func (n *Network) strangers(s *work.State) {
	if s.Round == nil || s.Phase != work.PhaseAuditCommit {
		return
	}
	for i := range s.Round.Units {
		u := &s.Round.Units[i]
		if u.Status != work.Revealed || n.seen[u.Shard] {
			continue
		}
		n.seen[u.Shard] = true
		if n.flip(n.Watch) {
			n.Report.Watched++
			if n.lies(u) {
				n.open(n.watcher, s, u)
			}
		}
		if n.flip(n.Grief) && !n.lies(u) {
			n.open(n.griefer, s, u)
			n.Report.Grievances++
		}
	}
}

// open disputes a unit, unless its claim is in dispute or down already.
func (n *Network) open(who protocol.Account, s *work.State, u *work.Unit) {
	_ = n.ledger.Submit(who, dispute.Open{Run: n.run, Round: s.Round.Number, Unit: u.Index, Nonce: uint64(n.ledger.Height())})
}

// defend lets honest workers answer what they are asked; liars, and griefers who are to choose, keep silent.
func (n *Network) defend() {
	for _, d := range n.ledger.Disputes(n.run) {
		if d.Player().IsZero() || d.Game.Stage != bisect.AskPoints {
			continue
		}
		if _, lie := n.false_[d.Claim.Terms.Payload]; lie {
			continue
		}
		var answer []byte
		points := execution(n.shardOf(d.Claim), true).Points
		for i := range points {
			answer = append(answer, points[i][:]...)
		}
		m := dispute.Move{Dispute: d.ID, Turn: d.Turn, Side: dispute.Defender, Answer: answer}
		_ = n.ledger.Submit(n.watcher, dispute.Play{Move: m, Signature: sign(d.Player(), m.Digest())})
	}
}

func (n *Network) shardOf(c dispute.Claim) protocol.Hash {
	s, err := n.ledger.Run(n.run)
	if err != nil || s.Round == nil || s.Round.Number != c.Round {
		return protocol.Hash{}
	}
	return s.Round.Units[c.Unit].Shard
}

// lies reports whether an opened unit is false, as anybody finds who executes it.
func (n *Network) lies(u *work.Unit) bool {
	n.executed++
	return u.Result.Payload.Root != execution(u.Shard, true).Payload
}

// flip is true with a probability in parts per million.
func (n *Network) flip(ppm uint32) bool { return ppm > 0 && n.random.Uint32N(PPM) < ppm }

// execution stands for the execution of a unit: true, or what a league of liars agrees to call it.
func execution(shard protocol.Hash, honest bool) work.Opening {
	o := work.Opening{Payload: merkle.Digest("economics/payload", shard[:], []byte{bit(honest)})}
	for i := range o.Points {
		o.Points[i] = merkle.Digest("economics/point", shard[:], []byte{bit(honest), byte(i)})
	}
	return o
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func name(s string) protocol.Hash { return merkle.Leaf([]byte(s)) }

func account(seed uint64, kind string, i int) (a protocol.Account) {
	h := merkle.Leaf(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64([]byte(kind), seed), uint64(i)))
	copy(a[:], h[:])
	return a
}

// sign stands for a signature: this ledger trusts its clients.
func sign(who protocol.Account, digest protocol.Hash) []byte { return append(who[:], digest[:]...) }

// referee knows signatures; of stand-ins there is nothing else to know.
type referee struct{ bisect.Source }

func (referee) Signed(who protocol.Account, digest protocol.Hash, s []byte) bool {
	return string(s) == string(sign(who, digest))
}

// number is an amount in millionths of a price.
func number(a money.Amount) int64 {
	b := a.Part(1, 1_000_000_000_000).Bytes()
	return int64(binary.BigEndian.Uint64(b[24:]))
}
