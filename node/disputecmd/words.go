package disputecmd

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/verify/bisect"
	"github.com/mutirao/mutirao/verify/trace"
)

// Does says what a move did.
func Does(m dispute.Moved) string {
	if m.Side == dispute.Defender {
		return fmt.Sprintf("%s (%d bytes)", shows(m.Asked), m.Bytes)
	}
	return points(m.Asked, m.Choice)
}

// shows says what an answer contains.
func shows(asked bisect.Stage) string {
	switch asked {
	case bisect.AskPoints:
		return "shows the 17 states on the way that lead to its trace"
	case bisect.AskTranscript:
		return "says after which step it first has another state, and shows the tree over all values of that step and over the state after it"
	case bisect.AskStates:
		return "shows the tree over the state before the first step"
	case bisect.AskBranches:
		return "opens the branch, down to what it first has otherwise"
	case bisect.AskOrigin:
		return "shows where the value comes from"
	case bisect.AskTile:
		return "shows the elements of the tile"
	case bisect.AskFinal:
		return "points at the first micro-operation that it has otherwise and opens what it reads; every validator computes it"
	case bisect.AskDatum:
		return "opens the record of the data; every validator reads it"
	case bisect.AskNext:
		return "justifies an entry of the state after the step"
	case bisect.AskStart:
		return "justifies an entry of the state before the first step"
	case bisect.AskPiece:
		return "shows a piece of the payload"
	case bisect.AskBlock:
		return "opens the weights that the byte encodes; every validator encodes them"
	case bisect.AskRoots:
		return "shows the roots of all tensors of the next state; every validator hashes them"
	}
	return "answers"
}

// points says what a choice means.
func points(asked bisect.Stage, choice uint32) string {
	switch {
	case asked == bisect.PickSegment && choice == 0:
		return "says that the very first state is wrong"
	case asked == bisect.PickSegment && choice == trace.Points:
		return "says that all states are right and the payload is wrong"
	case asked == bisect.PickSegment:
		return fmt.Sprintf("says that point %d is right and point %d is wrong", choice-1, choice)
	case asked == bisect.PickStep:
		return "shows the states inside the range of steps"
	case asked == bisect.PickBranch:
		return fmt.Sprintf("points at branch %d, the first wrong one, and shows what it should hold", choice+1)
	case asked == bisect.PickElement:
		return fmt.Sprintf("points at element %d of the tile, the first wrong one, and shows how the right one is computed", choice)
	case asked == bisect.PickOperation:
		return "shows the accumulators inside the range of micro-operations"
	case asked == bisect.PickByte:
		return fmt.Sprintf("points at byte %d of the piece, the first wrong one", choice)
	}
	return fmt.Sprintf("chooses %d", choice)
}

// asks says what the side that is to move is asked for.
func asks(stage bisect.Stage) string {
	switch {
	case stage == bisect.PickStep:
		return "it must show the states inside the range of steps"
	case stage == bisect.PickOperation:
		return "it must show the accumulators inside the range of micro-operations"
	case stage.Picks():
		return fmt.Sprintf("it must choose a %s", stage)
	}
	what := string(stage)
	switch stage {
	case bisect.AskPoints:
		what = "points of its trace"
	case bisect.AskFinal:
		what = "inputs of the micro-operation"
	case bisect.AskBlock:
		what = "weights that the byte encodes"
	case bisect.AskRoots:
		what = "roots of all tensors of the next state"
	case bisect.AskNext, bisect.AskStart:
		what = "reason for an entry of the state"
	}
	return "it must show the " + what
}
