package main

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/mutirao/mutirao/contracts"
)

// asking is a contract on a development chain that asks, and is called back.
type asking struct {
	*devChain
	abi   abi.ABI
	at    string
	model common.Hash
	from  string
}

type askTerms struct {
	Workers     uint8
	Price       *big.Int
	Blocks      uint64
	Window      uint64
	Callback    common.Address
	CallbackGas uint64
	DeliveryFee *big.Int
}

func newAsking(t *testing.T) *asking {
	t.Helper()
	chain, report := dev(t)
	asker := contracts.Load("Asker")
	parsed, err := abi.JSON(bytes.NewReader(asker.ABI))
	if err != nil {
		t.Fatal(err)
	}
	a := &asking{devChain: chain, abi: parsed, from: "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"}
	for _, m := range report["models"].([]any) {
		if m := m.(map[string]any); strings.Contains(m["name"].(string), "credit") {
			a.model = common.HexToHash(m["id"].(string))
		}
	}
	receipt := a.send(map[string]any{"from": a.from, "data": asker.Bytecode, "gas": hexutil.Uint64(5_000_000)})
	a.at = receipt["contractAddress"].(string)
	return a
}

// send makes a transaction, which must succeed.
func (a *asking) send(tx map[string]any) map[string]any {
	a.t.Helper()
	hash, err := a.call("eth_sendTransaction", tx)
	if err != nil {
		a.t.Fatal(err)
	}
	receipt, err := a.call("eth_getTransactionReceipt", hash)
	if err != nil || receipt == nil || receipt.(map[string]any)["status"] != "0x1" {
		a.t.Fatalf("receipt %v: %v", receipt, err)
	}
	return receipt.(map[string]any)
}

// do calls a method of the contract in a transaction.
func (a *asking) do(value string, method string, args ...any) map[string]any {
	a.t.Helper()
	data, err := a.abi.Pack(method, args...)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.send(map[string]any{"from": a.from, "to": a.at, "value": value, "data": hexutil.Bytes(data), "gas": hexutil.Uint64(5_000_000)})
}

// ask has the contract make a request of two machines with a window of three blocks, and returns its id.
func (a *asking) ask() string {
	a.t.Helper()
	input := []uint32{}
	for _, v := range []int64{24, 2835, 3, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1} {
		input = append(input, math.Float32bits(float32(v)))
	}
	terms := askTerms{2, big.NewInt(1e15), 100, 3, common.HexToAddress(a.at), 300_000, big.NewInt(1e15)}
	receipt := a.do("0xde0b6b3a7640000", "ask", a.model, input, terms)
	return receipt["logs"].([]any)[0].(map[string]any)["topics"].([]any)[1].(string)
}

// shownRequest is what `mutirao ask show --json` prints.
type shownRequest struct {
	Schema, Status, Finality string
	Worth                    uint8 `json:"finality_number"`
	Seats                    []struct {
		Account string
		Opened  bool
		Bond    string
	}
	Bits     []string
	Callback struct {
		State, Now string
		Attempts   []struct {
			By, Failure string
			Delivered   bool
		}
	}
}

func (a *asking) mutirao(args ...string) []byte {
	a.t.Helper()
	return command(a.t, append(slices.Concat(args[:1], []string{"--rpc", a.url, "--dev-account", "3"}), args[1:]...)...) // a later flag wins
}

func (a *asking) show(id string, args ...string) (s shownRequest) {
	a.t.Helper()
	if err := json.Unmarshal(a.mutirao(append([]string{"ask", "show", id, "--json"}, args...)...), &s); err != nil || s.Schema != "mutirao.request/v1" {
		a.t.Fatalf("%+v: %v", s, err)
	}
	return s
}

// until waits until a request is as it should be.
func (a *asking) until(id string, ok func(shownRequest) bool) shownRequest {
	a.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		s := a.show(id)
		if ok(s) {
			return s
		}
		if time.Now().After(deadline) {
			a.t.Fatalf("after a minute: %+v", s)
		}
	}
}

// serving starts `mutirao serve` and returns what ends it, with the lines that it wrote.
func (a *asking) serving(account string) (stop func() string) {
	a.t.Helper()
	cmd := exec.Command(binary, "serve", "--rpc", a.url, "--dev-account", account, "--json", "--poll", "100ms")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, io.Discard
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { cmd.Process.Kill() })
	return func() string {
		cmd.Process.Kill()
		cmd.Wait()
		return out.String()
	}
}

