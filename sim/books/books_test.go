package books

import (
	"flag"
	"slices"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/audit"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/ledgertest"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/bisect"
)

// messages is the length of the simulation: `make ledger-audit` runs it over 100,000.
var messages = flag.Int("messages", 6000, "messages of the simulation")

// TestAuditAgrees compares the books now and then and at the end, receipts included.
func TestAuditAgrees(t *testing.T) {
	s, err := New(1)
	if err != nil {
		t.Fatal(err)
	}
	for blocks := 0; s.Sent < *messages; blocks++ {
		if err := s.Block(); err != nil {
			t.Fatalf("block %d: %v", s.Ledger.Height(), err)
		}
		if blocks%50 == 0 {
			same(t, s.Compare(false))
		}
	}
	same(t, s.Compare(true))
	if err := s.Ledger.Check(); err != nil {
		t.Error(err)
	}
	won, slashed, kinds, votes := 0, 0, map[string]int{}, map[bisect.Verdict]int{}
	for _, e := range s.Ledger.EventsFrom(0) {
		if e.Type == "work.forfeited" {
			kinds["forfeited"]++
		}
	}
	for _, r := range s.Ledger.Records() {
		kinds[r.RecordKind()]++
		if r, ok := r.(work.Receipt); ok && r.Kind == work.ForBounty {
			slashed++
		}
		r, ok := r.(dispute.Ruling)
		if ok && len(r.Shares) > 1 {
			won++
		}
		if _, vote := work.VoteSeat(r.Claim.Unit); ok && vote {
			votes[r.Verdict]++
		}
	}
	if kinds["forfeited"] == 0 || slashed == 0 || won == 0 || kinds["ruling"] <= won || kinds["dividend"] == 0 || kinds["use"] == 0 || kinds["redemption"] == 0 || kinds["channel"] == 0 || len(s.Ledger.Models()) < 3 || votes[bisect.Refuted] == 0 || votes[bisect.Upheld] == 0 {
		t.Errorf("the traffic lacks something: %d bounties, %d disputes won with backers, about votes %v, %v, %d models", slashed, won, votes, kinds, len(s.Ledger.Models()))
	}
	for _, what := range []string{"offered", "accepted", "refused", "over", "closed", "cut", "void", "ended", "called-off"} {
		if s.kinds["market.lease-"+what] == 0 {
			t.Errorf("no lease was %s: %v", what, s.kinds)
		}
	}
	t.Logf("%d messages, %d carried out, %d blocks, %d runs, %d models, records %v", s.Sent, s.Books.Messages(), s.Ledger.Height(), len(s.Ledger.Runs()), len(s.Ledger.Models()), kinds)
}

func same(t *testing.T, list []audit.Finding) {
	t.Helper()
	for i, f := range list {
		if i == 5 {
			t.Fatalf("and %d more", len(list)-i)
		}
		t.Error(f)
	}
	if len(list) > 0 {
		t.FailNow()
	}
}

// contradiction is the subject of a fault that the log shows by itself.
const contradiction = "log"

// injected is a fault of the bookkeeping with what an audit must name first.
type injected struct {
	name    string
	subject string // of a finding in the block of the first mistake
	faults  func(s *Simulation, made func()) ledgertest.Faults
}

// receiptFor replaces the payment that follows a run's receipt of a kind.
func receiptFor(kind work.ReceiptKind, made func(), pay func(protocol.Pay) []protocol.Effect) ledgertest.Faults {
	return paymentAfter(func(r protocol.Recorded) bool {
		receipt, ok := r.(work.Receipt)
		return ok && receipt.Kind == kind && !receipt.Amount.IsZero()
	}, made, pay)
}

// paymentAfter replaces the payment that follows a record.
func paymentAfter(is func(protocol.Recorded) bool, made func(), pay func(protocol.Pay) []protocol.Effect) ledgertest.Faults {
	armed := false
	return ledgertest.Faults{Effect: func(e protocol.Effect) []protocol.Effect {
		switch e := e.(type) {
		case protocol.Record:
			armed = is(e.Value)
		case protocol.Pay:
			if armed {
				armed = false
				made()
				return pay(e)
			}
		}
		return []protocol.Effect{e}
	}}
}

