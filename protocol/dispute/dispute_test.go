package dispute

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/verify/bisect"
	"github.com/mutirao/mutirao/verify/bisect/bisecttest"
	"github.com/mutirao/mutirao/verify/split/splittest"
)

var (
	worker, accuser, friend = protocol.Account{1}, protocol.Account{2}, protocol.Account{3}
	params                  = Params{Bond: money.New(1000), Clock: 40}
	plain                   = splittest.One("MatMul", nil, splittest.F(3, 70), splittest.F(70, 2))
)

// referee judges by the toy unit. Its signatures are keyed hashes, the key being the account.
type referee struct{ *bisecttest.Toy }

func sign(who protocol.Account, digest protocol.Hash) []byte {
	h := hmac.New(sha256.New, who[:])
	h.Write(digest[:])
	return h.Sum(nil)
}

func (referee) Signed(who protocol.Account, digest protocol.Hash, signature []byte) bool {
	return hmac.Equal(sign(who, digest), signature)
}

// table is a dispute in play, with the sums of what was locked, paid and burned.
type table struct {
	t       testing.TB
	s       *State
	r       referee
	height  protocol.Height
	locked  money.Amount
	balance map[protocol.Account]money.Amount
	burned  money.Amount
	rulings []Ruling
	moves   []Moved
	audits  Audits // nil: the unit is not audited
}

func (b *table) env() protocol.Env { return protocol.Env{Height: b.height, Time: int64(b.height)} }

// take carries effects out and checks that no coin is made or lost.
func (b *table) take(s *State, effects []protocol.Effect) {
	b.t.Helper()
	b.s = s
	for _, e := range effects {
		switch e := e.(type) {
		case protocol.Lock:
			b.locked = b.locked.Plus(e.Amount)
		case protocol.Pay:
			b.locked = b.locked.Minus(e.Amount)
			b.balance[e.To] = b.balance[e.To].Plus(e.Amount)
		case protocol.Burn:
			b.locked = b.locked.Minus(e.Amount)
			b.burned = b.burned.Plus(e.Amount)
		case protocol.Record:
			switch v := e.Value.(type) {
			case Ruling:
				b.rulings = append(b.rulings, v)
			case Moved:
				b.moves = append(b.moves, v)
			}
		}
	}
	if b.locked.Compare(s.Claims()) != 0 {
		b.t.Fatalf("escrow holds %s, the dispute owes %s", b.locked, s.Claims())
	}
	if n := len(b.moves); n != int(s.Turn) || n > 0 && b.moves[n-1].Turn != s.Turn {
		b.t.Fatalf("%d moves are recorded after %d", n, s.Turn)
	}
	if s.Ended != (len(b.rulings) == 1) {
		b.t.Fatalf("ended %v, %d rulings", s.Ended, len(b.rulings))
	}
	// A host keeps the state as JSON: a restart in the middle of a game must lose nothing.
	stored, err := json.Marshal(s)
	if err != nil {
		b.t.Fatal(err)
	}
	b.s = new(State)
	if err := json.Unmarshal(stored, b.s); err != nil {
		b.t.Fatal(err)
	}
}

func open(t testing.TB, claimed, truth *bisecttest.Toy, h History) *table {
	t.Helper()
	b := &table{t: t, r: referee{truth}, height: 10, balance: map[protocol.Account]money.Amount{}}
	m := Open{Run: protocol.Hash{9}, Round: 2, Unit: 5, Nonce: 1}
	s, effects, err := Create(m, Claim{Run: m.Run, Round: 2, Unit: 5, Defender: worker, Terms: claimed.Terms(t)}, nil, params, h, accuser, b.env())
	if err != nil {
		t.Fatal(err)
	}
	b.take(s, effects)
	return b
}

// send applies a message in the next block.
func (b *table) send(m Msg, from protocol.Account) error {
	b.t.Helper()
	before, err := json.Marshal(b.s)
	if err != nil {
		b.t.Fatal(err)
	}
	s, effects, err := Apply(b.s, m, from, b.r, b.audits, b.env())
	after, bad := json.Marshal(b.s)
	if bad != nil || string(before) != string(after) {
		b.t.Fatalf("%s changes the state that it is given", m.Kind())
	}
	if err != nil {
		if s != nil || effects != nil {
			b.t.Fatalf("%s fails and has effects", m.Kind())
		}
		return err
	}
	b.take(s, effects)
	return nil
}

func (b *table) block() {
	b.height++
	b.take(Tick(b.s, b.audits, b.env()))
}

