package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// onlyLoopback checks that nothing of a process and its children listens beyond this machine, and that something listens if it should.
func onlyLoopback(t *testing.T, pid int, listens bool) {
	t.Helper()
	if runtime.GOOS != "linux" {
		return
	}
	sockets := map[string]bool{}
	for _, p := range family(pid) {
		links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", p))
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range links {
			if to, err := os.Readlink(l); err == nil {
				if inode, ok := strings.CutPrefix(to, "socket:["); ok {
					sockets[strings.TrimSuffix(inode, "]")] = true
				}
			}
		}
	}
	found := 0
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6"} {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if err != nil {
			continue // without IPv6
		}
		for _, line := range strings.Split(string(raw), "\n")[1:] {
			f := strings.Fields(line)
			const listening, anything = "0A", "07"
			if len(f) < 10 || !sockets[f[9]] || f[3] != listening && !(strings.HasPrefix(table, "udp") && f[3] == anything) {
				continue
			}
			found++
			if ip := address(t, f[1]); !ip.IsLoopback() {
				t.Errorf("process %d listens at %s %s", pid, table, ip)
			}
		}
	}
	if listens && found == 0 {
		t.Errorf("process %d listens nowhere: this test sees nothing", pid)
	}
}

// family is a process and its descendants.
func family(pid int) []int {
	list := []int{pid}
	children, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, name := range children {
		raw, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		for _, field := range strings.Fields(string(raw)) {
			if child, err := strconv.Atoi(field); err == nil {
				list = append(list, family(child)...)
			}
		}
	}
	return list
}

// address reads ADDRESS:PORT of the kernel: words of 32 bits in this machine's order.
func address(t *testing.T, field string) net.IP {
	t.Helper()
	text, _, _ := strings.Cut(field, ":")
	ip, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+4 <= len(ip); i += 4 {
		ip[i], ip[i+1], ip[i+2], ip[i+3] = ip[i+3], ip[i+2], ip[i+1], ip[i]
	}
	return ip
}

// limits checks what docs/operating.md says that strangers can send, against a server of Ethereum's JSON-RPC.
func limits(t *testing.T, url string) {
	t.Helper()
	post := func(body []byte) (int, string) {
		t.Helper()
		r, err := http.Post(url, "application/json", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		var answer bytes.Buffer
		if _, err := answer.ReadFrom(r.Body); err != nil {
			t.Fatal(err)
		}
		return r.StatusCode, answer.String()
	}
	if code, _ := post(bytes.Repeat([]byte(" "), 6<<20)); code != http.StatusRequestEntityTooLarge {
		t.Errorf("6 MiB: %d", code)
	}
	one := `{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}`
	if _, answer := post([]byte("[" + strings.Repeat(one+",", 1000) + one + "]")); !strings.Contains(answer, "batch too large") {
		t.Errorf("a batch of 1001: %.200s", answer)
	}
	call := func(method string, params ...any) string {
		t.Helper()
		body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
		if err != nil {
			t.Fatal(err)
		}
		_, answer := post(body)
		return answer
	}
	// Code that spins for ever, with all the gas that there can be: JUMPDEST, PUSH0, JUMP.
	spin := map[string]any{"data": "0x5b5f56", "gas": "0xffffffffffffff"}
	if answer := call("eth_call", spin, "latest"); !strings.Contains(answer, "out of gas") && !strings.Contains(answer, "abort") {
		t.Errorf("an endless call: %.200s", answer)
	}
	if answer := call("eth_getLogs", map[string]any{"fromBlock": "0x1", "toBlock": "0x7fffffffffffffff"}); !strings.Contains(answer, "error") && !strings.Contains(answer, `"result":[]`) {
		t.Errorf("logs of all times: %.200s", answer)
	}
	if answer := call("eth_feeHistory", "0x7fffffff", "latest", []any{}); len(answer) > 100_000 {
		t.Errorf("fees of all times: %d bytes", len(answer))
	}
}

// misled asks a node as a page would that somebody's name server has sent here.
func misled(t *testing.T, url string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "evil.example"
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusForbidden {
		t.Errorf("under another name %s answers %d", url, answer.StatusCode)
	}
}
