package infer

import (
	"context"
	"testing"
	"time"

	"cosmossdk.io/log/v2"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/protocol"
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

// shelf is a registry of one artifact, which answers queries only when it is told to.
type shelf struct {
	Models
	artifact []byte
	asked    chan struct{} // gets a value when a query reads the artifact
	release  chan struct{} // closed when queries may go on
}

func (s *shelf) ArtifactSize(context.Context, protocol.Hash) (int, error) {
	return len(s.artifact), nil
}

func (s *shelf) Artifact(ctx context.Context, _ protocol.Hash) ([]byte, error) {
	if sdk.UnwrapSDKContext(ctx).ExecMode() != sdk.ExecModeFinalize {
		s.asked <- struct{}{}
		<-s.release
	}
	return s.artifact, nil
}

// TestBlockDoesNotWaitForQueries holds an eth_call within the cache and within the program while a block calls the model.
func TestBlockDoesNotWaitForQueries(t *testing.T) {
	b := graph.NewBuilder("double")
	x := b.Input("x", tensor.Float32, 1, 1)
	b.Output("y", b.Op("Add", nil, x, x))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	s := &shelf{artifact: graph.Encode(g), asked: make(chan struct{}, 1), release: make(chan struct{})}
	p := New(s, nil)
	m := registry.Model{ID: protocol.Hash{1}, Callable: &registry.Callable{Input: "x", Output: "y", Inputs: 1}}
	method := p.abi.Methods["preview"]
	call := func(mode sdk.ExecMode) chan error {
		done := make(chan error, 1)
		go func() {
			ctx := sdk.Context{}.WithLogger(log.NewNopLogger()).WithGasMeter(storetypes.NewInfiniteGasMeter()).WithExecMode(mode)
			_, err := p.answer(ctx, m, &method, []any{[32]byte(m.ID), []uint32{0}})
			done <- err
		}()
		return done
	}
	wait := func(what string, done chan error) {
		t.Helper()
		select {
		case err := <-done:
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s waits for a query", what)
		}
	}

	query := call(sdk.ExecModeCheck)
	<-s.asked
	wait("a block while a query compiles", call(sdk.ExecModeFinalize))
	close(s.release)
	wait("the query", query)

	held, err := p.queries.get(m.ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	held.mu.Lock()
	defer held.mu.Unlock()
	wait("a block while a query runs", call(sdk.ExecModeFinalize))
}
