package client

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	coretypes "github.com/cometbft/cometbft/rpc/core/types"
	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// An endpoint that answers every question with nothing gets an error for it; the process goes on.
func TestEmptyAnswers(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request rpctypes.RPCRequest
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			t.Error(err)
			return
		}
		var result any = coretypes.ResultABCIQuery{}
		if request.Method == "abci_info" {
			result = coretypes.ResultABCIInfo{}
		}
		if err := json.NewEncoder(w).Encode(rpctypes.NewRPCSuccessResponse(request.ID, result)); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	key, err := NewKey([32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	c, err := Dial([]string{server.URL}, key)
	if err != nil {
		t.Fatal(err)
	}
	ctx, id := t.Context(), protocol.Hash{1}
	for name, ask := range map[string]func() error{
		"balance":  func() error { _, err := c.Balance(ctx, c.Account()); return err },
		"supply":   func() error { _, err := c.Supply(ctx); return err },
		"run":      func() error { _, err := c.Run(ctx, id); return err },
		"dataset":  func() error { _, err := c.Dataset(ctx, id); return err },
		"model":    func() error { _, err := c.Model(ctx, id); return err },
		"transfer": func() error { return c.Send(ctx, protocol.Account{1}, money.New(1)) },
	} {
		if err := ask(); err == nil {
			t.Errorf("%s: an empty answer was taken for one", name)
		}
	}
}
