package registry

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
)

// family is models by name, with their parents.
type family map[string]*Model

func (f family) earn(t *testing.T, name string, amount uint64) {
	t.Helper()
	m, _, err := Charge(Use{Model: f[name].ID, Fee: money.New(amount)}, *f[name], account("payer"), protocol.Env{})
	if err != nil {
		t.Fatal(err)
	}
	*f[name] = m
}

// flow lets a model's income flow by one step.
func (f family) flow(t *testing.T, name string) {
	t.Helper()
	var parents []Model
	for _, p := range f[name].Parents {
		for _, m := range f {
			if m.ID == p.Model {
				parents = append(parents, *m)
			}
		}
	}
	m, changed, err := Flow(*f[name], parents)
	if err != nil {
		t.Fatal(err)
	}
	*f[name] = m
	for _, p := range changed {
		for _, have := range f {
			if have.ID == p.ID {
				*have = p
			}
		}
	}
}

// The published example: C has the parents A (60 %) and B (40 %), A has the parent D; a million is paid for C.
func TestRoyaltiesOfTheExample(t *testing.T) {
	f := family{}
	for _, name := range []string{"A", "B", "C", "D"} {
		f[name] = &Model{ID: hash(name)}
	}
	f["C"].Parents = []Parent{{hash("A"), 600_000, Proven}, {hash("B"), 400_000, Claimed}}
	f["A"].Parents = []Parent{{hash("D"), 1_000_000, Proven}}
	f.earn(t, "C", 1_000_000)
	for _, name := range []string{"C", "A", "B", "D"} {
		f.flow(t, name)
	}
	for name, want := range map[string]uint64{"C": 700_000, "A": 126_000, "B": 120_000, "D": 54_000} {
		if got := f[name].Holders; got != money.New(want) {
			t.Errorf("%s: its holders have %s, want %d", name, got, want)
		}
	}
}

// However often and in whatever order income flows, amounts depend on the sums alone, and none is lost.
func TestRoyaltiesInAnyOrder(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 4))
		f := family{}
		names := []string{"A", "B", "C", "D", "E"}
		for i, name := range names {
			f[name] = &Model{ID: hash(name)}
			left := uint32(whole)
			for j := range i {
				part := left
				if j < i-1 {
					part = r.Uint32N(left-uint32(i-j)) + 1
				}
				f[name].Parents = append(f[name].Parents, Parent{hash(names[j]), part, Proven})
				left -= part
			}
		}
		var paid money.Amount
		for range 40 {
			name := names[r.IntN(len(names))]
			if r.IntN(2) == 0 {
				fee := r.Uint64N(1000) + 1
				paid = paid.Plus(money.New(fee))
				f.earn(t, name, fee)
			} else {
				f.flow(t, name)
			}
			var sum money.Amount
			for _, m := range f {
				sum = sum.Plus(m.Claims())
			}
			if sum != paid {
				t.Fatalf("seed %d: of %s are %s left", seed, paid, sum)
			}
		}
		before := f["E"].Earned
		once := family{"E": &Model{ID: hash("E"), Parents: f["E"].Parents}}
		for _, name := range names[:4] {
			once[name] = &Model{ID: hash(name)}
		}
		once["E"].Earned = before
		once.flow(t, "E")
		f.flow(t, "E")
		if f["E"].Holders != once["E"].Holders {
			t.Fatalf("seed %d: %s in steps, %s at once", seed, f["E"].Holders, once["E"].Holders)
		}
	}
}