var faults = []injected{
	{"a payment doubled", "balance", func(_ *Simulation, made func()) ledgertest.Faults {
		return receiptFor(work.ForUnit, made, func(p protocol.Pay) []protocol.Effect { return []protocol.Effect{p, p} })
	}},
	{"a payment rounded up", "balance", func(_ *Simulation, made func()) ledgertest.Faults {
		return receiptFor(work.ForDuties, made, func(p protocol.Pay) []protocol.Effect {
			return []protocol.Effect{protocol.Pay{To: p.To, Amount: p.Amount.Plus(money.New(1))}}
		})
	}},
	{"a burn not made", "supply", func(_ *Simulation, made func()) ledgertest.Faults {
		return ledgertest.Faults{Effect: func(e protocol.Effect) []protocol.Effect {
			if _, ok := e.(protocol.Burn); ok {
				made()
				return nil
			}
			return []protocol.Effect{e}
		}}
	}},
	{"a bond not returned", "balance", func(_ *Simulation, made func()) ledgertest.Faults {
		return receiptFor(work.ForBond, made, func(protocol.Pay) []protocol.Effect { return nil })
	}},
	{"a budget not returned", "balance", func(_ *Simulation, made func()) ledgertest.Faults {
		return receiptFor(work.ForRefund, made, func(protocol.Pay) []protocol.Effect { return nil })
	}},
	{"a bounty paid to somebody else", "balance", func(s *Simulation, made func()) ledgertest.Faults {
		return receiptFor(work.ForBounty, made, func(p protocol.Pay) []protocol.Effect {
			other := s.people[0]
			if p.To == other {
				other = s.people[1]
			}
			return []protocol.Effect{protocol.Pay{To: other, Amount: p.Amount}}
		})
	}},
	{"kept pay paid twice", "balance", func(_ *Simulation, made func()) ledgertest.Faults {
		return receiptFor(work.ForKept, made, func(p protocol.Pay) []protocol.Effect { return []protocol.Effect{p, p} })
	}},
	{"kept pay not paid", "balance", func(_ *Simulation, made func()) ledgertest.Faults {
		return receiptFor(work.ForKept, made, func(protocol.Pay) []protocol.Effect { return nil })
	}},
	{"a fee credited twice", "income", func(_ *Simulation, made func()) ledgertest.Faults {
		return ledgertest.Faults{Use: func(m registry.Model) registry.Model {
			made()
			m.Earned = m.Earned.Plus(money.New(1))
			return m
		}}
	}},
	{"a fee taken from somebody else", "balance", func(s *Simulation, made func()) ledgertest.Faults {
		return ledgertest.Faults{Effect: func(e protocol.Effect) []protocol.Effect {
			if l, ok := e.(protocol.Lock); ok && l.From != s.people[0] {
				made()
				l.From = s.people[0]
				return []protocol.Effect{l}
			}
			return []protocol.Effect{e}
		}}
	}},
	{"a share lost at transfer", "parts", func(_ *Simulation, made func()) ledgertest.Faults {
		return ledgertest.Faults{Transfer: func(_, receiver *registry.Holding) {
			made()
			receiver.PPM--
		}}
	}},
	{"dividends of the buyer accrued to the seller", "accrued dividends", func(_ *Simulation, made func()) ledgertest.Faults {
		return ledgertest.Faults{Transfer: func(sender, receiver *registry.Holding) {
			if receiver.Due.IsZero() {
				return
			}
			made()
			sender.Due, receiver.Due = sender.Due.Plus(receiver.Due), money.Amount{}
		}}
	}},
	{"a deposit returned short", "balance", func(_ *Simulation, made func()) ledgertest.Faults {
		return paymentAfter(func(r protocol.Recorded) bool { return r.RecordKind() == "channel" }, made, func(p protocol.Pay) []protocol.Effect {
			return []protocol.Effect{protocol.Pay{To: p.To, Amount: p.Amount.Minus(money.New(1))}}
		})
	}},
	{"a receipt missing", "receipt", func(_ *Simulation, made func()) ledgertest.Faults {
		done := false
		return ledgertest.Faults{Effect: func(e protocol.Effect) []protocol.Effect {
			if r, ok := e.(protocol.Record); ok && !done && r.Value.RecordKind() == "dividend" {
				done = true
				made()
				return nil
			}
			return []protocol.Effect{e}
		}}
	}},
	{"coins out of nothing", "supply", func(s *Simulation, made func()) ledgertest.Faults {
		made()
		s.Ledger.Mint(s.people[3], money.New(1))
		return ledgertest.Faults{}
	}},
}

// TestAuditFindsFaults injects one fault after some traffic; the first difference must be in the block of the first mistake.
func TestAuditFindsFaults(t *testing.T) {
	for _, f := range append(faults, marketFaults...) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			s, err := New(2)
			if err != nil {
				t.Fatal(err)
			}
			for len(s.models) < 2 {
				if err := s.Block(); err != nil {
					t.Fatal(err)
				}
			}
			same(t, s.Compare(true))
			var at protocol.Height // the first mistake
			now := s.Ledger.Height() + 1
			s.Ledger.Fail(f.faults(s, func() {
				if at == 0 {
					at = now
				}
			}))
			for range 400 {
				now = s.Ledger.Height() + 1
				if err := s.Block(); err != nil {
					if f.subject == contradiction && at == s.Ledger.Height() {
						return
					}
					t.Fatalf("block %d, fault in %d: %v", s.Ledger.Height(), at, err)
				}
				list := s.Compare(true)
				if len(list) == 0 {
					continue
				}
				named := slices.IndexFunc(list, func(x audit.Finding) bool { return strings.HasPrefix(x.Subject, f.subject) })
				if at == 0 || list[0].Height != uint64(at) || named < 0 {
					t.Fatalf("fault in block %d, found: %v", at, list)
				}
				t.Logf("%d findings, among them: %s", len(list), list[named])
				return
			}
			t.Fatalf("not found; made in block %d", at)
		})
	}
}