// TestAsksFinishByThemselves: a contract asks with a window, two machines answer, and the contract is called back without anybody's hand,
// on a chain that makes no blocks by itself. A callback that fails is seen, with its reason, and taken again.
func TestAsksFinishByThemselves(t *testing.T) {
	a := newAsking(t)
	first, second := a.serving("8"), a.serving("9")
	id := a.ask()
	s := a.until(id, func(s shownRequest) bool { return s.Callback.State == "delivered" })
	if s.Status != "answered" || s.Finality != "sampled" || s.Worth != 2 || len(s.Seats) != 2 || len(s.Bits) != 1 || len(s.Callback.Attempts) != 1 {
		t.Errorf("%+v", s)
	}
	if s.Callback.Attempts[0].By != s.Seats[0].Account || !s.Callback.Attempts[0].Delivered {
		t.Errorf("called by %s, not by the first seat, %s", s.Callback.Attempts[0].By, s.Seats[0].Account)
	}
	data, err := a.abi.Pack("output", new(big.Int))
	if err != nil {
		t.Fatal(err)
	}
	got, err := a.call("eth_call", map[string]any{"to": a.at, "data": hexutil.Bytes(data)}, "latest")
	if err != nil || !strings.HasSuffix(got.(string), strings.TrimPrefix(s.Bits[0], "0x")) {
		t.Errorf("the contract got %v, the answer is %s: %v", got, s.Bits, err)
	}
	// The contract refuses.
	a.do("0x0", "setMode", uint8(1))
	id = a.ask()
	a.until(id, func(s shownRequest) bool { return s.Callback.State == "failed" })
	file := filepath.Join(t.TempDir(), "Asker.json")
	raw, err := json.Marshal(map[string]any{"abi": contracts.Load("Asker").ABI})
	if err == nil {
		err = os.WriteFile(file, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	s = a.show(id[2:10], "--abi", file, "--dev-account", "8")
	if len(s.Callback.Attempts) != 1 || s.Callback.Attempts[0].Failure != "Refused(42)" || s.Callback.Now != "Refused(42)" {
		t.Errorf("%+v", s.Callback)
	}
	out, err := exec.Command(binary, "ask", "deliver", id, "--rpc", a.url, "--dev-account", "3").CombinedOutput()
	if exitCode(err) != 1 || !bytes.Contains(out, []byte("did not take the answer")) {
		t.Errorf("exit code %d: %s", exitCode(err), out)
	}
	a.do("0x0", "setMode", uint8(0))
	if s := a.show(id); s.Callback.Now != "" || len(s.Callback.Attempts) != 2 {
		t.Errorf("repaired: %+v", s.Callback)
	}
	a.mutirao("ask", "deliver", id)
	if s := a.show(id); s.Callback.State != "delivered" || len(s.Callback.Attempts) != 3 {
		t.Errorf("taken again: %+v", s.Callback)
	}
	out, err = exec.Command(binary, "ask", "deliver", id, "--rpc", a.url, "--dev-account", "3").CombinedOutput()
	if exitCode(err) != 1 || !bytes.Contains(out, []byte("called already")) {
		t.Errorf("exit code %d: %s", exitCode(err), out)
	}
	log := first() + second()
	if n := strings.Count(log, `"delivered"`); n != 1 || strings.Count(log, `"callback-failed"`) != 1 {
		t.Errorf("%d deliveries\n%s", n, log)
	}
	a.lists(id)
}

// lists checks `ask list`: the contract has made two requests, both machines have two seats, and a third request is open.
func (a *asking) lists(known string) {
	a.t.Helper()
	open := a.ask()
	for _, c := range []struct {
		args []string
		want int
		has  string
	}{
		{nil, 1, open}, {[]string{"--mine", "--account", a.at}, 3, known}, {[]string{"--mine", "--account", a.at, "--open"}, 1, open}, {[]string{"--mine"}, 0, ""},
		{[]string{"--worker", "--dev-account", "8"}, 2, known}, {[]string{"--worker", "--dev-account", "9", "--open"}, 0, ""},
	} {
		out := a.mutirao(append([]string{"ask", "list", "-q"}, c.args...)...)
		lines := strings.Fields(string(out))
		if len(lines) != c.want || !strings.Contains(string(out), strings.TrimPrefix(c.has, "0x")) {
			a.t.Errorf("ask list %v: %q, want %d with %s", c.args, lines, c.want, c.has)
		}
	}
	var l struct {
		Schema   string
		Requests []shownRequest
	}
	if err := json.Unmarshal(a.mutirao("ask", "list", "--json"), &l); err != nil || l.Schema != "mutirao.requests/v1" || len(l.Requests) != 1 || l.Requests[0].Callback.State != "waits" {
		a.t.Errorf("%+v: %v", l, err)
	}
	out, err := exec.Command(binary, "ask", "show", strings.Repeat("0", 64), "--rpc", a.url, "--dev-account", "3").CombinedOutput()
	if exitCode(err) != 3 {
		a.t.Errorf("exit code %d: %s", exitCode(err), out)
	}
}
