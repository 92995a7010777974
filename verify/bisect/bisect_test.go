package bisect

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/verify/split/splittest"
	"github.com/mutirao/mutirao/verify/trace"
)

// plain is a case that costs little.
var plain = splittest.One("MatMul", nil, splittest.F(3, 70), splittest.F(70, 2))

// result is how a game went.
type result struct {
	verdict   Verdict
	silent    bool // the defender had no answer that the game takes
	game      *Game
	answers   int
	choices   int
	sent      int // bytes of the defender
	lastStage Stage
	stages    map[Stage]bool
}

// play plays a game to its end. The referee knows the unit's source and nothing else of either machine. After each move the game
// goes through JSON, as a ledger would keep it.
func play(t testing.TB, defender, source *toy, choose func(g *Game) int) result {
	t.Helper()
	g := New(defender.terms(t))
	r := result{stages: map[Stage]bool{}}
	for g.Stage != Over {
		r.lastStage, r.game = g.Stage, g
		if words := g.Words(); words == "" || len(words) > 400 {
			t.Fatalf("%s in words: %q", g.Stage, words)
		}
		r.stages[g.Stage] = true
		if g.Stage.Picks() {
			if err := g.Choose(choose(g), source); err != nil {
				t.Fatalf("choice at %s: %v", r.lastStage, err)
			}
			r.choices++
		} else {
			a, err := Defend(g, defender)
			if err != nil {
				t.Fatalf("defence at %s: %v", g.Stage, err)
			}
			if len(a) > MaxAnswer {
				t.Fatalf("%d bytes at %s", len(a), g.Stage)
			}
			if err := g.Answer(a, source); err != nil {
				if !errors.Is(err, ErrAnswer) {
					t.Fatal(err)
				}
				r.silent = true
				return r
			}
			r.answers++
			r.sent += len(a)
		}
		stored, err := json.Marshal(g)
		if err != nil {
			t.Fatal(err)
		}
		next := new(Game)
		if err := json.Unmarshal(stored, next); err != nil {
			t.Fatal(err)
		}
		if again, err := json.Marshal(next); err != nil || string(again) != string(stored) {
			t.Fatalf("a game has two forms:\n%s\n%s", stored, again)
		}
		g = next
	}
	r.verdict, r.game = g.Verdict, g
	return r
}

// honestly chooses as an honest challenger does.
func honestly(t testing.TB, m *toy) func(*Game) int {
	t.Helper()
	return func(g *Game) int {
		t.Helper()
		part, found, err := Challenge(g, m)
		if err != nil {
			t.Fatal(err)
		}
		if !found {
			t.Fatalf("an honest challenger finds nothing wrong at %s of %s", g.Stage, g.Tree)
		}
		return part
	}
}

// TestEveryOperatorsUlp lets a liar change one bit of one element of the output of every operator, and expects the game to end at
// exactly this element.
func TestEveryOperatorsUlp(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	seen := map[string]bool{}
	for i, c := range splittest.Cases() {
		if c.Elements() > 10000 || seen[c.Op] && (testing.Short() || rng.IntN(4) > 0) {
			continue
		}
		seen[c.Op] = true
		honest := newToy(t, c, fault{}, -1)
		output := rng.IntN(c.Outputs)
		value := len(honest.inputs) + output
		// A lie in a step after which there is a point: the output does not outlive the next step.
		at := fault{kind: "flip", step: honest.PointStep(1+rng.IntN(trace.Points-1)) - 1, value: value, element: rng.IntN(honest.values[0][value].Len())}
		liar := newToy(t, c, at, -1)
		r := play(t, liar, honest, honestly(t, honest))
		if r.silent || r.verdict != Refuted || r.game.From != at.step || r.game.Value != value || r.game.Element != at.element {
			t.Errorf("case %d, %s: lie %+v; verdict %q (%s), silent %v, found step %d, value %d, element %d", i, c.Op, at,
				r.verdict, r.game.Reason, r.silent, r.game.From, r.game.Value, r.game.Element)
		}
	}
}

// TestWords tells one game.
func TestWords(t *testing.T) {
	honest := newToy(t, plain, fault{}, -1)
	value := len(honest.inputs)
	liar := newToy(t, plain, fault{kind: "flip", step: 15, value: value, element: 5}, -1)
	r := play(t, liar, honest, honestly(t, honest))
	const want = "they agree until step 15 of 20 · node MatMul_0 · tile 0 of 1 · element 5 of [3 2] · micro-operations 6 to 6 of 6 · refuted: "
	if got := r.game.Words(); !strings.HasPrefix(got, want) {
		t.Errorf("%q, want %q …", got, want)
	}
}

