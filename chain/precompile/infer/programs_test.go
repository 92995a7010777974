package infer

import (
	"testing"

	"github.com/mutirao/mutirao/protocol/registry"
)

// TestPanicOfTheEngineHasNoText runs a program that was never compiled.
func TestPanicOfTheEngineHasNoText(t *testing.T) {
	var logged any
	output, err := (&program{}).run(registry.Callable{Inputs: 1}, []uint32{0}, func(p any) { logged = p })
	if err != errEngine || output != nil || logged == nil {
		t.Errorf("output %v, error %q, log %v", output, err, logged)
	}
}
