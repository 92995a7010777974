package request

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// books carries effects out and forbids that money appears or vanishes.
type books struct {
	t        *testing.T
	balances map[protocol.Account]money.Amount
	escrow   money.Amount
	burned   money.Amount
	receipts int
}

func (b *books) do(effects []protocol.Effect) {
	b.t.Helper()
	for _, e := range effects {
		switch e := e.(type) {
		case protocol.Lock:
			b.balances[e.From] = b.balances[e.From].Minus(e.Amount)
			b.escrow = b.escrow.Plus(e.Amount)
		case protocol.Pay:
			b.escrow = b.escrow.Minus(e.Amount)
			b.balances[e.To] = b.balances[e.To].Plus(e.Amount)
		case protocol.Burn:
			b.escrow = b.escrow.Minus(e.Amount)
			b.burned = b.burned.Plus(e.Amount)
		case protocol.Record:
			b.receipts++
		}
	}
}

var (
	asker = protocol.Account{1}
	price = money.New(100)
	fee   = money.New(7)

	delivery = money.New(5)
)

func worker(i int) protocol.Account { return protocol.Account{2, byte(i)} }
func salt(i int) protocol.Hash      { return protocol.Hash{9, byte(i)} }
func at(h int) protocol.Env         { return protocol.Env{Height: protocol.Height(h)} }

func begin(t *testing.T, workers uint8, window uint64) (*Request, *books) {
	t.Helper()
	b := &books{t: t, balances: map[protocol.Account]money.Amount{asker: money.New(100_000)}}
	for i := range 8 {
		b.balances[worker(i)] = money.New(1_000)
	}
	ask := Ask{Model: protocol.Hash{5}, Workers: workers, Price: price, Blocks: 10, Window: window, Callback: protocol.Account{3}, CallbackGas: 1, DeliveryFee: delivery}
	r, effects, err := Create(ask, fee, 3, asker, 0, at(1))
	if err != nil {
		t.Fatal(err)
	}
	b.do(effects)
	return r, b
}

// play seals and opens an answer for each worker.
func play(t *testing.T, r *Request, b *books, answers ...[]uint32) *Request {
	t.Helper()
	for i, a := range answers {
		next, effects, err := Take(r, SealOf(r.ID, worker(i), Digest(a), salt(i)), worker(i), at(2))
		if err != nil {
			t.Fatal(err)
		}
		b.do(effects)
		r = next
	}
	for i, a := range answers {
		next, effects, err := Open(r, a, salt(i), worker(i), at(3))
		if err != nil {
			t.Fatal(err)
		}
		b.do(effects)
		r = next
	}
	return r
}

func TestAgreement(t *testing.T) {
	yes := []uint32{1, 2}
	r, b := begin(t, 2, 0)
	r = play(t, r, b, yes, yes)
	if r.Status != Answered || r.Finality != Sampled || r.Answer != Digest(yes) {
		t.Fatalf("%+v", r)
	}
	if b.escrow != fee.Plus(delivery) || b.balances[worker(0)] != money.New(1_100) || b.balances[asker] != money.New(100_000-212) {
		t.Errorf("escrow %s, worker %s, asker %s", b.escrow, b.balances[worker(0)], b.balances[asker])
	}
}

// TestDelivery: the first who calls back has the fee, once; if nobody does, it goes back.
func TestDelivery(t *testing.T) {
	yes := []uint32{1}
	r, b := begin(t, 1, 0)
	r = play(t, r, b, yes)
	if r.Escrow() != delivery || r.LockedBy(asker) != delivery || !r.LockedBy(worker(0)).IsZero() {
		t.Errorf("escrow %s, of the asker %s", r.Escrow(), r.LockedBy(asker))
	}
	gone, effects := Tick(r, at(3+KeepBlocks))
	never := &books{t: t, balances: map[protocol.Account]money.Amount{}, escrow: delivery}
	if never.do(effects); gone != nil || never.balances[asker] != delivery {
		t.Errorf("nobody called back: %v, the asker has %s", gone, never.balances[asker])
	}
	by := protocol.Account{7}
	for i, who := range []protocol.Account{by, {8}} {
		next, effects, err := Deliver(r, who)
		if err != nil || next.Attempts != uint32(i+1) || !next.Delivered {
			t.Fatalf("%+v: %v", next, err)
		}
		b.do(effects)
		if _, _, err := Deliver(next, who); !errors.Is(err, protocol.ErrDuplicate) {
			t.Errorf("within the call: %v", err)
		}
		r = Failed(next)
	}
	if b.balances[by] != delivery || !b.balances[protocol.Account{8}].IsZero() || b.escrow != fee {
		t.Errorf("the first has %s, escrow %s", b.balances[by], b.escrow)
	}
	if gone, effects := Tick(r, at(3+KeepBlocks)); gone != nil || effects != nil {
		t.Errorf("%v %v", gone, effects)
	}
}