// TestFaults is the table of lies other than about an operator's result: each ends where it is told, by a verdict or because the
// liar cannot prove what is asked for.
func TestFaults(t *testing.T) {
	honest := newToy(t, plain, fault{}, -1)
	skipping := newToy(t, plain, fault{}, 9)
	for _, c := range []struct {
		name   string
		fault  fault
		skip   int
		at     Stage
		silent bool
	}{
		{"an element of a batch", fault{kind: "batch", step: 3, element: 700}, -1, AskDatum, false},
		{"another seed", fault{kind: "seed"}, -1, AskDatum, false},
		{"a skipped step", fault{kind: "skip", step: 6}, -1, AskNext, true},
		{"a state that no step put out", fault{kind: "after", step: 13, name: "m", element: 2}, -1, AskNext, true},
		{"weights that no step put out", fault{kind: "after", step: 19, name: "w", element: 900}, -1, AskNext, true},
		{"another model", fault{kind: "model"}, -1, AskStart, true},
		{"an ulp of the model", fault{kind: "start", name: "w", element: 5}, -1, AskStart, true},
		{"a moment that does not start from zero", fault{kind: "start", name: "m", element: 4}, -1, PickElement, false},
		{"a bit of the payload", fault{kind: "payload", element: 2600}, -1, AskBlock, false},
		{"a bit of the payload's head", fault{kind: "payload", element: 2}, -1, PickByte, false},
		{"a payload of another length", fault{kind: "long payload"}, -1, AskPiece, false},
		{"a batch after a skipped step", fault{kind: "batch", step: 10, element: 50}, 9, AskDatum, false},
		{"a state changed in a skipped step", fault{kind: "after", step: 9, name: "w", element: 31}, 9, AskNext, true},
	} {
		truth := honest
		if c.skip >= 0 {
			truth = skipping
		}
		liar := newToy(t, plain, c.fault, c.skip)
		r := play(t, liar, truth, honestly(t, truth))
		if r.verdict == Upheld || r.silent != c.silent || r.lastStage != c.at {
			t.Errorf("%s: verdict %q (%s), silent %v at %s; want %v at %s", c.name, r.verdict, r.game.Reason, r.silent, r.lastStage, c.silent, c.at)
		}
	}
}

// TestNoHonestLoss plays random games: a false accuser, who points anywhere, against an honest defender, who must win every one,
// at whatever stage it ends; every stage must come up.
func TestNoHonestLoss(t *testing.T) {
	games := 4000
	if testing.Short() {
		games = 300
	}
	rng := rand.New(rand.NewPCG(3, 4))
	machines := []*toy{
		newToy(t, plain, fault{}, -1), newToy(t, plain, fault{}, 9),
		newToy(t, splittest.One("Softmax", nil, splittest.F(3, 70)), fault{}, 0),
		newToy(t, splittest.One("Attention", nil, splittest.F(1, 2, 4, 3), splittest.F(1, 1, 4, 3), splittest.F(1, 1, 4, 2)), fault{}, -1),
	}
	stages := map[Stage]bool{}
	for i := range games {
		m := machines[i%len(machines)]
		r := play(t, m, m, func(g *Game) int {
			n := g.choices()
			switch part := rng.IntN(n); {
			case g.Stage == PickSegment && rng.IntN(2) == 0:
				return rng.IntN(2) * trace.Points // the start and the payload come up often enough
			case g.Stage == PickBranch && rng.IntN(2) == 0:
				return rng.IntN(2) * (n - 1)
			case g.Stage == PickSegment && part > 0 && part < trace.Points && m.PointStep(part) == m.PointStep(part-1):
				return 0
			default:
				return part
			}
		})
		for s := range r.stages {
			stages[s] = true
		}
		if r.silent || r.verdict != Upheld {
			t.Fatalf("game %d: verdict %q (%s), silent %v at %s", i, r.verdict, r.game.Reason, r.silent, r.lastStage)
		}
	}
	for _, s := range []Stage{AskPoints, PickSegment, AskTranscript, AskStates, AskBranches, PickBranch, AskOrigin, AskTile, PickElement, AskAccumulators, PickOperation,
		AskFinal, AskDatum, AskNext, AskStart, AskPiece, PickByte, AskBlock} {
		if !stages[s] {
			t.Errorf("stage %s never came up", s)
		}
	}
}

// TestSilentOrRefuted lets a liar at a random place meet an honest challenger: it never gets away.
func TestSilentOrRefuted(t *testing.T) {
	games := 60
	if testing.Short() {
		games = 10
	}
	rng := rand.New(rand.NewPCG(5, 6))
	honest := newToy(t, plain, fault{}, -1)
	for i := range games {
		value := len(honest.inputs) + rng.IntN(honest.program.Values-len(honest.inputs))
		f := fault{kind: "flip", step: rng.IntN(toySteps), value: value, element: rng.IntN(honest.values[0][value].Len())}
		liar := newToy(t, plain, f, -1)
		if liar.terms(t) == honest.terms(t) {
			continue // the lie is about a value that nothing depends on
		}
		if r := play(t, liar, honest, honestly(t, honest)); r.verdict == Upheld {
			t.Fatalf("game %d: %+v is upheld: %s", i, f, r.game.Reason)
		}
	}
}

