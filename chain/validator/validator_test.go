package validator_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mutirao/mutirao/chain/genesis"
	"github.com/mutirao/mutirao/chain/validator"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// four prepares the configurations of a network of four; the first has JSON-RPC.
func four(t *testing.T, funded ...genesis.Balance) []validator.Config {
	t.Helper()
	const n = 4
	keys := genesis.DeriveKeys([32]byte{7}, n)
	doc, err := genesis.New(genesis.Spec{Time: time.Now(), Validators: keys, Accounts: funded})
	if err != nil {
		t.Fatal(err)
	}
	addresses, err := validator.FreeAddresses(2*n + 1)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	configs := make([]validator.Config, n)
	for i := range configs {
		configs[i] = validator.Config{
			Home: filepath.Join(dir, strconv.Itoa(i)), Genesis: doc, Keys: keys[i],
			P2P: addresses[2*i], RPC: addresses[2*i+1], TimeoutCommit: 200 * time.Millisecond,
		}
		for j := range keys {
			if j != i {
				configs[i].Peers = append(configs[i].Peers, validator.PeerAddress(keys[j], addresses[2*j]))
			}
		}
	}
	configs[0].JSONRPC = addresses[2*n]
	return configs
}

func start(t *testing.T, c validator.Config) *validator.Node {
	t.Helper()
	n, err := validator.Start(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func waitHeight(t *testing.T, n *validator.Node, height int64) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); n.Height() < height; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("height %d after a minute, want %d", n.Height(), height)
		}
	}
}

// call asks the JSON-RPC at url and decodes the result into out.
func call(t *testing.T, url, method string, out any, params ...any) {
	t.Helper()
	if params == nil {
		params = []any{}
	}
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Result json.RawMessage
		Error  *struct{ Message string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	if answer.Error != nil {
		t.Fatalf("%s: %s", method, answer.Error.Message)
	}
	if err := json.Unmarshal(answer.Result, out); err != nil {
		t.Fatalf("%s: %v", method, err)
	}
}

func TestFourValidators(t *testing.T) {
	configs := four(t, genesis.Balance{Address: protocol.Account{1}, Amount: money.MUT(5)})
	began := time.Now()
	nodes := make([]*validator.Node, len(configs))
	for i, c := range configs {
		nodes[i] = start(t, c)
	}
	defer func() {
		for _, n := range nodes {
			if err := n.Stop(); err != nil {
				t.Error(err)
			}
		}
	}()
	waitHeight(t, nodes[0], 1)
	t.Logf("first block after %v", time.Since(began))

	var id string
	call(t, nodes[0].JSONRPC(), "eth_chainId", &id)
	if id != "0x40000" {
		t.Errorf("chain id %s", id)
	}
	var balance string
	call(t, nodes[0].JSONRPC(), "eth_getBalance", &balance, protocol.Account{1}.String(), "latest")
	if balance != "0x4563918244f40000" {
		t.Errorf("balance %s, want 5 MUT", balance)
	}

	// One of four may stop and come back from its disk while the others go on.
	if err := nodes[3].Stop(); err != nil {
		t.Fatal(err)
	}
	stopped := nodes[3].Height()
	waitHeight(t, nodes[0], stopped+3)
	nodes[3] = start(t, configs[3])
	if h := nodes[3].Height(); h < stopped {
		t.Errorf("restarted at %d, had committed %d", h, stopped)
	}
	waitHeight(t, nodes[3], nodes[0].Height()+1)
}

func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := four(t)[0]
	c.RPC = l.Addr().String()
	_, err = validator.Start(context.Background(), c)
	if !errors.Is(err, validator.ErrAddressInUse) || !strings.Contains(err.Error(), c.RPC) {
		t.Errorf("error %v does not name %s", err, c.RPC)
	}
}
