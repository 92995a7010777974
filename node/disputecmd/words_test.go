package disputecmd

import (
	"strings"
	"testing"

	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/bisect"
)

var stages = []bisect.Stage{
	bisect.AskPoints, bisect.PickSegment, bisect.PickStep, bisect.AskTranscript, bisect.AskStates, bisect.AskBranches, bisect.PickBranch,
	bisect.AskOrigin, bisect.AskTile, bisect.PickElement, bisect.PickOperation, bisect.AskFinal, bisect.AskDatum, bisect.AskNext,
	bisect.AskStart, bisect.AskPiece, bisect.PickByte, bisect.AskBlock, bisect.AskRoots,
}

// TestEveryStageHasWords: no move is told by a word that says nothing.
func TestEveryStageHasWords(t *testing.T) {
	seen := map[string]bisect.Stage{}
	for _, s := range stages {
		m := dispute.Moved{Side: dispute.Defender, Asked: s, Choice: 3, Bytes: 9}
		if s.Picks() {
			m.Side = dispute.Challenger
		}
		words := Does(m)
		if other, ok := seen[words]; ok || strings.HasPrefix(words, "answers") || strings.HasPrefix(words, "chooses") {
			t.Errorf("%s: %q, as %s", s, words, other)
		}
		seen[words] = s
		if asked := asks(s); !strings.HasPrefix(asked, "it must ") || strings.HasSuffix(asked, " ") {
			t.Errorf("%s: %q", s, asked)
		}
	}
	for choice, want := range map[uint32]string{0: "very first state", 17: "the payload is wrong", 5: "point 4 is right and point 5 is wrong"} {
		if got := points(bisect.PickSegment, choice); !strings.Contains(got, want) {
			t.Errorf("segment %d: %q", choice, got)
		}
	}
}

// TestAbout: a dispute over a vote is told as one about the aggregate, one over a unit by its number.
func TestAbout(t *testing.T) {
	for unit, want := range map[uint32][]string{
		4:                {"about       unit 4 of round 3, run ", "  3      unit 4  "},
		work.VoteUnit(2): {"about       the aggregate of round 3, as the verifier in seat 2 named it, run ", "  3      aggregate  "},
	} {
		var b strings.Builder
		r := row(Case{Ruling: &dispute.Ruling{Claim: dispute.Claim{Round: 3, Unit: unit}}})
		if err := (&One{Row: r}).Print(&b); err != nil {
			t.Fatal(err)
		}
		if err := (&List{List: []Row{r}}).Print(&b); err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(b.String(), w) {
				t.Errorf("%q is not in\n%s", w, b.String())
			}
		}
	}
}

// TestPrintHidesControls: names and reasons come from strangers.
func TestPrintHidesControls(t *testing.T) {
	var b strings.Builder
	o := &One{Row: Row{Verdict: "upheld", Reason: "a\x1b[31mb\u009bc", Place: "x\x07", Moved: []MoveRow{{Words: "node \x1b]0;t\x07"}}}, explain: true}
	if err := o.Print(&b); err != nil {
		t.Fatal(err)
	}
	if err := (&List{List: []Row{o.Row}}).Print(&b); err != nil {
		t.Fatal(err)
	}
	for _, r := range b.String() {
		if r != '\n' && (r < ' ' || r >= 0x7f && r < 0xa0) {
			t.Fatalf("%q", b.String())
		}
	}
}
