// Package books makes traffic on the real rules from one seed, keeps its log, and compares the ledger with what package
// audit recomputes from that log. Traffic is runs whose members are honest, lie, are silent or contradict, models that are
// made from models, uses, transfers, dividends, machines that are offered, bid for, leased and let down, and messages that must be refused.
package books

import (
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"

	"github.com/mutirao/mutirao/audit"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/ledgertest"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/voucher"
	"github.com/mutirao/mutirao/protocol/work"
)

// escrow is the account that stands for the ledger's escrow in the audit.
var escrow = audit.Account{0xee, 0xee}

// Simulation is a ledger with its log, of which the audit has read all closed blocks.
type Simulation struct {
	Ledger *ledgertest.Ledger
	Books  *audit.Books
	Sent   int // messages, refused ones included

	random *rand.Rand
	people []protocol.Account
	data   []protocol.Hash
	models []protocol.Hash
	runs   []*performance
	sealed []sealed
	nonce  uint64
	block  audit.Block
	seen   int            // events
	kinds  map[string]int // of events
}

const (
	persons  = 48
	datasets = 3
)

// New funds people and registers data.
func New(seed uint64) (*Simulation, error) {
	s := &Simulation{Ledger: ledgertest.New(), kinds: map[string]int{}, random: rand.New(rand.NewPCG(seed, 1))}
	s.Ledger.Judge(func(*work.State, *dispute.State) dispute.Referee { return credulous{} })
	g := audit.Genesis{Balances: map[audit.Account]*big.Int{}, Work: escrow, Disputes: escrow, Registry: escrow, Market: marketTerms(ledgertest.MarketParams),
		DisputeBond: integer(ledgertest.DisputeParams.Bond), DisputePrices: int64(ledgertest.DisputeParams.Prices)}
	for i := range persons {
		who := protocol.Account{byte(i + 1), byte(seed)}
		s.people = append(s.people, who)
		s.Ledger.Mint(who, money.MUT(1_000_000_000))
		g.Balances[audit.Account(who)] = integer(money.MUT(1_000_000_000))
	}
	s.Books = audit.New(g)
	for i := range datasets {
		m := registry.RegisterDataset{Root: hash("root", i), Blob: hash("blob", i), Schema: hash("schema", i), Records: 100, RecordSize: 8, Name: "data", Licence: "CC0-1.0"}
		steward := s.person()
		if err := s.submit(steward, m); err != nil {
			return nil, err
		}
		s.data = append(s.data, registry.DatasetID(steward, m))
	}
	return s, s.Close()
}

func marketTerms(p market.Params) audit.MarketTerms {
	t := audit.MarketTerms{
		Escrow: escrow, Pool: audit.Account(p.Pool), Treasury: audit.Account(p.Treasury), Holdback: int64(p.HoldbackBlocks),
		Split: [3]int64{int64(p.Split.Provider), int64(p.Split.Pool), int64(p.Split.Treasury)}, SealFee: int64(p.SealFee), SilenceFee: int64(p.SilenceFee), Batch: p.BatchBlocks,
	}
	for i, blocks := range p.Tenors {
		t.Tenors[i] = int64(blocks)
	}
	return t
}

func (s *Simulation) person() protocol.Account { return s.people[s.random.IntN(len(s.people))] }

func (s *Simulation) chance(percent int) bool { return s.random.IntN(100) < percent }

// submit sends one message and writes it into the log. The error is the rule's answer.
func (s *Simulation) submit(from protocol.Account, m protocol.Msg) error {
	err := s.Ledger.Submit(from, m)
	s.Sent++
	body, failed := json.Marshal(m)
	if failed != nil {
		panic("books: " + failed.Error())
	}
	s.block.Txs = append(s.block.Txs, audit.Tx{
		ID: fmt.Sprint(s.Sent), OK: err == nil, Messages: []audit.Message{{From: audit.Account(from), Kind: m.Kind(), Body: body}}, Events: s.events(),
	})
	return err
}

// events are those since the last call, in the audit's form.
func (s *Simulation) events() []audit.Event {
	list := s.Ledger.EventsFrom(s.seen)
	s.seen += len(list)
	out := make([]audit.Event, len(list))
	for i, e := range list {
		s.kinds[e.Type]++
		out[i] = audit.Event{Kind: e.Type, Attributes: map[string]string{}}
		for _, a := range e.Attributes {
			out[i].Attributes[a.Name] = a.Value
		}
	}
	return out
}