// A crowd of holders trades and claims at random while a model earns: nobody gets more than there is, nearly all is paid.
func TestDividends(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 5))
		m := Model{ID: hash("m"), Shares: []Share{{account("a"), ForCompute, 500_000}, {account("b"), ForData, 499_999}, {account("a"), ForAuthor, 1}}}
		held := map[protocol.Account]Holding{}
		for _, h := range holdings(&m) {
			held[h.Holder] = h
		}
		if held[account("a")].PPM != 500_001 {
			t.Fatalf("holdings %+v", held)
		}
		everyone := []protocol.Account{account("a"), account("b"), account("c"), account("d")}
		touches, paid := uint64(0), money.Amount{}
		for range 100 {
			who, to := everyone[r.IntN(4)], everyone[r.IntN(4)]
			switch r.IntN(3) {
			case 0:
				m.Earned = m.Earned.Plus(money.New(r.Uint64N(1 << 40)))
				m, _, _ = Flow(m, nil)
			case 1:
				h, ok := held[who]
				if !ok {
					continue
				}
				next, holding, effects, err := Claim(m, h, protocol.Env{})
				if err != nil {
					continue
				}
				m, held[who] = next, holding
				paid = paid.Plus(effects[0].(protocol.Pay).Amount)
				touches++
			case 2:
				var known *Holding
				if h, ok := held[to]; ok {
					known = &h
				}
				from, receiver, _, err := Transfer(TransferShares{m.ID, to, 1 + r.Uint32N(300_000)}, m, held[who], known)
				if err != nil {
					continue
				}
				held[who], held[to] = from, receiver
				touches += 2
			}
			sum, owed := uint32(0), money.Amount{}
			for _, h := range held {
				sum += h.PPM
				h.accrue(&m)
				owed = owed.Plus(h.Due)
			}
			if sum != whole {
				t.Fatalf("seed %d: %d parts", seed, sum)
			}
			if total := owed.Plus(m.Paid); total.Compare(m.Holders) > 0 || m.Holders.Minus(total).Compare(money.New(touches+4)) > 0 {
				t.Fatalf("seed %d: paid %s, owed %s of %s after %d touches", seed, m.Paid, owed, m.Holders, touches)
			}
		}
		if paid != m.Paid {
			t.Fatalf("seed %d: %s paid, %s in the books", seed, paid, m.Paid)
		}
	}
}

func TestTransferRefuses(t *testing.T) {
	m, h := Model{ID: hash("m")}, Holding{Model: hash("m"), Holder: account("a"), PPM: 10}
	for _, c := range []struct {
		m    TransferShares
		want error
	}{
		{TransferShares{m.ID, account("b"), 11}, protocol.ErrInsufficient},
		{TransferShares{m.ID, account("b"), 0}, protocol.ErrInvalid},
		{TransferShares{m.ID, protocol.Account{}, 1}, protocol.ErrInvalid},
		{TransferShares{m.ID, account("a"), 1}, protocol.ErrInvalid},
		{TransferShares{m.ID, account("b"), whole + 1}, protocol.ErrInvalid},
	} {
		if _, _, effects, err := Transfer(c.m, m, h, nil); !errors.Is(err, c.want) || effects != nil {
			t.Errorf("%+v: %v", c.m, err)
		}
	}
}

// An edge is proven if the run began with the parent's weights, and only then.
func TestEdges(t *testing.T) {
	run := &work.State{Spec: work.Spec{
		Initial: work.StateRef{Model: hash("weights")},
		Parents: []work.Parent{{Model: hash("p"), PPM: 1}, {Model: hash("q"), PPM: whole - 1}},
	}}
	parents := []Model{{ID: hash("p"), Weights: hash("weights")}, {ID: hash("q"), Weights: hash("others")}}
	list, err := edges(run, parents)
	if err != nil || len(list) != 2 || list[0] != (Parent{hash("p"), 1, Proven}) || list[1] != (Parent{hash("q"), whole - 1, Claimed}) {
		t.Errorf("%+v, %v", list, err)
	}
	for _, wrong := range [][]Model{nil, parents[:1], {parents[1], parents[0]}} {
		if _, err := edges(run, wrong); !errors.Is(err, protocol.ErrNotFound) {
			t.Errorf("%d parents: %v", len(wrong), err)
		}
	}
}
