package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
)

// A node that catches up refuses transactions; the next one is asked. With no other, nobody is reached.
func TestNodesThatCatchUpAreSkipped(t *testing.T) {
	node := func(answer string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":0,%s}`, answer)
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	behind := node(`"error":{"code":-32603,"message":"Internal error","data":"endpoint is closed while node is catching up"}`)
	abci := func(urls ...string) error {
		e, err := dial(urls)
		if err != nil {
			t.Fatal(err)
		}
		return e.do(t.Context(), func(rpc *rpchttp.HTTP) error {
			_, err := rpc.BroadcastTxSync(context.Background(), []byte{1})
			return err
		})
	}
	if err := abci(behind, node(`"result":{"code":0,"data":"","log":"","hash":""}`)); err != nil {
		t.Error(err)
	}
	if err := abci(behind, behind); !errors.Is(err, ErrUnreachable) {
		t.Error(err)
	}
	if err := abci(node(`"error":{"code":-32603,"message":"Internal error","data":"another reason"}`)); err == nil || errors.Is(err, ErrUnreachable) {
		t.Error(err)
	}
}