// Close ends the block that is being made; the audit reads it.
func (s *Simulation) Close() error {
	h := s.Ledger.Advance()
	s.block.Height, s.block.End = uint64(h), s.events()
	s.Books.Read(s.block)
	s.block = audit.Block{}
	if list := s.Books.Findings(); len(list) > 0 {
		return fmt.Errorf("the log contradicts itself: %s", list[0])
	}
	return nil
}

// Compare lists the differences between the ledger and the audit. Receipts take the longest and are compared on request.
func (s *Simulation) Compare(receipts bool) []audit.Finding {
	return s.Books.Compare(s.state(receipts))
}

func (s *Simulation) state(receipts bool) audit.State {
	st := audit.State{
		Balances: map[audit.Account]*big.Int{}, Supply: new(big.Int), Runs: map[audit.Hash]audit.RunState{}, Models: map[audit.Hash]audit.ModelState{},
	}
	s.Ledger.Balances(func(who protocol.Account, a money.Amount) {
		key := audit.Account(who)
		if who.IsZero() {
			key = escrow
		}
		st.Balances[key] = integer(a)
		st.Supply.Add(st.Supply, st.Balances[key])
	})
	for _, id := range s.Ledger.Runs() {
		run, _ := s.Ledger.Run(id)
		r := audit.RunState{Budget: integer(run.Budget), Bonds: map[audit.Account]*big.Int{}, Kept: map[audit.Account]*big.Int{}}
		for _, m := range run.Members {
			r.Bonds[audit.Account(m.Account)], r.Kept[audit.Account(m.Account)] = integer(m.Bond), integer(m.Kept.Sum())
		}
		st.Runs[audit.Hash(id)] = r
	}
	for _, m := range s.Ledger.Models() {
		r := audit.ModelState{
			Uses: m.Uses, Earned: integer(m.Earned), Flowed: integer(m.Flowed), Holder: integer(m.Holders), Paid: integer(m.Paid),
			Holdings: map[audit.Account]audit.HoldingState{},
		}
		for _, h := range s.Ledger.Holdings(m.ID) {
			r.Holdings[audit.Account(h.Holder)] = audit.HoldingState{PPM: int64(h.PPM), Seen: integer(h.Seen), Due: integer(h.Due)}
		}
		st.Models[audit.Hash(m.ID)] = r
	}
	st.Channels = map[audit.Hash]audit.ChannelState{}
	for _, c := range s.Ledger.Channels() {
		st.Channels[audit.Hash(c.ID)] = audit.ChannelState{Left: integer(c.Left()), Uses: c.Uses}
	}
	if receipts {
		st.Receipts = s.receipts()
	}
	return st
}

func (s *Simulation) receipts() map[audit.Receipt]int {
	list := map[audit.Receipt]int{}
	for _, r := range s.Ledger.Records() {
		switch r := r.(type) {
		case work.Receipt:
			list[audit.Receipt{Owner: audit.Hash(r.Run), Kind: string(r.Kind), To: audit.Account(r.To), Amount: r.Amount.String()}]++
		case registry.UseReceipt:
			list[audit.Receipt{Owner: audit.Hash(r.Model), Kind: r.RecordKind(), To: audit.Account(r.Payer), Amount: r.Fee.String()}]++
		case voucher.Redemption:
			list[audit.Receipt{Owner: audit.Hash(r.Model), Kind: r.RecordKind(), To: audit.Account(r.Sender), Amount: r.Amount.String()}]++
		case voucher.Statement:
			list[audit.Receipt{Owner: audit.Hash(r.Channel.Model), Kind: r.RecordKind(), To: audit.Account(r.Channel.Payer), Amount: r.Returned.String()}]++
		case registry.Dividend:
			list[audit.Receipt{Owner: audit.Hash(r.Model), Kind: r.RecordKind(), To: audit.Account(r.Holder), Amount: r.Amount.String()}]++
		}
	}
	return list
}

func integer(a money.Amount) *big.Int {
	b := a.Bytes()
	return new(big.Int).SetBytes(b[:])
}
