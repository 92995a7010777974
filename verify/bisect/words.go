package bisect

import (
	"fmt"
	"strings"

	"github.com/mutirao/mutirao/verify/trace"
)

// Words says how far a game has come, for people: "they agree until step 37 · node MatMul_12 · tile 51 · element (3,17) ·
// micro-operations 4 to 5 of 40".
func (g *Game) Words() string {
	var parts []string
	say := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	switch {
	case len(g.Points) == 0:
		say("the points of the trace are not known yet")
	case g.Tree == TreePayload:
		say("they agree on all states, not on the payload")
	case g.Tree == TreeStart || g.Stage == AskStates:
		say("they disagree on the state before the first step")
	case g.To > g.From:
		say("they agree until step %d of %d", g.From, g.Steps)
		if g.To-g.From > 1 {
			say("and no more after step %d", g.To)
		}
	default:
		say("the challenger looks for the first wrong point")
	}
	switch {
	case g.Tree == TreeAfter:
		say("what the step put out is right, the state after it is not")
	case g.Record != nil:
		say("node %s", g.Input)
	case g.Input != "":
		say("input %s", g.Input)
	case g.Tree == TreeValues && g.Count > 1:
		say("values %d to %d of %d", g.Low, g.Low+g.Count-1, g.Header.Values)
	}
	if g.Tree == TreeTiles && g.Count == 1 {
		say("tile %d of %d", g.Tile, trace.Tiles(g.Shape))
	}
	if g.Ops > 0 || g.Stage == AskDatum {
		say("element %s", g.at())
	}
	if g.Ops > 1 {
		say("micro-operations %d to %d of %d", g.OpLow+1, g.OpHigh, g.Ops)
	}
	if g.Stage == AskBlock {
		say("byte %d", g.Byte)
	}
	if g.Stage == Over {
		say("%s: %s", g.Verdict, g.Reason)
	}
	return strings.Join(parts, " · ")
}

// Place is where a game has come, in few words: "step 37, node MatMul_12, element (3,17)".
func (g *Game) Place() string {
	switch {
	case g.Tree == TreePayload && g.Byte > 0:
		return fmt.Sprintf("byte %d of the payload", g.Byte)
	case g.Tree == TreePayload:
		return "the payload"
	case len(g.Points) == 0:
		return "the trace"
	}
	var parts []string
	if g.To > g.From {
		parts = append(parts, fmt.Sprintf("step %d", g.From+1))
	} else {
		parts = append(parts, "the start")
	}
	switch {
	case g.Tree == TreeAfter:
		parts = append(parts, "the state after it")
	case g.Record != nil:
		parts = append(parts, "node "+g.Input)
	case g.Input != "":
		parts = append(parts, "input "+g.Input)
	}
	if g.Element > 0 || g.Ops > 0 {
		parts = append(parts, "element "+g.at())
	}
	return strings.Join(parts, ", ")
}

// at is the place of the element in question: "(3,17)".
func (g *Game) at() string {
	at, rest := make([]string, len(g.Shape)), g.Element
	for i := len(g.Shape) - 1; i >= 0; i-- {
		at[i] = fmt.Sprint(rest % max(g.Shape[i], 1))
		rest /= max(g.Shape[i], 1)
	}
	return "(" + strings.Join(at, ",") + ")"
}
