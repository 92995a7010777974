package fault_test

import (
	"errors"
	"fmt"
	"testing"

	errorsmod "cosmossdk.io/errors"

	"github.com/mutirao/mutirao/chain/fault"
	"github.com/mutirao/mutirao/protocol"
)

func TestSentinelsSurviveTheWire(t *testing.T) {
	for code := uint32(1); protocol.FromCode(code) != nil; code++ {
		sentinel := protocol.FromCode(code)
		err := fault.ABCI(fmt.Errorf("some rule: %w", sentinel))
		// The SDK wraps what a message returns before it reads the code.
		space, onWire, log := errorsmod.ABCIInfo(errorsmod.Wrap(err, "message 0"), false)
		if back := fault.FromABCI(space, onWire, log); !errors.Is(back, sentinel) {
			t.Errorf("%v came back as %v", sentinel, back)
		}
	}
}

func TestOtherErrors(t *testing.T) {
	if err := fault.FromABCI("", 0, ""); err != nil {
		t.Errorf("success became %v", err)
	}
	// Codes of another codespace, and of a newer version of the rules, must not turn into a sentinel.
	for _, c := range []struct {
		space string
		code  uint32
	}{{"sdk", 101}, {fault.Codespace, 1}, {fault.Codespace, 99_999}} {
		err := fault.FromABCI(c.space, c.code, "text")
		if err == nil || protocol.Code(err) != protocol.CodeUnknown {
			t.Errorf("%s %d became %v", c.space, c.code, err)
		}
	}
	plain := errors.New("disk full")
	if got := fault.ABCI(plain); got != plain {
		t.Errorf("internal error became %v", got)
	}
}