// move is the signed move of the side that is to move, or nil if it has none.
func (b *table) move(defender *bisecttest.Toy, choose func(*bisect.Game) bisect.Choice) Play {
	b.t.Helper()
	m := Move{Dispute: b.s.ID, Turn: b.s.Turn, Side: b.s.ToMove()}
	if m.Side == Challenger {
		c := choose(b.s.Game)
		m.Choice, m.Answer = uint32(c.Part), c.Shown
		return Play{m, sign(accuser, m.Digest())}
	}
	a, err := bisect.Defend(b.s.Game, defender)
	if err != nil {
		b.t.Fatal(err)
	}
	m.Answer = a
	return Play{m, sign(b.s.account(Defender), m.Digest())}
}

func honestly(t testing.TB, m *bisecttest.Toy) func(*bisect.Game) bisect.Choice {
	return func(g *bisect.Game) bisect.Choice {
		c, _, err := bisect.Challenge(g, m)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

// anywhere chooses a part at random among those that can be chosen, and shows what is true inside, or noise.
func anywhere(rng *rand.Rand, m *bisecttest.Toy) func(*bisect.Game) bisect.Choice {
	return func(g *bisect.Game) bisect.Choice {
		for {
			c, err := bisect.Show(g, m, rng.IntN(g.Choices()))
			for i := range c.Shown {
				if rng.IntN(2) == 0 {
					c.Shown[i] = byte(rng.Uint32())
				}
			}
			if err == nil && g.Clone().Choose(c, m) == nil {
				return c
			}
		}
	}
}

// at chooses a part.
func at(m *bisecttest.Toy, part int) func(*bisect.Game) bisect.Choice {
	return func(g *bisect.Game) bisect.Choice {
		c, err := bisect.Show(g, m, part)
		if err != nil {
			panic(err)
		}
		return c
	}
}

// play plays to the end; a side whose move is refused stays silent.
func (b *table) play(defender *bisecttest.Toy, choose func(*bisect.Game) bisect.Choice) {
	b.t.Helper()
	for !b.s.Ended {
		if err := b.send(b.move(defender, choose), friend); err != nil {
			if !errors.Is(err, protocol.ErrInvalid) {
				b.t.Fatal(err)
			}
			for !b.s.Ended {
				b.block()
			}
			return
		}
		if !b.s.Ended {
			b.block()
		}
	}
}

// TestLiarsAndAccusers plays lies against an honest challenger and the truth against a false one, and counts the coins.
func TestLiarsAndAccusers(t *testing.T) {
	truth := bisecttest.New(t, plain, bisecttest.Fault{}, -1)
	rng := rand.New(rand.NewPCG(1, 1))
	for _, f := range []bisecttest.Fault{
		{Kind: "flip", Step: 15, Value: truth.Inputs(), Element: 3}, {Kind: "batch", Step: 3, Element: 700}, {Kind: "seed"}, {Kind: "skip", Step: 6}, {Kind: "model"},
		{Kind: "start", Name: "m", Element: 4}, {Kind: "payload", Element: 2600}, {Kind: "after", Step: 13, Name: "m", Element: 2},
	} {
		liar := bisecttest.New(t, plain, f, -1)
		b := open(t, liar, truth, History{})
		b.play(liar, honestly(t, truth))
		if r := b.rulings[0]; r.Verdict != bisect.Refuted || b.balance[accuser].Compare(params.Bond) != 0 || !b.burned.IsZero() {
			t.Errorf("%+v: %s (%s), the challenger has %s", f, r.Verdict, r.Reason, b.balance[accuser])
		}
	}
	for i := range 20 {
		b := open(t, truth, truth, History{})
		b.play(truth, anywhere(rng, truth))
		if r := b.rulings[0]; r.Verdict != bisect.Upheld || b.balance[worker].Compare(money.New(500)) != 0 || b.burned.Compare(money.New(500)) != 0 {
			t.Errorf("game %d: %s (%s), the defender has %s, burned are %s", i, r.Verdict, r.Reason, b.balance[worker], b.burned)
		}
	}
}

// TestTenThousandGames plays random games with random lies, strategies, delays, retries, hostile messages in between and restarts at
// every block. Nobody who is honest loses one, and no coin is lost.
func TestTenThousandGames(t *testing.T) {
	games := 10000
	if testing.Short() {
		games = 500
	}
	rng := rand.New(rand.NewPCG(2, 3))
	truth := bisecttest.New(t, plain, bisecttest.Fault{}, -1)
	var liars []*bisecttest.Toy
	for len(liars) < 24 {
		f := bisecttest.Fault{Kind: []string{"flip", "batch", "after", "start", "payload", "skip", "model", "seed"}[len(liars)%8], Step: rng.IntN(bisecttest.Steps)}
		f.Name, f.Element = "w", rng.IntN(1300)
		if f.Kind == "flip" {
			f.Value, f.Element, f.Step = truth.Inputs(), rng.IntN(6), truth.PointStep(1+rng.IntN(16))-1
		}
		if l := bisecttest.New(t, plain, f, -1); l.Terms(t) != truth.Terms(t) {
			liars = append(liars, l)
		}
	}
	honest := map[string]int{}
	for i := range games {
		defender := truth
		choose := anywhere(rng, truth)
		lying := i%4 == 0
		if lying {
			defender = liars[rng.IntN(len(liars))]
			choose = honestly(t, truth)
		}
		b := open(t, defender, truth, History{})
		for !b.s.Ended {
			p := b.move(defender, choose)
			if rng.IntN(8) == 0 {
				b.harass(rng, p)
			}
			for range rng.IntN(2) {
				b.block()
			}
			if b.s.Ended {
				break
			}
			if err := b.send(p, friend); err != nil {
				for !b.s.Ended {
					b.block()
				}
			}
		}
		r := b.rulings[0]
		switch {
		case lying && r.Verdict != bisect.Refuted, !lying && r.Verdict != bisect.Upheld:
			t.Fatalf("game %d, lying %v: %s: %s", i, lying, r.Verdict, r.Reason)
		case lying:
			honest["challenger"]++
		default:
			honest["defender"]++
		}
	}
	t.Logf("honest wins: %v", honest)
}

// harass sends what must change nothing.
func (b *table) harass(rng *rand.Rand, p Play) {
	b.t.Helper()
	bad := []Msg{
		Play{p.Move, []byte("forged")},
		Play{p.Move, sign(friend, p.Move.Digest())},
		Back{Dispute: protocol.Hash{7}, Amount: money.New(1)},
		Back{Dispute: b.s.ID},
		Equivocation(p, p),
	}
	late := p.Move
	late.Turn++
	bad = append(bad, Play{late, sign(b.s.account(late.Side), late.Digest())})
	other := p.Move
	other.Side, other.Answer, other.Choice = Challenger, nil, 9
	if p.Move.Side == Challenger {
		other.Side, other.Choice, other.Answer = Defender, 0, []byte("x")
	}
	bad = append(bad, Play{other, sign(b.s.account(other.Side), other.Digest())})
	a, c := p.Move, p.Move
	a.Turn, c.Turn = 1000, 1000
	if p.Move.Side == Challenger {
		c.Choice++
	} else {
		c.Answer = append(slices.Clone(c.Answer), 1)
	}
	bad = append(bad, Equivocation(Play{a, sign(friend, a.Digest())}, Play{c, sign(friend, c.Digest())}))
	if err := b.send(bad[rng.IntN(len(bad))], friend); err == nil {
		b.t.Fatal("a hostile message is taken")
	}
}

// TestSilence lets each side fall silent at each turn of a game.
func TestSilence(t *testing.T) {
	truth := bisecttest.New(t, plain, bisecttest.Fault{}, -1)
	liar := bisecttest.New(t, plain, bisecttest.Fault{Kind: "flip", Step: 15, Value: truth.Inputs(), Element: 3}, -1)
	stages := map[bisect.Stage]bool{}
	for turns := uint32(0); ; turns++ {
		b := open(t, liar, truth, History{})
		for !b.s.Ended && b.s.Turn < turns {
			if err := b.send(b.move(liar, honestly(t, truth)), friend); err != nil {
				t.Fatal(err)
			}
		}
		if b.s.Ended {
			break
		}
		silent, due := b.s.ToMove(), b.s.Deadline()
		stages[b.s.Game.Stage] = true
		for !b.s.Ended {
			b.block()
		}
		want := bisect.Refuted
		if silent == Challenger {
			want = bisect.Upheld
		}
		if r := b.rulings[0]; r.Verdict != want || r.Height != due || !strings.Contains(r.Reason, "silent") {
			t.Errorf("turn %d: the %s is silent: %s at %d, want %s at %d (%s)", turns, silent, r.Verdict, r.Height, want, due, r.Reason)
		}
	}
	if len(stages) < 7 {
		t.Errorf("only %d stages", len(stages))
	}
}

// TestClocks checks that thinking is counted for the side that thinks, over all its moves.
func TestClocks(t *testing.T) {
	truth := bisecttest.New(t, plain, bisecttest.Fault{}, -1)
	b := open(t, truth, truth, History{})
	for i := range 3 {
		side := b.s.ToMove()
		left := *b.s.clock(side)
		for range 10 {
			b.block()
		}
		if err := b.send(b.move(truth, at(truth, 1)), friend); err != nil {
			t.Fatal(err)
		}
		if got := *b.s.clock(side); got != left-10 {
			t.Errorf("move %d: the %s has %d blocks left, want %d", i, side, got, left-10)
		}
	}
	p := b.move(truth, at(truth, 0))
	b.height = b.s.Deadline()
	if err := b.send(p, friend); !errors.Is(err, protocol.ErrPhase) {
		t.Errorf("a move after the clock has run out: %v", err)
	}
}

// TestEquivocation ends a dispute against whoever signed two moves for a turn, played or not.
func TestEquivocation(t *testing.T) {
	truth := bisecttest.New(t, plain, bisecttest.Fault{}, -1)
	for _, side := range []Side{Defender, Challenger} {
		b := open(t, truth, truth, History{})
		var first Play
		for b.s.Turn < 2 {
			p := b.move(truth, at(truth, 1))
			if p.Move.Side == side {
				first = p
			}
			if err := b.send(p, friend); err != nil {
				t.Fatal(err)
			}
		}
		second := first.Move
		if side == Defender {
			second.Answer = []byte("something else")
		} else {
			second.Choice = 7
		}
		if err := b.send(Equivocation(first, Play{second, sign(b.s.account(side), second.Digest())}), friend); err != nil {
			t.Fatal(err)
		}
		want := map[Side]bisect.Verdict{Defender: bisect.Refuted, Challenger: bisect.Upheld}[side]
		if r := b.rulings[0]; !b.s.Ended || r.Verdict != want {
			t.Errorf("the %s equivocates: %s", side, r.Verdict)
		}
		if err := b.send(first, friend); !errors.Is(err, protocol.ErrFinished) {
			t.Errorf("a move after the end: %v", err)
		}
	}
}

// TestBondsAndBackers checks rising bonds, the pool, the bounty's shares and what a moot dispute returns.
func TestBondsAndBackers(t *testing.T) {
	for _, c := range []struct {
		h    History
		want uint64
	}{{History{}, 1000}, {History{Lost: 1}, 2000}, {History{Open: 11}, 12_000}, {History{Lost: 1, Open: 2}, 6000}, {History{Lost: 4e9, Open: 4}, 5_120_000}} {
		if got := OpenerBond(params, c.h); got.Compare(money.New(c.want)) != 0 {
			t.Errorf("%+v: bond %s, want %d", c.h, got, c.want)
		}
	}
	truth := bisecttest.New(t, plain, bisecttest.Fault{}, -1)
	liar := bisecttest.New(t, plain, bisecttest.Fault{Kind: "model"}, -1)
	b := open(t, liar, truth, History{})
	for _, amount := range []uint64{200, 300} {
		if err := b.send(Back{Dispute: b.s.ID, Amount: money.New(amount)}, friend); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.send(Back{Dispute: b.s.ID, Amount: money.New(1)}, worker); !errors.Is(err, protocol.ErrInvalid) {
		t.Errorf("the defender backs its challenger: %v", err)
	}
	for i := range MaxBackers {
		err := b.send(Back{Dispute: b.s.ID, Amount: money.New(100)}, protocol.Account{9, byte(i)})
		if (err != nil) != (i == MaxBackers-1) {
			t.Errorf("backer %d: %v", i+1, err)
		}
	}
	if err := b.send(b.move(liar, honestly(t, truth)), friend); err != nil {
		t.Fatal(err)
	}
	if err := b.send(Back{Dispute: b.s.ID, Amount: money.New(1)}, friend); !errors.Is(err, protocol.ErrPhase) {
		t.Errorf("a backer after the first answer: %v", err)
	}
	b.play(liar, honestly(t, truth))
	if b.balance[friend].Compare(money.New(500)) != 0 || b.balance[accuser].Compare(money.New(1000)) != 0 {
		t.Errorf("the backer has %s, the challenger %s", b.balance[friend], b.balance[accuser])
	}
	sum := money.Amount{}
	shares := b.rulings[0].Bounty(money.New(3001))
	for _, s := range shares {
		sum = sum.Plus(s.Bond)
	}
	if sum.Compare(money.New(3001)) != 0 || shares[0].Account != accuser || shares[1].Account != friend || shares[1].Bond.Compare(money.New(500)) != 0 {
		t.Errorf("bounty %v", shares)
	}
	b = open(t, liar, truth, History{})
	b.take(Moot(b.s, b.env()))
	if r := b.rulings[0]; r.Verdict != bisect.Undecided || b.balance[accuser].Compare(params.Bond) != 0 || len(r.Bounty(money.New(5))) != 0 {
		t.Errorf("moot: %+v", r)
	}
	if _, _, err := Create(Open{Run: protocol.Hash{1}}, Claim{Defender: worker}, nil, params, History{}, worker, b.env()); !errors.Is(err, protocol.ErrInvalid) {
		t.Errorf("the defender disputes its own claim: %v", err)
	}
}

// TestMessages checks forms and the one JSON form of each message.
func TestMessages(t *testing.T) {
	m := Move{Dispute: protocol.Hash{1}, Turn: 3, Side: Defender, Answer: []byte{1}}
	good := []Msg{Open{Run: protocol.Hash{1}}, Back{protocol.Hash{1}, money.New(1)}, Play{m, []byte{1}}, Equivocation(Play{m, []byte{1}}, Play{Move{Dispute: m.Dispute, Turn: 3, Side: Defender}, []byte{1}})}
	for _, g := range good {
		b, err := json.Marshal(g)
		if err != nil {
			t.Fatal(err)
		}
		back, err := DecodeMsg(g.Kind(), b)
		if err != nil || fmt.Sprint(back) != fmt.Sprint(g) {
			t.Errorf("%s: %v, %v", g.Kind(), back, err)
		}
	}
	huge := m
	huge.Answer = make([]byte, bisect.MaxAnswer+1)
	for _, bad := range []Msg{Open{}, Back{}, Back{Dispute: protocol.Hash{1}}, Play{Move: m}, Play{m, make([]byte, MaxSignature+1)}, Play{huge, []byte{1}},
		Play{Move{Side: Defender}, []byte{1}}, Play{Move{Dispute: protocol.Hash{1}, Side: "judge"}, []byte{1}}, Play{Move{Dispute: protocol.Hash{1}, Side: Defender, Choice: 1}, []byte{1}},
		Equivocation(Play{m, []byte{1}}, Play{m, []byte{1}}), Equivocation(Play{m, nil}, Play{Move{Dispute: m.Dispute, Turn: 3, Side: Defender}, []byte{1}}),
		Equivocation(Play{Move{Side: Defender}, []byte{1}}, Play{Move{Side: Defender, Answer: []byte{1}}, []byte{1}})} {
		if err := bad.Check(); protocol.Code(err) == protocol.CodeUnknown || err == nil {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if _, err := DecodeMsg("dispute/none", nil); !errors.Is(err, protocol.ErrInvalid) {
		t.Errorf("unknown kind: %v", err)
	}
	if (Params{}).Check() == nil || (Params{Bond: money.New(1)}).Check() == nil || params.Check() != nil {
		t.Error("params")
	}
}

// FuzzDecodeMsg: no bytes make a decoder panic, and what it takes has a form that decodes to the same.
func FuzzDecodeMsg(f *testing.F) {
	m := Move{Dispute: protocol.Hash{1}, Turn: 3, Side: Defender, Answer: []byte{1}}
	for _, g := range []Msg{Open{Run: protocol.Hash{1}}, Back{protocol.Hash{1}, money.New(1)}, Play{m, []byte{1}}, Equivocation(Play{m, []byte{1}}, Play{Move{Dispute: m.Dispute, Turn: 3, Side: Defender}, []byte{1}})} {
		b, err := json.Marshal(g)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(g.Kind(), b)
	}
	f.Fuzz(func(t *testing.T, kind string, b []byte) {
		msg, err := DecodeMsg(kind, b)
		if err != nil {
			if protocol.Code(err) == protocol.CodeUnknown {
				t.Fatalf("%v", err)
			}
			return
		}
		form, err := json.Marshal(msg)
		if err != nil {
			t.Fatal(err)
		}
		again, err := DecodeMsg(kind, form)
		if err != nil || fmt.Sprint(again) != fmt.Sprint(msg) {
			t.Fatalf("%s: %v, %v", form, again, err)
		}
	})
}
