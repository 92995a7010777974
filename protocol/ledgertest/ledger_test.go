package ledgertest

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/merkle"
)

func account(name string) protocol.Account {
	var a protocol.Account
	copy(a[:], name)
	return a
}

func hash(s string) protocol.Hash { return merkle.Leaf([]byte(s)) }

var data = registry.RegisterDataset{Root: hash("r"), Blob: hash("b"), Schema: hash("s"), Records: 10, RecordSize: 4, Name: "d", Licence: "CC0-1.0"}

// newRun registers the dataset as the author and returns the message that makes a run of 8 units at 1 MUT on it.
func newRun(t *testing.T, l *Ledger, author protocol.Account) work.CreateRun {
	t.Helper()
	if err := l.Submit(author, data); err != nil {
		t.Fatal(err)
	}
	s := work.DefaultSpec()
	ref := work.StateRef{Model: hash("m"), Outer: hash("o"), Blob: hash("b")}
	s.Name, s.Dataset, s.Program, s.InferenceProgram = "r", registry.DatasetID(author, data), hash("p"), hash("i")
	s.Params, s.Initial, s.Rounds, s.Steps, s.MaxUnits = []string{"w"}, ref, 2, 1, 4
	s.Price.PerUnit, s.ProviderBond, s.VerifierBond = money.MUT(1), money.MUT(3), money.MUT(3)
	s.Windows.Wait, s.Windows.Challenge = 4, 0
	return work.CreateRun{Spec: s}
}

func TestSubmitIsAllOrNothing(t *testing.T) {
	l, author := New(), account("author")
	create := newRun(t, l, author)
	l.Mint(author, money.MUT(12))
	second := create
	second.Nonce = 1 // the money is enough for one run only
	if err := l.Submit(author, create, second); !errors.Is(err, protocol.ErrInsufficient) {
		t.Fatalf("two runs: %v", err)
	}
	if n := len(l.Runs()); n != 0 || l.Balance(author) != money.MUT(12) || len(l.Events(0)) != 1 {
		t.Errorf("%d runs, balance %s, events %v", n, l.Balance(author).Coins(), l.Events(0))
	}
	if err := l.Submit(author, create); err != nil {
		t.Fatal(err)
	}
	if got := l.Balance(author); got != money.MUT(4) {
		t.Errorf("balance %s", got.Coins())
	}
	if err := l.Submit(author, create); !errors.Is(err, protocol.ErrExists) {
		t.Errorf("the same run again: %v", err)
	}
	if err := l.Check(); err != nil {
		t.Error(err)
	}
	for range 5 { // nobody joins: created in block 1, it waits 4 more
		l.Advance()
	}
	if got := l.Balance(author); got != money.MUT(12) {
		t.Errorf("after the run stopped the balance is %s", got.Coins())
	}
	if r := l.Receipts(l.Runs()[0]); len(r) != 1 || r[0].Kind != work.ForRefund || r[0].Time != Genesis+5 {
		t.Errorf("receipts %+v", r)
	}
}

