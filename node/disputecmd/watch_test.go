package disputecmd

import (
	"context"
	"errors"
	"testing"

	"github.com/mutirao/mutirao/agent"
	"github.com/mutirao/mutirao/agent/member"
	"github.com/mutirao/mutirao/agent/watcher"
	"github.com/mutirao/mutirao/agent/workshop"
	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/learn/recipe"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/bisect"
	"github.com/mutirao/mutirao/verify/merkle"
	"github.com/mutirao/mutirao/verify/trace"
)

// disk is a store without peers.
type disk map[protocol.Hash][]byte

func (d disk) Put(_ context.Context, data []byte) (protocol.Hash, error) {
	id := merkle.Leaf(data)
	d[id] = data
	return id, nil
}

func (d disk) GetAtMost(_ context.Context, id protocol.Hash, _ int64) ([]byte, error) {
	if d[id] == nil {
		return nil, errors.New("not here")
	}
	return d[id], nil
}

func (disk) Remove(protocol.Hash) error { return nil }
func (disk) SetPeers([]string)          {}

// bench is the ledger as a role plays on it.
type bench struct {
	*ledger
	key   client.Key
	known []protocol.Hash // disputes that may be open
}

// Disputes implements agent.Court.
func (b *bench) Disputes(context.Context, protocol.Hash) (list []*dispute.State, err error) {
	for _, id := range b.known {
		if d := b.dispute(id); d != nil {
			list = append(list, d)
		}
	}
	return list, nil
}

// Sign implements agent.Court.
func (b *bench) Sign(digest protocol.Hash) ([]byte, error) { return b.key.Sign(digest) }

// dispute is an open one, or nil.
func (l *ledger) dispute(id protocol.Hash) *dispute.State {
	ctx, err := l.app.CreateQueryContext(l.height, false)
	if err != nil {
		l.t.Fatal(err)
	}
	d, err := l.app.Dispute.Dispute(ctx, id, escrow.Free)
	if err != nil {
		return nil
	}
	return d
}

// step lets a role act once, and returns whether it had something to say.
func (b *bench) step(role agent.Role) (spoke bool) {
	b.t.Helper()
	msgs, err := role.Step(b.t.Context(), b.state())
	if err != nil {
		b.t.Fatal(err)
	}
	for _, m := range msgs {
		if open, ok := m.(dispute.Open); ok {
			s := b.state()
			ctx, err := b.app.CreateQueryContext(b.height, false)
			if err != nil {
				b.t.Fatal(err)
			}
			data, err := b.app.Registry.Dataset(ctx, s.Spec.Dataset, escrow.Free)
			if err != nil {
				b.t.Fatal(err)
			}
			b.known = append(b.known, dispute.ID(dispute.ClaimOf(s, s.Round.Units[open.Unit], data), b.key.Account(), open.Nonce))
		}
		b.must(b.key, m)
	}
	return len(msgs) > 0
}

// confirm is the report of an accomplice, who knows what the worker claims.
func (l *ledger) confirm(lie bisect.Machine) {
	l.t.Helper()
	o := work.Opening{}
	for p := range o.Points {
		state, err := lie.State(lie.PointStep(p))
		if err != nil {
			l.t.Fatal(err)
		}
		o.Points[p] = trace.StateRoot(state)
	}
	sent, err := lie.Payload()
	if err != nil {
		l.t.Fatal(err)
	}
	o.Payload = trace.PayloadRoot(sent)
	report, salt := work.Report{Available: []bool{true}, Audits: []work.Opening{o}}, merkle.Leaf([]byte("salt"))
	l.must(l.checker, work.AuditCommit{Run: l.run, Round: 1, Pass: 1, Seal: work.ReportSeal(l.run, 1, 1, l.checker.Account(), report, salt)})
	l.must(l.checker, work.AuditReveal{Run: l.run, Round: 1, Pass: 1, Report: report, Salt: salt})
}

// TestWatcherOnTheChain: a worker lies in one weight and the only auditor of the run confirms it. A stranger who looks at every unit disputes the
// claim on the chain within its window. The worker falls silent, or plays; its auditor is called, and falls with it; nothing is paid, and the
// stranger has half of the worker's bond.
func TestWatcherOnTheChain(t *testing.T) {
	r, set := example(t, "diagnosis", func(r *recipe.Recipe) { r.Train.Steps = 20 })
	for _, silent := range []bool{true, false} {
		l, lie, _ := stage(t, r, set)
		shop, err := workshop.New(l.blobs, r, set)
		if err != nil {
			t.Fatal(err)
		}
		l.confirm(lie)
		if s := l.state(); s.Phase != work.PhaseChallenge || s.Round.Units[0].Status != work.Verified {
			t.Fatalf("phase %s, the lie is %s", s.Phase, s.Round.Units[0].Status)
		}
		b := &bench{ledger: l, key: l.foe}
		before := l.balance(l.foe)
		w := watcher.New(member.Config{Identity: agent.Identity{Account: l.foe.Account()}, Run: l.run, Court: b, Blobs: l.blobs}, work.PPM)
		w.Shop = shop
		if !b.step(w) || len(b.known) != 1 {
			t.Fatalf("the watcher has opened %d disputes", len(b.known))
		}
		called := false
		for range 2000 {
			d := l.dispute(b.known[0])
			if d == nil {
				break
			}
			called = called || d.Second == l.checker.Account()
			switch {
			case d.Player() == l.foe.Account():
				b.step(w)
			case silent || called: // neither has anything to show
				l.block()
			default:
				m := dispute.Move{Dispute: d.ID, Turn: d.Turn, Side: dispute.Defender}
				if m.Answer, err = bisect.Defend(d.Game, lie); err != nil {
					t.Fatal(err)
				}
				signature, err := l.worker.Sign(m.Digest())
				if err != nil {
					t.Fatal(err)
				}
				l.must(l.worker, dispute.Play{Move: m, Signature: signature})
			}
		}
		s := l.state()
		for _, who := range []client.Key{l.worker, l.checker} {
			if m, _ := s.Member(who.Account()); m.Status != work.Expelled || !m.Bond.IsZero() {
				t.Errorf("silent %v: %s is %s with a bond of %s", silent, m.Role, m.Status, m.Bond.Coins())
			}
		}
		if s.Budget != s.Spec.Budget() || s.Current != s.Spec.Initial {
			t.Errorf("silent %v: %s of the budget is left, the model is %s", silent, s.Budget.Coins(), s.Current.Model)
		}
		if gained := l.balance(l.foe); !called || gained.Compare(before.Plus(money.MUT(24))) < 0 {
			t.Errorf("silent %v: called %v, the watcher has %s of %s", silent, called, gained.Coins(), before.Coins())
		}
	}
}

func (l *ledger) balance(of client.Key) money.Amount {
	ctx, err := l.app.CreateQueryContext(l.height, false)
	if err != nil {
		l.t.Fatal(err)
	}
	who := of.Account()
	a, err := network.Amount(l.app.Bank.GetBalance(ctx, who[:], network.Denom).Amount)
	if err != nil {
		l.t.Fatal(err)
	}
	return a
}