// TestAnswersAreProofs changes every answer of an honest defender in a random place: no change is taken for an answer that leads
// anywhere else.
func TestAnswersAreProofs(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	m := newToy(t, plain, fault{}, -1)
	for range 150 {
		g := New(m.terms(t))
		for g.Stage != Over {
			if g.Stage.Picks() {
				part := rng.IntN(g.choices())
				if err := g.Choose(part, m); err != nil {
					continue // no step between two points
				}
				continue
			}
			a, err := Defend(g, m)
			if err != nil {
				t.Fatal(err)
			}
			want := g.Clone()
			if err := want.Answer(a, m); err != nil {
				t.Fatalf("%s: %v", g.Stage, err)
			}
			if len(a) > 0 {
				bad := append([]byte{}, a...)
				bad[rng.IntN(len(bad))] ^= 1 << rng.IntN(8)
				before, got := g.Clone(), g.Clone()
				switch err := got.Answer(bad, m); {
				case err != nil:
					if !errors.Is(err, ErrAnswer) || !reflect.DeepEqual(got, before) {
						t.Fatalf("%s: a refused answer changes the game, or %v", g.Stage, err)
					}
				case got.Verdict == Upheld && want.Verdict != Upheld:
					t.Fatalf("%s: a changed answer wins", g.Stage)
				case g.Stage != AskSteps && g.Stage != AskAccumulators && g.Stage != AskTranscript && !reflect.DeepEqual(got, want):
					t.Fatalf("%s: a changed answer is taken: %s", g.Stage, got.Reason)
				}
				if err := g.Clone().Answer(append(bad, 0), m); err == nil {
					t.Fatalf("%s: an answer with a byte too many is taken", g.Stage)
				}
			}
			g = want
		}
	}
}

// FuzzAnswer: no bytes make the referee panic at any stage, and what it takes has one encoding.
func FuzzAnswer(f *testing.F) {
	m := newToy(f, plain, fault{}, -1)
	var games []*Game
	for _, first := range []int{0, 3, trace.Points} {
		g := New(m.terms(f))
		for g.Stage != Over {
			if g.Stage.Picks() {
				part := 0
				if g.Stage == PickSegment {
					part = first
				}
				if g.Stage == PickBranch {
					part = g.choices() / 2
				}
				if err := g.Choose(part, m); err != nil {
					f.Fatal(err)
				}
				continue
			}
			a, err := Defend(g, m)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(len(games), a)
			games = append(games, g.Clone())
			if err := g.Answer(a, m); err != nil {
				f.Fatal(err)
			}
		}
	}
	f.Fuzz(func(t *testing.T, at int, b []byte) {
		g := games[uint(at)%uint(len(games))].Clone()
		if err := g.Answer(b, m); err != nil && !errors.Is(err, ErrAnswer) {
			t.Fatal(err)
		}
		for _, a := range []answer{new(points), new(hashes), new(transcript), new(states), new(origin), new(tileBytes), new(final), new(next), new(start), new(datum), new(block)} {
			if parse(b, a) == nil && string(a.encode()) != string(b) {
				t.Fatalf("%T has two encodings", a)
			}
		}
	})
}

// TestChoices refuses choices out of range and out of turn.
func TestChoices(t *testing.T) {
	m := newToy(t, plain, fault{}, -1)
	g := New(m.terms(t))
	if err := g.Choose(0, m); !errors.Is(err, ErrChoice) {
		t.Errorf("a choice before the points: %v", err)
	}
	a, err := Defend(g, m)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Answer(a, m); err != nil {
		t.Fatal(err)
	}
	if err := g.Answer(a, m); !errors.Is(err, ErrAnswer) {
		t.Errorf("an answer out of turn: %v", err)
	}
	for _, i := range []int{-1, trace.Points + 1} {
		if err := g.Choose(i, m); !errors.Is(err, ErrChoice) {
			t.Errorf("choice %d: %v", i, err)
		}
	}
	if _, err := Defend(g, m); err == nil {
		t.Error("the defender answers out of turn")
	}
	if fmt.Sprint(cuts(3, 5), cuts(0, 16), cuts(0, 40)[:3]) != "[3 4 5] [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16] [0 2 5]" {
		t.Errorf("cuts %v", cuts(0, 40))
	}
}
