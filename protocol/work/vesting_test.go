package work

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/verify/merkle"
)

// TestVesting lets rounds pass: pay is due after so many, in full, and nothing is lost or made.
func TestVesting(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 3))
	for _, rounds := range []uint32{0, 1, 3, MaxVesting} {
		v := Vesting{rounds}
		var kept Kept
		var earned []uint64
		var in, out uint64
		for round := range 200 {
			pay := rng.Uint64N(1000)
			if rng.IntN(3) == 0 {
				pay = 0
			}
			earned, in = append(earned, pay), in+pay
			before := kept.Sum()
			next, due := v.Close(kept, money.New(pay))
			want := uint64(0)
			if round >= int(rounds) {
				want = earned[round-int(rounds)]
			}
			if due != money.New(want) || kept.Sum() != before || len(next) > int(rounds) {
				t.Fatalf("%d rounds, round %d: %s is due, want %d; %d kept", rounds, round, due, want, len(next))
			}
			kept, out = next, out+want
			if kept.Sum() != money.New(in-out) {
				t.Fatalf("%d rounds, round %d: %s is kept of %d", rounds, round, kept.Sum(), in-out)
			}
		}
	}
	// A shorter vesting, should the terms ever change, pays what it no longer keeps.
	if next, due := (Vesting{1}).Close(Kept{money.New(1), money.New(2), money.New(3)}, money.New(4)); due != money.New(6) || next.Sum() != money.New(4) {
		t.Errorf("%s due, %v kept", due, next)
	}
}

// TestEarnIn: a bond grows out of a fifth of pay to its size and no further.
func TestEarnIn(t *testing.T) {
	bond, size := money.New(0), money.New(50)
	got := money.Amount{}
	for range 30 {
		toBond, toOwner := EarnIn(bond, size, money.New(16)) // 3 and 13, the last time 2 and 14
		if toBond.Plus(toOwner) != money.New(16) || toBond.Compare(money.New(3)) > 0 {
			t.Fatalf("%s and %s of 16", toBond, toOwner)
		}
		bond, got = bond.Plus(toBond), got.Plus(toOwner)
	}
	if bond != size || got != money.New(430) {
		t.Errorf("bond %s, paid %s", bond, got)
	}
	if toBond, toOwner := EarnIn(money.New(60), size, money.New(3)); !toBond.IsZero() || toOwner != money.New(3) {
		t.Errorf("a larger bond: %s, %s", toBond, toOwner)
	}
}

// TestOnion: layers open in order and no other way, and a worker that tries salts gains nothing against a layer that it does not know.
func TestOnion(t *testing.T) {
	secret := merkle.Leaf([]byte("s"))
	const last = 20
	for i := range uint32(last) {
		outer, inner := Layer(secret, last, i), Layer(secret, last, i+1)
		if !Opens(outer, inner) || Opens(inner, outer) || Opens(outer, Layer(secret, last, i+2)) && i+2 <= last || Opens(outer, secret) {
			t.Fatalf("layer %d", i)
		}
	}
	draw, a, b := merkle.Leaf([]byte("d")), Layer(secret, last, 1), Layer(secret, last, 2)
	seen := map[protocol.Hash]bool{draw: true}
	for _, layers := range [][]protocol.Hash{nil, {a}, {b}, {a, b}, {b, a}} {
		if h := MixDraw(draw, layers); seen[h] {
			t.Errorf("%d layers give a draw that others give", len(layers))
		} else {
			seen[h] = true
		}
	}
	escaped := [2]int{}
	const rounds, rate = 1000, PPM / 2
	for round := range uint32(rounds) {
		layer := Layer(merkle.Leaf([]byte{byte(round), byte(round >> 8)}), 0, 0)
		u := Unit{Status: Revealed}
		for try := range byte(64) {
			u.Salt = protocol.Hash{try}
			if chance(domainAudit, DrawSeed(protocol.Hash{}, round, []Unit{u}), 0) >= rate {
				break
			}
		}
		own := DrawSeed(protocol.Hash{}, round, []Unit{u})
		for i, d := range []protocol.Hash{own, MixDraw(own, []protocol.Hash{layer})} {
			if chance(domainAudit, d, 0) >= rate {
				escaped[i]++
			}
		}
	}
	if escaped[0] != rounds || escaped[1] < rounds*2/5 || escaped[1] > rounds*3/5 {
		t.Errorf("a worker alone escapes %d audits of %d, with one verifier's layer %d", escaped[0], rounds, escaped[1])
	}
}

