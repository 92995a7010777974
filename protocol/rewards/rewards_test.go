package rewards_test

import (
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/rewards"
)

var collector = protocol.Account{0xfe}

func integer(a money.Amount) *big.Int {
	b := a.Bytes()
	return new(big.Int).SetBytes(b[:])
}

func amount(t *testing.T, v *big.Int) money.Amount {
	t.Helper()
	a, err := money.Parse(v.String())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Two validators with stakes of 2 and 1, one of which signed half of the blocks, and a commission of a tenth.
func TestDivide(t *testing.T) {
	unit := money.New(1 << 60) // a power of two divides without a rest
	v, h := rewards.Enter(rewards.Validator{})
	signers := []rewards.Signer{
		{Operator: protocol.Account{1}, Weight: money.New(200), Shares: unit.Times(2), Validator: v, Commission: rewards.Whole / 10},
		{Operator: protocol.Account{2}, Weight: money.New(50), Shares: unit, Validator: v},
	}
	next, loose, effects := rewards.Divide(money.New(1001), money.Amount{}, signers, collector)
	if !loose.IsZero() || len(effects) != 3 {
		t.Fatalf("loose %s, %v", loose, effects)
	}
	if lock := effects[0].(protocol.Lock); lock.From != collector || lock.Amount != money.New(1000) { // 800 and 200; 1 stays
		t.Errorf("%+v", lock)
	}
	if pay := effects[1].(protocol.Pay); pay.To != (protocol.Account{1}) || pay.Amount != money.New(80) {
		t.Errorf("%+v", pay)
	}
	for i, want := range []uint64{720, 200} {
		settled, effects := rewards.Settle(next[i].Validator, h, signers[i].Shares, protocol.Account{9})
		if len(effects) != 1 || effects[0].(protocol.Pay).Amount != money.New(want) || settled.Paid != money.New(want) || !settled.Rest.IsZero() {
			t.Errorf("signer %d: %v, %+v, not %d", i, effects, settled, want)
		}
	}
}

// What nobody can be given stays with the collector: no signer, no stake, nothing to divide.
func TestNothingToDivide(t *testing.T) {
	v, _ := rewards.Enter(rewards.Validator{})
	for name, signers := range map[string][]rewards.Signer{
		"nobody":    nil,
		"no weight": {{Shares: money.MUT(1), Validator: v}},
		"no stake":  {{Weight: money.New(1), Validator: v}},
		"no holder": {{Weight: money.New(1), Shares: money.MUT(1)}},
	} {
		_, _, effects := rewards.Divide(money.MUT(5), money.Amount{}, signers, collector)
		for _, e := range effects {
			if event, ok := e.(protocol.Event); !ok || event.Attributes[0].Value != "0" {
				t.Errorf("%s: %+v", name, e)
			}
		}
	}
}

// Stakes of all sizes come, change and leave while fees are divided. After each step the escrow is, to the last 2^-128 amut, what is owed.
func TestNothingIsLost(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	random := func(bits int) money.Amount {
		v := new(big.Int)
		for range 4 {
			v.Lsh(v, 64).Or(v, new(big.Int).SetUint64(r.Uint64()))
		}
		return amount(t, v.Rsh(v, uint(256-1-r.IntN(bits))))
	}
	type stake struct {
		holder rewards.Holder
		shares money.Amount
	}
	type validator struct {
		state  rewards.Validator
		shares money.Amount
		stakes []*stake
	}
	list := []*validator{{}, {}, {}}
	var pot, escrow, loose, paid, put money.Amount
	carry := func(effects []protocol.Effect) {
		for _, e := range effects {
			switch e := e.(type) {
			case protocol.Lock:
				pot, escrow = pot.Minus(e.Amount), escrow.Plus(e.Amount)
			case protocol.Pay:
				escrow, paid = escrow.Minus(e.Amount), paid.Plus(e.Amount)
			}
		}
	}
	settle := func(v *validator, s *stake) {
		next, effects := rewards.Settle(v.state, s.holder, s.shares, protocol.Account{1})
		s.holder = next
		carry(effects)
	}
	for step := range 20_000 {
		v := list[r.IntN(len(list))]
		switch kind := r.IntN(6); {
		case kind == 0 && len(v.stakes) < 5:
			s := &stake{shares: random(160)}
			v.state, s.holder = rewards.Enter(v.state)
			v.stakes, v.shares = append(v.stakes, s), v.shares.Plus(s.shares)
		case kind == 1 && len(v.stakes) > 0:
			i := r.IntN(len(v.stakes))
			s := v.stakes[i]
			settle(v, s)
			v.state, loose = rewards.Leave(v.state, s.holder, loose)
			v.stakes, v.shares = append(v.stakes[:i:i], v.stakes[i+1:]...), v.shares.Minus(s.shares)
		case kind == 2 && len(v.stakes) > 0:
			s := v.stakes[r.IntN(len(v.stakes))]
			settle(v, s)
			more := random(100)
			s.shares, v.shares = s.shares.Plus(more), v.shares.Plus(more)
		case kind == 3 && len(v.stakes) > 0:
			settle(v, v.stakes[r.IntN(len(v.stakes))])
		default:
			more := random(90)
			pot, put = pot.Plus(more), put.Plus(more)
			var signers []rewards.Signer
			for _, v := range list {
				signers = append(signers, rewards.Signer{Operator: protocol.Account{2}, Weight: money.New(r.Uint64N(1000)), Shares: v.shares, Commission: r.Uint64N(rewards.Whole), Validator: v.state})
			}
			next, still, effects := rewards.Divide(pot, loose, signers, collector)
			loose = still
			for i := range list {
				list[i].state = next[i].Validator
			}
			carry(effects)
		}
		owed := integer(loose)
		for _, v := range list {
			owed.Add(owed, integer(v.state.Rest))
			for _, s := range v.stakes {
				owed.Add(owed, integer(rewards.Owed(v.state, s.holder, s.shares)))
			}
		}
		if held := integer(escrow); owed.Cmp(held.Lsh(held, 128)) != 0 {
			t.Fatalf("step %d: %s are owed, the escrow has %s, in 2^-128 amut", step, owed, held)
		}
		if pot.Plus(escrow).Plus(paid) != put {
			t.Fatalf("step %d: coins came or went", step)
		}
	}
	if paid.IsZero() {
		t.Error("nobody was paid")
	}
}

// The greatest numbers do not leave 256 bits.
func TestGreatest(t *testing.T) {
	v, h := rewards.Enter(rewards.Validator{})
	all := amount(t, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 192), big.NewInt(1)))
	s := rewards.Signer{Weight: money.New(1), Shares: all, Validator: v}
	for range 1000 {
		next, _, _ := rewards.Divide(all, money.Amount{}, []rewards.Signer{s}, collector)
		s = next[0]
	}
	if _, effects := rewards.Settle(s.Validator, h, all, protocol.Account{}); len(effects) != 1 {
		t.Error("nothing is due")
	}
	s.Shares = amount(t, new(big.Int).Lsh(big.NewInt(1), 192)) // beyond the bound: it waits
	if next, _, _ := rewards.Divide(all, money.Amount{}, []rewards.Signer{s}, collector); next[0] != s {
		t.Error("an unpayable part was paid")
	}
}