func TestWindowAndReplay(t *testing.T) {
	yes, no := []uint32{1}, []uint32{2}
	r, b := begin(t, 2, 5)
	r = play(t, r, b, no, no) // two liars
	if r.Status != Window || r.Finality != WindowOpen {
		t.Fatalf("%+v", r)
	}
	if same, effects := Tick(r, at(7)); same != r || effects != nil {
		t.Error("the window closed early")
	}
	by := protocol.Account{7}
	r, effects, err := Replay(r, yes, by, at(8))
	if err != nil {
		t.Fatal(err)
	}
	b.do(effects)
	if r.Finality != DisputeClosed || r.Answer != Digest(yes) || b.balances[by] != money.New(200) || b.burned != money.New(200) || b.balances[asker] != money.New(100_000-12) {
		t.Errorf("%+v: replayer %s, burned %s, asker %s", r, b.balances[by], b.burned, b.balances[asker])
	}
	if _, _, err := Replay(r, yes, by, at(9)); !errors.Is(err, protocol.ErrPhase) {
		t.Errorf("a second replay: %v", err)
	}
}

func TestSealsAreTheirOwners(t *testing.T) {
	a := []uint32{1}
	r, b := begin(t, 2, 0)
	seal := SealOf(r.ID, worker(0), Digest(a), salt(0))
	r, effects, err := Take(r, seal, worker(0), at(1))
	if err != nil {
		t.Fatal(err)
	}
	b.do(effects)
	if _, _, err := Take(r, seal, worker(0), at(1)); !errors.Is(err, protocol.ErrDuplicate) {
		t.Errorf("a second seat: %v", err)
	}
	if r, effects, err = Take(r, seal, worker(1), at(1)); err != nil { // a copier
		t.Fatal(err)
	}
	b.do(effects)
	if _, _, err := Open(r, a, salt(0), worker(1), at(2)); !errors.Is(err, protocol.ErrSealMismatch) {
		t.Errorf("a copied seal: %v", err)
	}
	if _, _, err := Open(r, a, salt(0), worker(2), at(2)); !errors.Is(err, protocol.ErrNotAssigned) {
		t.Errorf("a stranger: %v", err)
	}
	if r, effects, err = Open(r, a, salt(0), worker(0), at(2)); err != nil {
		t.Fatal(err)
	}
	b.do(effects)
	r, effects = Tick(r, at(1+OpenBlocks))
	b.do(effects)
	if r.Status != Refunded || b.balances[worker(0)] != money.New(1_100) || b.balances[worker(1)] != money.New(800) || b.burned != money.New(100) || !b.escrow.IsZero() {
		t.Errorf("%+v: %s and %s, burned %s", r, b.balances[worker(0)], b.balances[worker(1)], b.burned)
	}
}

// TestEveryRequestEnds plays random messages: the escrow is always what the requests say, and each request ends with one receipt and is gone.
func TestEveryRequestEnds(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		workers := uint8(1 + rnd.IntN(4))
		r, b := begin(t, workers, uint64(rnd.IntN(2)*4))
		answers := make([][]uint32, 5)
		for i := range answers {
			answers[i] = []uint32{uint32(rnd.IntN(5) / 4)}
		}
		for h := 1; r != nil; h++ {
			if h > 200 && r.Status.Final() {
				h += KeepBlocks
			}
			for range 3 {
				i := rnd.IntN(5)
				var next *Request
				var effects []protocol.Effect
				err := fmt.Errorf("nothing")
				switch rnd.IntN(12) {
				case 0, 1, 2:
					next, effects, err = Take(r, SealOf(r.ID, worker(i), Digest(answers[i]), salt(i)), worker(i), at(h))
				case 3, 4, 5, 6:
					next, effects, err = Open(r, answers[i], salt(i), worker(i), at(h))
				case 7:
					if rnd.IntN(4) == 0 {
						next, effects, err = Replay(r, []uint32{0}, worker(i), at(h))
					}
				case 8:
					if next, effects, err = Deliver(r, worker(i)); err == nil && rnd.IntN(2) == 0 {
						next = Failed(next)
					}
				}
				if err == nil {
					r = next
					b.do(effects)
				}
			}
			before := r
			next, effects := Tick(r, at(h))
			b.do(effects)
			if r = next; r == nil {
				if !before.Status.Final() {
					t.Fatal("dropped before its end")
				}
				if before.Status == Answered {
					b.escrow = b.escrow.Minus(fee) // the host pays the model
				}
				break
			}
			want := r.Escrow()
			if r.Status == Answered {
				want = want.Plus(fee)
			}
			if b.escrow != want {
				t.Fatalf("seed %d, block %d: escrow %s, the request says %s", seed, h, b.escrow, want)
			}
		}
		if !b.escrow.IsZero() || b.receipts != 1 {
			t.Fatalf("seed %d: escrow %s, %d receipts", seed, b.escrow, b.receipts)
		}
	}
}

func TestAskIsBounded(t *testing.T) {
	good := Ask{Workers: 1, Price: price, Blocks: 1}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Ask){
		"no worker": func(a *Ask) { a.Workers = 0 }, "eight": func(a *Ask) { a.Workers = 8 }, "no price": func(a *Ask) { a.Price = money.Amount{} },
		"no time": func(a *Ask) { a.Blocks = 0 }, "for ever": func(a *Ask) { a.Blocks = MaxBlocks + 1 }, "window": func(a *Ask) { a.Window = MaxWindow + 1 },
		"gas for nobody": func(a *Ask) { a.CallbackGas = 1 }, "no gas": func(a *Ask) { a.Callback = asker },
		"gas": func(a *Ask) { a.Callback, a.CallbackGas = asker, MaxCallbackGas+1 }, "a fee for nothing": func(a *Ask) { a.DeliveryFee = price },
	} {
		a := good
		change(&a)
		if err := a.Check(); !errors.Is(err, protocol.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
