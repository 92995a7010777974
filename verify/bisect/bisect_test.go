package bisect_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/verify/bisect"
	"github.com/mutirao/mutirao/verify/bisect/bisecttest"
	"github.com/mutirao/mutirao/verify/split/splittest"
	"github.com/mutirao/mutirao/verify/trace"
)

// length is the number of elements of a value.
func length(t testing.TB, m *bisecttest.Toy, value int) int {
	t.Helper()
	values, err := m.Values(0)
	if err != nil {
		t.Fatal(err)
	}
	return values[value].Len()
}

// plain is a case that costs little.
var plain = splittest.One("MatMul", nil, splittest.F(3, 70), splittest.F(70, 2))

// long is a case with more micro-operations in an element than are shown at one time.
var long = splittest.One("MatMul", nil, splittest.F(1, 2900), splittest.F(2900, 1))

// result is how a game went.
type result struct {
	verdict   bisect.Verdict
	silent    bool // the defender had no answer that the game takes
	game      *bisect.Game
	answers   int
	choices   int
	sent      int // bytes of the defender
	lastStage bisect.Stage
	stages    map[bisect.Stage]bool
}

// play plays a game to its end. The referee knows the unit's source and nothing else of either machine. After each move the game
// goes through JSON, as a ledger would keep it.
func play(t testing.TB, defender, source *bisecttest.Toy, choose func(g *bisect.Game) bisect.Choice) result {
	t.Helper()
	g := bisect.New(defender.Terms(t))
	r := result{stages: map[bisect.Stage]bool{}}
	for g.Stage != bisect.Over {
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
			a, err := bisect.Defend(g, defender)
			if err != nil {
				t.Fatalf("defence at %s: %v", g.Stage, err)
			}
			if len(a) > bisect.MaxAnswer {
				t.Fatalf("%d bytes at %s", len(a), g.Stage)
			}
			if err := g.Answer(a, source); err != nil {
				if !errors.Is(err, bisect.ErrAnswer) {
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
		next := new(bisect.Game)
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
func honestly(t testing.TB, m *bisecttest.Toy) func(*bisect.Game) bisect.Choice {
	t.Helper()
	return func(g *bisect.Game) bisect.Choice {
		t.Helper()
		c, found, err := bisect.Challenge(g, m)
		if err != nil {
			t.Fatal(err)
		}
		if !found {
			t.Fatalf("an honest challenger finds nothing wrong at %s of %s", g.Stage, g.Tree)
		}
		return c
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
		honest := bisecttest.New(t, c, bisecttest.Fault{}, -1)
		output := rng.IntN(c.Outputs)
		value := honest.Inputs() + output
		// A lie in a step after which there is a point: the output does not outlive the next step.
		at := bisecttest.Fault{Kind: "flip", Step: honest.PointStep(1+rng.IntN(trace.Points-1)) - 1, Value: value, Element: rng.IntN(length(t, honest, value))}
		liar := bisecttest.New(t, c, at, -1)
		r := play(t, liar, honest, honestly(t, honest))
		if r.silent || r.verdict != bisect.Refuted || r.game.From != at.Step || r.game.Value != value || r.game.Element != at.Element {
			t.Errorf("case %d, %s: lie %+v; verdict %q (%s), silent %v, found step %d, value %d, element %d", i, c.Op, at,
				r.verdict, r.game.Reason, r.silent, r.game.From, r.game.Value, r.game.Element)
		}
	}
}

// TestWords tells one game.
func TestWords(t *testing.T) {
	honest := bisecttest.New(t, plain, bisecttest.Fault{}, -1)
	value := honest.Inputs()
	liar := bisecttest.New(t, plain, bisecttest.Fault{Kind: "flip", Step: 15, Value: value, Element: 5}, -1)
	r := play(t, liar, honest, honestly(t, honest))
	const want = "they agree until step 15 of 20 · node MatMul_0 · tile 0 of 1 · element (2,1) · micro-operations 6 to 6 of 6 · refuted: "
	if got := r.game.Words(); !strings.HasPrefix(got, want) {
		t.Errorf("%q, want %q …", got, want)
	}
}

// TestFaults is the table of lies other than about an operator's result: each ends where it is told, by a verdict or because the
// liar cannot prove what is asked for.
func TestFaults(t *testing.T) {
	honest := bisecttest.New(t, plain, bisecttest.Fault{}, -1)
	skipping := bisecttest.New(t, plain, bisecttest.Fault{}, 9)
	for _, c := range []struct {
		name   string
		fault  bisecttest.Fault
		skip   int
		at     bisect.Stage
		silent bool
	}{
		{"an element of a batch", bisecttest.Fault{Kind: "batch", Step: 3, Element: 700}, -1, bisect.AskDatum, false},
		{"another seed", bisecttest.Fault{Kind: "seed"}, -1, bisect.AskDatum, false},
		{"a skipped step", bisecttest.Fault{Kind: "skip", Step: 6}, -1, bisect.AskNext, true},
		{"a state that no step put out", bisecttest.Fault{Kind: "after", Step: 13, Name: "m", Element: 2}, -1, bisect.AskNext, true},
		{"weights that no step put out", bisecttest.Fault{Kind: "after", Step: 19, Name: "w", Element: 900}, -1, bisect.AskNext, true},
		{"another model", bisecttest.Fault{Kind: "model"}, -1, bisect.AskStart, true},
		{"an ulp of the model", bisecttest.Fault{Kind: "start", Name: "w", Element: 5}, -1, bisect.AskStart, true},
		{"a moment that does not start from zero", bisecttest.Fault{Kind: "start", Name: "m", Element: 4}, -1, bisect.PickElement, false},
		{"a bit of the payload", bisecttest.Fault{Kind: "payload", Element: 2600}, -1, bisect.AskBlock, false},
		{"a bit of the payload's head", bisecttest.Fault{Kind: "payload", Element: 2}, -1, bisect.PickByte, false},
		{"a payload of another length", bisecttest.Fault{Kind: "long payload"}, -1, bisect.AskBranches, false},
		{"a batch after a skipped step", bisecttest.Fault{Kind: "batch", Step: 10, Element: 50}, 9, bisect.AskDatum, false},
		{"a state changed in a skipped step", bisecttest.Fault{Kind: "after", Step: 9, Name: "w", Element: 31}, 9, bisect.AskNext, true},
	} {
		truth := honest
		if c.skip >= 0 {
			truth = skipping
		}
		liar := bisecttest.New(t, plain, c.fault, c.skip)
		r := play(t, liar, truth, honestly(t, truth))
		if r.verdict == bisect.Upheld || r.silent != c.silent || r.lastStage != c.at {
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
	machines := []*bisecttest.Toy{
		bisecttest.New(t, plain, bisecttest.Fault{}, -1), bisecttest.New(t, plain, bisecttest.Fault{}, 9),
		bisecttest.New(t, splittest.One("Softmax", nil, splittest.F(3, 70)), bisecttest.Fault{}, 0),
		bisecttest.New(t, plain, bisecttest.Fault{}, -1).Coarse(), bisecttest.New(t, long, bisecttest.Fault{}, -1),
		bisecttest.New(t, splittest.One("Attention", nil, splittest.F(1, 2, 4, 3), splittest.F(1, 1, 4, 3), splittest.F(1, 1, 4, 2)), bisecttest.Fault{}, -1),
	}
	stages := map[bisect.Stage]bool{}
	for i := range games {
		m := machines[i%len(machines)]
		r := play(t, m, m, func(g *bisect.Game) bisect.Choice {
			n := g.Choices()
			part := rng.IntN(n)
			switch {
			case g.Stage == bisect.PickSegment && rng.IntN(2) == 0:
				part = rng.IntN(2) * trace.Points // the start and the payload come up often enough
			case g.Stage == bisect.PickBranch && rng.IntN(2) == 0:
				part = rng.IntN(2) * (n - 1)
			case g.Stage == bisect.PickSegment && part > 0 && part < trace.Points && m.PointStep(part) == m.PointStep(part-1):
				part = 0
			}
			return accuse(t, rng, g, m, part)
		})
		for s := range r.stages {
			stages[s] = true
		}
		if r.silent || r.verdict != bisect.Upheld {
			t.Fatalf("game %d: verdict %q (%s), silent %v at %s", i, r.verdict, r.game.Reason, r.silent, r.lastStage)
		}
	}
	for _, s := range []bisect.Stage{bisect.AskPoints, bisect.PickSegment, bisect.AskTranscript, bisect.AskStates, bisect.AskBranches, bisect.PickBranch, bisect.AskOrigin, bisect.AskTile, bisect.PickElement,
		bisect.PickOperation, bisect.AskFinal, bisect.AskDatum, bisect.AskNext, bisect.AskStart, bisect.PickByte, bisect.AskBlock} {
		if !stages[s] {
			t.Errorf("stage %s never came up", s)
		}
	}
}

// accuse points at a part of an honest claim and shows what is true inside but for some of it, or noise.
func accuse(t testing.TB, rng *rand.Rand, g *bisect.Game, m *bisecttest.Toy, part int) bisect.Choice {
	t.Helper()
	c, err := bisect.Show(g, m, part)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Shown) == 0 {
		return c
	}
	switch rng.IntN(3) {
	case 0: // one hash that is wrong
		if lied := (bisect.Choice{Part: part, Shown: append([]byte{}, c.Shown...)}); rng.IntN(2) == 0 {
			lied.Shown[rng.IntN(len(lied.Shown))] ^= 1 << rng.IntN(8)
			if g.Clone().Choose(lied, m) == nil { // the game does not take what the defender has
				return lied
			}
		}
	case 1: // everything wrong
		for i := range c.Shown {
			c.Shown[i] = byte(rng.Uint32())
		}
	}
	return c
}

// TestSilentOrRefuted lets a liar at a random place meet an honest challenger: it never gets away.
func TestSilentOrRefuted(t *testing.T) {
	games := 60
	if testing.Short() {
		games = 10
	}
	rng := rand.New(rand.NewPCG(5, 6))
	honest := bisecttest.New(t, plain, bisecttest.Fault{}, -1)
	for i := range games {
		honest := honest
		if i%4 == 0 { // one segment of twenty steps: a lie about a state, which lasts
			f := bisecttest.Fault{Kind: "after", Step: 15 + rng.IntN(bisecttest.Steps-15), Name: "m", Element: rng.IntN(5)} // before, a rounding swallows it
			honest := honest.Coarse()
			liar := bisecttest.New(t, plain, f, -1).Coarse()
			if r := play(t, liar, honest, honestly(t, honest)); r.verdict == bisect.Upheld || r.game.From != f.Step {
				t.Fatalf("game %d: %+v: %q from step %d", i, f, r.verdict, r.game.From)
			}
			continue
		}
		value := honest.Inputs() + rng.IntN(honest.Program().Values-honest.Inputs())
		f := bisecttest.Fault{Kind: "flip", Step: rng.IntN(bisecttest.Steps), Value: value, Element: rng.IntN(length(t, honest, value))}
		liar := bisecttest.New(t, plain, f, -1)
		if liar.Terms(t) == honest.Terms(t) {
			continue // the lie is about a value that nothing depends on
		}
		if r := play(t, liar, honest, honestly(t, honest)); r.verdict == bisect.Upheld {
			t.Fatalf("game %d: %+v is upheld: %s", i, f, r.game.Reason)
		}
	}
}

// TestWrongObjections: a liar that calls a right accumulator wrong, or says that it has another state before its lie than the challenger,
// wins nothing by it.
func TestWrongObjections(t *testing.T) {
	honest := bisecttest.New(t, long, bisecttest.Fault{}, -1)
	liar := bisecttest.New(t, long, bisecttest.Fault{Kind: "flip", Step: 15, Value: honest.Inputs()}, -1)
	for part := range 128 {
		g, nested := bisect.New(liar.Terms(t)), false
		for g.Stage != bisect.Over {
			if g.Stage.Picks() {
				if err := g.Choose(honestly(t, honest)(g), honest); err != nil {
					t.Fatal(err)
				}
				continue
			}
			a, err := bisect.Defend(g, liar)
			if g.Stage == bisect.AskFinal {
				at := part
				if nested {
					at = part % 2
				}
				nested = true
				a, err = bisect.AnswerAt(g, liar, at)
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := g.Answer(a, honest); err != nil {
				t.Fatal(err)
			}
		}
		if g.Verdict != bisect.Refuted {
			t.Fatalf("a wrong objection to part %d wins: %s", part, g.Reason)
		}
	}
	truth := bisecttest.New(t, plain, bisecttest.Fault{}, -1).Coarse()
	early := bisecttest.New(t, plain, bisecttest.Fault{Kind: "after", Step: 16, Name: "m", Element: 1}, -1).Coarse()
	for part := range bisecttest.Steps {
		g := bisect.New(early.Terms(t))
		for g.Stage != bisect.AskTranscript {
			if g.Stage.Picks() {
				if err := g.Choose(honestly(t, truth)(g), truth); err != nil {
					t.Fatal(err)
				}
			} else if a, err := bisect.Defend(g, early); err != nil || g.Answer(a, truth) != nil {
				t.Fatal(err)
			}
		}
		a, err := bisect.AnswerAt(g, early, part)
		if err != nil {
			t.Fatal(err)
		}
		switch err := g.Answer(a, truth); {
		case part < 16 && !errors.Is(err, bisect.ErrAnswer):
			t.Errorf("the state after step %d is the challenger's, and the defender says that it is another: %v", part+1, err)
		case part > 16 && err == nil: // it begins with a state that is not the liar's: some proof is missing
			for g.Stage != bisect.Over {
				if g.Stage.Picks() {
					if err := g.Choose(honestly(t, truth)(g), truth); err != nil {
						t.Fatal(err)
					}
					continue
				}
				a, err := bisect.Defend(g, early)
				if err != nil || g.Answer(a, truth) != nil {
					break
				}
			}
			if g.Verdict == bisect.Upheld {
				t.Errorf("a liar that skips its lie wins at part %d: %s", part, g.Reason)
			}
		}
	}
}

// TestAnswersAreProofs changes every answer of an honest defender in a random place: no change is taken for an answer that leads
// anywhere else.
func TestAnswersAreProofs(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	m := bisecttest.New(t, plain, bisecttest.Fault{}, -1)
	for range 150 {
		g := bisect.New(m.Terms(t))
		for g.Stage != bisect.Over {
			if g.Stage.Picks() {
				part := rng.IntN(g.Choices())
				if c, err := bisect.Show(g, m, part); err == nil { // there is a step between the points
					if err := g.Choose(c, m); err != nil {
						t.Fatal(err)
					}
				}
				continue
			}
			a, err := bisect.Defend(g, m)
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
					if !errors.Is(err, bisect.ErrAnswer) || !reflect.DeepEqual(got, before) {
						t.Fatalf("%s: a refused answer changes the game, or %v", g.Stage, err)
					}
				case got.Verdict == bisect.Upheld && want.Verdict != bisect.Upheld:
					t.Fatalf("%s: a changed answer wins", g.Stage)
				case g.Stage != bisect.AskFinal && g.Stage != bisect.AskTranscript && !reflect.DeepEqual(got, want):
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
	m := bisecttest.New(f, plain, bisecttest.Fault{}, -1)
	var games []*bisect.Game
	for _, first := range []int{0, 3, trace.Points} {
		g := bisect.New(m.Terms(f))
		for g.Stage != bisect.Over {
			if g.Stage.Picks() {
				part := 0
				if g.Stage == bisect.PickSegment {
					part = first
				}
				if g.Stage == bisect.PickBranch {
					part = g.Choices() / 2
				}
				c, err := bisect.Show(g, m, part)
				if err != nil {
					f.Fatal(err)
				}
				if err := g.Choose(c, m); err != nil {
					f.Fatal(err)
				}
				continue
			}
			a, err := bisect.Defend(g, m)
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
		if err := g.Answer(b, m); err != nil && !errors.Is(err, bisect.ErrAnswer) {
			t.Fatal(err)
		}
		if err := bisect.OneEncoding(b); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzChoice: no choice, whatever it shows, makes a game panic or keeps an honest defender from its answer.
func FuzzChoice(f *testing.F) {
	m := bisecttest.New(f, long, bisecttest.Fault{}, -1)
	var games []*bisect.Game
	for _, first := range []int{0, 3, trace.Points} {
		g := bisect.New(m.Terms(f))
		for g.Stage != bisect.Over {
			if g.Stage.Picks() {
				part := min(first, g.Choices()-1)
				c, err := bisect.Show(g, m, part)
				if err != nil {
					f.Fatal(err)
				}
				f.Add(len(games), c.Part, c.Shown)
				games = append(games, g.Clone())
				if err := g.Choose(c, m); err != nil {
					f.Fatal(err)
				}
				continue
			}
			a, err := bisect.Defend(g, m)
			if err != nil {
				f.Fatal(err)
			}
			if err := g.Answer(a, m); err != nil {
				f.Fatal(err)
			}
		}
	}
	f.Fuzz(func(t *testing.T, at, part int, shown []byte) {
		g := games[uint(at)%uint(len(games))].Clone()
		before := g.Clone()
		if err := g.Choose(bisect.Choice{Part: part, Shown: shown}, m); err != nil {
			if !errors.Is(err, bisect.ErrChoice) || !reflect.DeepEqual(g, before) {
				t.Fatalf("a refused choice changes the game, or %v", err)
			}
			return
		}
		for !g.Stage.Picks() && g.Stage != bisect.Over {
			a, err := bisect.Defend(g, m)
			if err != nil {
				t.Fatal(err)
			}
			if err := g.Answer(a, m); err != nil {
				t.Fatalf("an honest answer is refused: %v", err)
			}
		}
		if g.Verdict == bisect.Refuted {
			t.Fatalf("an honest defender loses: %s", g.Reason)
		}
	})
}

// TestChoices refuses choices out of range and out of turn.
func TestChoices(t *testing.T) {
	m := bisecttest.New(t, plain, bisecttest.Fault{}, -1)
	g := bisect.New(m.Terms(t))
	if err := g.Choose(bisect.Choice{}, m); !errors.Is(err, bisect.ErrChoice) {
		t.Errorf("a choice before the points: %v", err)
	}
	a, err := bisect.Defend(g, m)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Answer(a, m); err != nil {
		t.Fatal(err)
	}
	if err := g.Answer(a, m); !errors.Is(err, bisect.ErrAnswer) {
		t.Errorf("an answer out of turn: %v", err)
	}
	for _, i := range []int{-1, trace.Points + 1} {
		if err := g.Choose(bisect.Choice{Part: i}, m); !errors.Is(err, bisect.ErrChoice) {
			t.Errorf("choice %d: %v", i, err)
		}
	}
	if _, err := bisect.Defend(g, m); err == nil {
		t.Error("the defender answers out of turn")
	}
	if fmt.Sprint(bisect.Cuts(3, 5), len(bisect.Cuts(0, 128)), bisect.Cuts(0, 300)[:4]) != "[3 4 5] 129 [0 2 4 7]" {
		t.Errorf("cuts %v", bisect.Cuts(0, 300))
	}
}
