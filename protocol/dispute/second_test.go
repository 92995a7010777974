package dispute

import (
	"errors"
	"testing"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/verify/bisect"
	"github.com/mutirao/mutirao/verify/bisect/bisecttest"
)

var auditor = protocol.Account{4}

func confirmed() Audit { return Audit{Confirmed: auditor} }

// silence lets blocks pass until the dispute has ended, or somebody else is asked.
func (b *table) silence() {
	who := b.s.Player()
	for b.s.Player() == who && !b.s.Ended {
		b.block()
	}
}

// longSegment is one of more steps than one.
func longSegment(m *bisecttest.Toy) (part int) {
	for part = 1; m.PointStep(part)-m.PointStep(part-1) < 2; part++ {
	}
	return part
}

// ways are how a worker can lose its game, whatever it has claimed.
func ways(t *testing.T, truth, liar *bisecttest.Toy) map[string]func(*table) {
	return map[string]func(*table){
		"silence": (*table).silence,
		"two moves": func(b *table) {
			var e Equivocate
			for i, s := range []*Signed{&e.A, &e.B} {
				m := Move{Dispute: b.s.ID, Side: Defender, Answer: []byte{byte(i)}}
				*s = Signed{Answer: AnswerHash(m.Answer), Signature: sign(worker, m.Digest())}
			}
			e.Dispute, e.Side = b.s.ID, Defender
			if err := b.send(e, friend); err != nil {
				t.Fatal(err)
			}
		},
		// It shows true points and then another execution of the two steps that lead from one to the next.
		"lies in the game": func(b *table) {
			part := longSegment(truth)
			for i := 0; b.s.Second.IsZero() && !b.s.Ended && b.s.Lost == nil; i++ {
				with, choose := liar, honestly(t, truth)
				if i < 2 {
					with, choose = truth, at(truth, part)
				}
				if err := b.send(b.move(with, choose), friend); err != nil {
					b.t.Fatal(err)
				}
			}
		},
	}
}

// TestAuditorDefendsADeadWorkersClaim: however the worker of a true claim loses, the auditor that confirmed it defends it in a new game and wins
// what the challenger has staked. So a worker and a stranger in league cannot have an honest auditor slashed.
func TestAuditorDefendsADeadWorkersClaim(t *testing.T) {
	truth := bisecttest.New(t, plain, bisecttest.Fault{}, -1)
	liar := bisecttest.New(t, plain, bisecttest.Fault{Kind: "flip", Step: truth.PointStep(longSegment(truth) - 1), Value: truth.Inputs(), Element: 3}, -1)
	for name, lose := range ways(t, truth, liar) {
		t.Run(name, func(t *testing.T) {
			b := open(t, truth, truth, History{})
			b.audits = confirmed
			lose(b)
			if b.s.Ended || b.s.Second != auditor || b.s.Player() != auditor || b.s.Game.Stage != bisect.AskPoints || b.s.Defends != params.Clock || b.s.Challenges != params.Clock {
				t.Fatalf("after the worker has lost: %+v", b.s)
			}
			if err := b.send(Back{Dispute: b.s.ID, Amount: money.New(1)}, friend); !errors.Is(err, protocol.ErrPhase) {
				t.Errorf("a backer who has seen the worker lose: %v", err)
			}
			m := b.move(truth, nil)
			m.Signature = sign(worker, m.Move.Digest())
			if err := b.send(m, friend); !errors.Is(err, protocol.ErrNotAssigned) {
				t.Errorf("a move of the worker that has lost: %v", err)
			}
			b.play(truth, at(truth, 1))
			r := b.rulings[0]
			if r.Verdict != bisect.Upheld || r.Second != auditor || b.balance[auditor] != money.New(500) || !b.balance[worker].IsZero() {
				t.Errorf("%s, the auditor has %s: %s", r.Verdict, b.balance[auditor], r.Reason)
			}
		})
	}
}

// TestAccompliceCannotHide: whoever confirmed a false claim is called however its worker loses, and falls with it, by silence or by proof.
func TestAccompliceCannotHide(t *testing.T) {
	truth := bisecttest.New(t, plain, bisecttest.Fault{}, -1)
	liar := bisecttest.New(t, plain, bisecttest.Fault{Kind: "flip", Step: 0, Value: truth.Inputs(), Element: 3}, -1)
	for _, proven := range []bool{false, true} {
		b := open(t, liar, truth, History{})
		b.audits = confirmed
		b.silence()
		if proven {
			b.play(liar, honestly(t, truth))
		} else {
			b.silence()
		}
		if r := b.rulings[0]; r.Verdict != bisect.Refuted || r.Second != auditor || r.Proven != proven || r.Conviction().Second != auditor {
			t.Errorf("proven %v: %+v", proven, r)
		}
	}
}

// TestLossWaitsForTheAudit: as long as the unit's auditor has sealed a report and may still open it, the worker's loss decides nothing: else it could lose quickly, by two
// moves, to save an accomplice.
func TestLossWaitsForTheAudit(t *testing.T) {
	truth := bisecttest.New(t, plain, bisecttest.Fault{}, -1)
	for _, then := range []Audit{{}, {Confirmed: auditor}, {Confirmed: accuser}} {
		b := open(t, truth, truth, History{})
		b.audits = func() Audit { return Audit{Due: true} }
		ways(t, truth, truth)["two moves"](b)
		for range 3 * adjourned {
			if b.s.Ended || !b.s.Player().IsZero() || b.s.Lost == nil {
				t.Fatalf("not adjourned: %+v", b.s)
			}
			if err := b.send(Play{Move{Dispute: b.s.ID, Side: Defender}, sign(worker, protocol.Hash{})}, friend); !errors.Is(err, protocol.ErrPhase) {
				t.Fatalf("a move while the audit is awaited: %v", err)
			}
			b.block()
		}
		b.audits = func() Audit { return then }
		for range adjourned {
			b.block()
		}
		if called := then.Confirmed == auditor; b.s.Ended == called || called != (b.s.Second == auditor) {
			t.Errorf("%+v: %+v", then, b.s)
		}
		if b.s.Ended && (b.rulings[0].Verdict != bisect.Refuted || b.rulings[0].Reason != "the defender signed two moves for turn 0") {
			t.Errorf("%+v: %+v", then, b.rulings[0])
		}
	}
}