// TestFine: fines are taken from a bond until there is none.
func TestFine(t *testing.T) {
	bond, price := money.New(7), money.New(2)
	for _, want := range []uint64{4, 3, 0} {
		fine, left := AuditPolicy{FinePrices: 2}.Fine(bond, price)
		if fine != money.New(want) || fine.Plus(left) != bond {
			t.Errorf("of a bond of %s: %s, left %s", bond, fine, left)
		}
		bond = left
	}
	if fine, left := (AuditPolicy{}).Fine(money.New(7), price); !fine.IsZero() || left != money.New(7) {
		t.Errorf("no fine: %s, %s", fine, left)
	}
}

// Newcomers have no bond and no lease, and work only where every unit is audited; the bond that they earn is paid to them at the end.
func TestNewcomersJoinCalibrationRuns(t *testing.T) {
	spec := DefaultSpec()
	h := protocol.Hash{1}
	spec.Name, spec.Dataset, spec.Program, spec.InferenceProgram, spec.Params = "n", h, h, h, []string{"w"}
	spec.Initial = StateRef{Model: h, Outer: h, Blob: h}
	spec.Rounds, spec.Steps, spec.MaxUnits = 2, 1, 1
	spec.Price.PerUnit, spec.ProviderBond, spec.VerifierBond = money.New(5_000_000_000), money.New(50), money.New(50)
	spec.Market = &Market{Class: market.Class{Resource: "cpu", Region: "eu", Tier: market.Audited}}
	spec.Calibration = true
	if err := spec.Check(); !errors.Is(err, protocol.ErrInvalid) {
		t.Errorf("units that nobody audits: %v", err)
	}
	plain := spec
	plain.Calibration = false
	spec.Audit.FloorPPM = PPM
	ana, author := protocol.Account{1}, protocol.Account{2}
	for name, c := range map[string]struct {
		spec Spec
		join Join
		want error
	}{
		"a newcomer":             {spec, Join{Role: Provider, Newcomer: true, Hire: &Hire{Price: 4}}, nil},
		"in an ordinary run":     {plain, Join{Role: Provider, Newcomer: true, Hire: &Hire{Price: 4}}, protocol.ErrInvalid},
		"to verify":              {spec, Join{Role: Verifier, Newcomer: true, Hire: &Hire{Price: 4}}, protocol.ErrInvalid},
		"with a lease":           {spec, Join{Role: Provider, Newcomer: true, Hire: &Hire{Lease: h, Price: 4}}, protocol.ErrInvalid},
		"for nothing":            {spec, Join{Role: Provider, Newcomer: true, Hire: &Hire{}}, protocol.ErrInvalid},
		"dearer than was locked": {spec, Join{Role: Provider, Newcomer: true, Hire: &Hire{Price: 6}}, nil},
		"hired like others":      {spec, Join{Role: Provider, Hire: &Hire{Lease: h, Price: 4}}, protocol.ErrInvalid},
	} {
		create := CreateRun{Spec: c.spec}
		s, _, err := Apply(nil, create, author, protocol.Env{Height: 1})
		if err != nil {
			t.Fatal(err)
		}
		c.join.Run = s.ID
		after, effects, err := Apply(s, c.join, ana, protocol.Env{Height: 2})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			continue
		}
		for _, e := range effects {
			if f, ok := e.(protocol.Lock); ok {
				t.Errorf("%s locks %s", name, f.Amount)
			}
		}
		m, _ := after.Member(ana)
		if !m.Bond.IsZero() || m.Price != money.New(min(uint64(c.join.Hire.Price), 5)*1_000_000_000) {
			t.Errorf("%s: %+v", name, m)
		}
		turn := &turn{State: after.Clone(), env: protocol.Env{Height: 3}}
		if toOwner, toBond := turn.earnIn(ana, money.New(100)); toOwner != money.New(80) || toBond != money.New(20) || turn.Members[0].Bond != money.New(20) {
			t.Errorf("of 100 it gets %s, its bond %s", toOwner, toBond)
		}
		turn.release(&turn.Members[0])
		if last := turn.effects[len(turn.effects)-2]; last != protocol.Effect(protocol.Pay{To: ana, Amount: money.New(20)}) {
			t.Errorf("an earned bond comes back as %+v", last)
		}
	}
	if RunID(author, CreateRun{Spec: spec}) == RunID(author, CreateRun{Spec: plain}) {
		t.Error("a calibration run has the id of an ordinary one")
	}
}