func TestUnknown(t *testing.T) {
	l, author := New(), account("author")
	create := newRun(t, l, author)
	create.Spec.Dataset = hash("other")
	for name, m := range map[string]protocol.Msg{
		"dataset of a run": create,
		"run":              work.Leave{Run: hash("x")},
		"run of a model":   registry.PublishModel{Run: hash("x")},
		"model":            registry.Use{Model: hash("x"), Fee: money.New(1)},
	} {
		if err := l.Submit(author, m); !errors.Is(err, protocol.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := l.Submit(author, data); !errors.Is(err, protocol.ErrExists) {
		t.Errorf("dataset again: %v", err)
	}
	if _, err := l.Run(hash("x")); !errors.Is(err, protocol.ErrNotFound) {
		t.Error(err)
	}
	if _, err := l.Dataset(hash("x")); !errors.Is(err, protocol.ErrNotFound) {
		t.Error(err)
	}
	if _, _, err := l.Model(hash("x")); !errors.Is(err, protocol.ErrNotFound) {
		t.Error(err)
	}
}

// TestModel publishes the result of a run that was stopped after a counted round and charges a use of it.
func TestModel(t *testing.T) {
	l, author := New(), account("author")
	create := newRun(t, l, author)
	l.Mint(author, money.MUT(8))
	if err := l.Submit(author, create); err != nil {
		t.Fatal(err)
	}
	run := work.RunID(author, create)
	if err := l.Submit(account("x"), registry.PublishModel{Run: run}); !errors.Is(err, protocol.ErrNotFinished) {
		t.Errorf("before the end: %v", err)
	}
	p, v := account("p"), account("v")
	for who, role := range map[protocol.Account]work.Role{p: work.Provider, v: work.Verifier} {
		l.Mint(who, money.MUT(3))
		if err := l.Submit(who, work.Join{Run: run, Role: role}); err != nil {
			t.Fatal(err)
		}
	}
	l.Advance()
	s, err := l.Run(run)
	if err != nil {
		t.Fatal(err)
	}
	result := work.Result{Payload: work.PayloadRef{Root: hash("y"), Blob: hash("z"), Size: 1}}
	opening := work.Opening{Payload: result.Payload.Root}
	result.Trace = opening.TraceRoot()
	report := work.Report{Available: []bool{true}, Audits: []work.Opening{opening}}
	salt := hash("salt")
	for _, m := range []struct {
		who protocol.Account
		msg protocol.Msg
	}{
		{p, work.Commit{Run: run, Round: 1, Seal: work.CommitSeal(run, 1, 0, s.Round.Units[0].Shard, p, result, salt)}},
		{p, work.Reveal{Run: run, Round: 1, Result: result, Salt: salt}},
		{v, work.AuditCommit{Run: run, Round: 1, Pass: 1, Seal: work.ReportSeal(run, 1, 1, v, report, salt)}},
		{v, work.AuditReveal{Run: run, Round: 1, Pass: 1, Report: report, Salt: salt}},
		{v, work.Aggregate{Run: run, Round: 1, Next: work.StateRef{Model: hash("m2"), Outer: hash("o2"), Blob: hash("b2")}, Trace: hash("t2")}},
	} {
		if err := l.Submit(m.who, m.msg); err != nil {
			t.Fatal(err)
		}
		l.Advance()
	}
	for range 2000 { // p and v do nothing any more
		l.Advance()
	}
	if s, err = l.Run(run); err != nil || s.Phase != work.PhaseStopped || s.Done != 1 {
		t.Fatalf("%v, %v", s, err)
	}
	if err := l.Submit(account("x"), registry.PublishModel{Run: run}); err != nil {
		t.Fatal(err)
	}
	m := l.Models()[0]
	before := l.Balance(p)
	l.Mint(account("user"), money.New(1000))
	if err := l.Submit(account("user"), registry.Use{Model: m.ID, Fee: money.New(1000)}); err != nil {
		t.Fatal(err)
	}
	for _, h := range l.Holdings(m.ID) {
		if err := l.Submit(account("x"), registry.ClaimDividend{Model: m.ID, Holder: h.Holder}); err != nil {
			t.Fatal(err)
		}
	}
	if got := l.Balance(p).Minus(before); got != money.New(500) {
		t.Errorf("p got %s of 1000", got)
	}
	if err := l.Submit(account("x"), registry.ClaimDividend{Model: m.ID, Holder: p}); !errors.Is(err, protocol.ErrNotFound) {
		t.Errorf("a dividend is paid twice: %v", err)
	}
	if err := l.Submit(p, registry.TransferShares{Model: m.ID, To: account("heir"), PPM: 500_000}); err != nil {
		t.Fatal(err)
	}
	if err := l.Submit(p, registry.TransferShares{Model: m.ID, To: account("heir"), PPM: 1}); !errors.Is(err, protocol.ErrInsufficient) {
		t.Errorf("parts that are gone are given away: %v", err)
	}
	if err := l.Submit(account("user"), registry.Use{Model: m.ID, Fee: money.New(1)}); !errors.Is(err, protocol.ErrInsufficient) {
		t.Errorf("use without money: %v", err)
	}
	m, file, err := l.Model(m.ID)
	if err != nil || m.Uses != 1 || file != nil || len(l.UseReceipts(m.ID)) != 1 {
		t.Errorf("%+v, %v, %v", m, file, err)
	}
	if err := l.Check(); err != nil {
		t.Error(err)
	}
}

func TestCheckSeesLostCoins(t *testing.T) {
	l := New()
	l.Mint(account("a"), money.New(5))
	if err := l.Check(); err != nil {
		t.Fatal(err)
	}
	l.books.balances[0].amount = money.New(4)
	if l.Check() == nil {
		t.Error("a lost coin goes unnoticed")
	}
	l.books.balances[0].amount, l.books.escrow = money.New(4), money.New(1)
	if l.Check() == nil {
		t.Error("escrow that nobody has a claim to goes unnoticed")
	}
}

// TestNext waits for a block in another goroutine, and stops waiting when the context is done.
func TestNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New()
		c := l.Client(account("a"))
		got := make(chan protocol.Height)
		go func() {
			h, err := c.Next(t.Context(), 1)
			if err != nil {
				t.Error(err)
			}
			got <- h
		}()
		l.Advance()
		synctest.Wait()
		select {
		case h := <-got:
			t.Fatalf("woken at %d", h)
		default:
		}
		l.Advance()
		if h := <-got; h != 2 {
			t.Errorf("woken at %d", h)
		}
		if h, err := c.Next(t.Context(), 0); h != 2 || err != nil {
			t.Errorf("a height of the past: %d, %v", h, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Next(ctx, 2); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("no block: %v", err)
		}
		for name, err := range map[string]error{
			"height":  second(c.Height(ctx)),
			"next":    second(c.Next(ctx, 0)),
			"runs":    second(c.Runs(ctx)),
			"run":     second(c.Run(ctx, hash("x"))),
			"dataset": second(c.Dataset(ctx, hash("x"))),
			"submit":  c.Submit(ctx, data),
		} {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s after the end: %v", name, err)
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }
