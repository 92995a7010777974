package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	rpccore "github.com/cometbft/cometbft/rpc/core"
	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"
)

// ErrUnreachable reports that none of the ledger's endpoints answered.
var ErrUnreachable = errors.New("no endpoint of the ledger answers")

// requestTimeout bounds one request to one endpoint.
const requestTimeout = 10 * time.Second

// endpoints are the RPC servers of validators that a client may ask, all alike. It prefers the one that answered last.
type endpoints struct {
	rpc []*rpchttp.HTTP

	mu      sync.Mutex
	current int
}

func dial(urls []string) (*endpoints, error) {
	if len(urls) == 0 {
		return nil, fmt.Errorf("%w: none given", ErrUnreachable)
	}
	e := &endpoints{}
	for _, url := range urls {
		c, err := rpchttp.NewWithTimeout(url, "/websocket", uint(requestTimeout/time.Second))
		if err != nil {
			return nil, fmt.Errorf("endpoint %s: %w", url, err)
		}
		e.rpc = append(e.rpc, c)
	}
	return e, nil
}

// do asks the endpoints in turn until one answers. An answer that is an error is an answer, but not that the node cannot say yet.
func (e *endpoints) do(ctx context.Context, ask func(*rpchttp.HTTP) error) error {
	e.mu.Lock()
	first := e.current
	e.mu.Unlock()
	var last error
	for i := range e.rpc {
		at := (first + i) % len(e.rpc)
		err := ask(e.rpc[at])
		var answered *rpctypes.RPCError
		if err == nil || errors.As(err, &answered) && !behind(answered) {
			e.mu.Lock()
			e.current = at
			e.mu.Unlock()
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		last = fmt.Errorf("%s: %w", e.rpc[at].Remote(), err)
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, last)
}

// behind reports that a node takes no transactions because it still catches up with the others. RPC carries no code for it.
func behind(err *rpctypes.RPCError) bool {
	return strings.Contains(err.Data, rpccore.ErrEndpointClosedCatchingUp.Error()) || strings.Contains(err.Message, rpccore.ErrEndpointClosedCatchingUp.Error())
}

// rotate makes the next endpoint the preferred one.
func (e *endpoints) rotate() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.current = (e.current + 1) % len(e.rpc)
}
