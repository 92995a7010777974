package app

import (
	"context"
	"sync"

	"github.com/cosmos/evm/x/vm"
	evmtypes "github.com/cosmos/evm/x/vm/types"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/prevrandao"
)

var globals sync.Once

// setGlobals tells the EVM its coin and its opcodes before the first block. The module would read it from state in the first block
// after a restart, but JSON-RPC and the mempool ask earlier, and several apps in one process would write it at once.
func setGlobals() {
	prevrandao.Register()
	globals.Do(func() {
		vm.SetGlobalConfigVariables(evmtypes.EvmCoinInfo{
			Denom: network.Denom, ExtendedDenom: network.Denom, DisplayDenom: network.DisplayDenom, Decimals: network.Decimals,
		})
		otel.SetTracerProvider(untraced{})
	})
}

// untraced makes nothing of the traces that the EVM writes of every step of a transaction, and for which nobody here has asked. Without it
// they were a tenth of the time of a call between contracts.
type untraced struct{ noop.TracerProvider }

// Tracer returns one that does nothing.
func (untraced) Tracer(string, ...trace.TracerOption) trace.Tracer { return idle{} }

type idle struct{ noop.Tracer }

// Start leaves ctx as it is.
func (idle) Start(ctx context.Context, _ string, _ ...trace.SpanStartOption) (context.Context, trace.Span) {
	return ctx, noop.Span{}
}
