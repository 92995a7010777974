package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// devChain is a running `mutirao dev`.
type devChain struct {
	t   *testing.T
	cmd *exec.Cmd
	url string
	out *bufio.Reader
}

func dev(t *testing.T, args ...string) (*devChain, map[string]any) {
	t.Helper()
	d := &devChain{t: t, cmd: exec.Command(binary, append([]string{"dev", "--port", "0", "--json"}, args...)...)}
	stdout, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.cmd.Process.Kill() })
	d.out = bufio.NewReader(stdout)
	first, err := d.out.ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var report map[string]any
	if err := json.Unmarshal(first, &report); err != nil {
		t.Fatal(err)
	}
	d.url = report["http"].(string)
	return d, report
}

// call returns the result of a request, or an error if the chain is gone or refuses.
func (d *devChain) call(method string, params ...any) (any, error) {
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		return nil, err
	}
	r, err := http.Post(d.url, "application/json", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Result any
		Error  *struct{ Message string }
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return nil, err
	}
	if answer.Error != nil {
		return nil, fmt.Errorf("%s: %s", method, answer.Error.Message)
	}
	return answer.Result, nil
}

// TestDevSurvivesKill kills the chain while somebody sends as fast as it answers. Every transaction whose hash came back is
// in a block of the continued chain, which has the id, accounts and models that everybody expects. Ctrl-C ends it with 0.
func TestDevSurvivesKill(t *testing.T) {
	state := filepath.Join(t.TempDir(), "chain.jsonl")
	first, report := dev(t, "--state", state)
	if report["schema"] != "mutirao.dev/v1" || report["chain_id"] != 31337.0 || len(report["models"].([]any)) < 2 {
		t.Errorf("report %v", report)
	}
	onlyLoopback(t, first.cmd.Process.Pid, true)
	limits(t, first.url)
	machine := exec.Command(binary, "serve", "--dev-account", "9", "--rpc", first.url)
	if err := machine.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		onlyLoopback(t, machine.Process.Pid, false) // it asks, and answers nobody
		machine.Process.Kill()
		machine.Wait()
	}()
	accounts := report["accounts"].([]any)
	if a := accounts[0].(map[string]any); len(accounts) != 10 || a["address"] != "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266" ||
		a["key"] != "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80" {
		t.Errorf("accounts %v", accounts)
	}
	from := "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
	time.AfterFunc(500*time.Millisecond, func() { first.cmd.Process.Kill() })
	var sent []any
	for {
		hash, err := first.call("eth_sendTransaction", map[string]any{"from": from, "to": from, "value": "0x1", "gas": "0x5208"})
		if err != nil {
			break
		}
		sent = append(sent, hash)
	}
	first.cmd.Wait()
	if len(sent) < 5 {
		t.Fatalf("%d transactions before the end", len(sent))
	}
	second, again := dev(t, "--state", state)
	if again["block"].(float64) < float64(1+len(sent)) {
		t.Errorf("continues at block %v after %d transactions", again["block"], len(sent))
	}
	for i, hash := range sent {
		if receipt, err := second.call("eth_getTransactionReceipt", hash); err != nil || receipt == nil {
			t.Fatalf("transaction %d of %d is lost: %v", i, len(sent), err)
		}
	}
	if err := second.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := second.cmd.Wait(); err != nil {
		t.Errorf("Ctrl-C: %v", err)
	}
}
