package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// proven has the network that the demo left behind answer a request, fetches a proof of everything that can be proven, and checks each with
// nothing but the file and the hash of a header: that another validator tells. Where the machine allows it there is no network at all.
func proven(t *testing.T, network string) {
	t.Helper()
	var note struct{ Ledger []string }
	raw, err := os.ReadFile(filepath.Join(network, "network.json"))
	if err == nil {
		err = json.Unmarshal(raw, &note)
	}
	if err != nil || len(note.Ledger) < 2 {
		t.Fatalf("%s: %v", raw, err)
	}
	var models struct {
		Models []struct {
			ID       string
			Lineage  string
			Callable bool
		}
	}
	if err := json.Unmarshal(command(t, "models", "list", "--network", network, "--json"), &models); err != nil || len(models.Models) == 0 {
		t.Fatalf("models: %v", err)
	}
	model := models.Models[0].ID
	var card struct {
		Holders []struct {
			Holder string
			PPM    uint32
		}
	}
	if err := json.Unmarshal(command(t, "models", "show", model, "--network", network, "--json"), &card); err != nil || len(card.Holders) == 0 {
		t.Fatalf("card: %v", err)
	}
	var receipts struct {
		List []struct{ Run, ID, Amount string }
	}
	if err := json.Unmarshal(command(t, "credits", "receipts", "--network", network, "--json"), &receipts); err != nil || len(receipts.List) < 50 {
		t.Fatalf("%d receipts: %v", len(receipts.List), err)
	}
	paid := receipts.List[0]
	request := answered(t, network, model)
	trusted := &operator{t: t, rpc: note.Ledger[1]}
	height := trusted.sync().Height
	hash := trusted.hash(height)
	holder := card.Holders[0]
	for _, c := range []struct {
		subject []string
		has     string
	}{
		{[]string{"balance", holder.Holder}, `"value":"`},
		{[]string{"model", "0x" + model}, model},
		{[]string{"share", model, holder.Holder}, fmt.Sprintf(`"ppm":%d,`, holder.PPM)},
		{[]string{"share", model, "0x0000000000000000000000000000000000000009"}, `"exists":false`},
		{[]string{"receipt", paid.Run, paid.ID}, `"amount":"` + paid.Amount + `"`},
		{[]string{"answer", request}, `"answer":{"status":"answered","finality":"sampled","bits":["0x`},
		{[]string{"request-receipt", model, request}, `"finality":"sampled"`},
	} {
		file := filepath.Join(t.TempDir(), "proof.json")
		proof := command(t, append([]string{"proof", "--network", note.Ledger[0], "--from", fmt.Sprint(height)}, c.subject...)...)
		if err := os.WriteFile(file, proof, 0o600); err != nil {
			t.Fatal(err)
		}
		if code, out := verifyAlone(file, height, hash); code != 0 || !bytes.Contains(out, []byte(c.has)) {
			t.Errorf("%v: exit code %d, not %s in\n%s", c.subject, code, c.has, out)
		}
		other := "0" + hash[1:]
		if other == hash {
			other = "1" + hash[1:]
		}
		if code, out := verifyAlone(file, height, other); code != 9 {
			t.Errorf("%v, another hash: exit code %d\n%s", c.subject, code, out)
		}
		proof[len(proof)/3] ^= 1
		if err := os.WriteFile(file, proof, 0o600); err != nil {
			t.Fatal(err)
		}
		if code, out := verifyAlone(file, height, hash); code != 9 {
			t.Errorf("%v, one bit: exit code %d\n%s", c.subject, code, out)
		}
	}
}

// verifyAlone checks a proof, in a network namespace without interfaces if this machine lets us make one.
func verifyAlone(file string, height int64, hash string) (int, []byte) {
	args := []string{binary, "verify", "proof", file, "--height", fmt.Sprint(height), "--hash", hash, "--json"}
	if exec.Command("unshare", "-rn", "true").Run() == nil {
		args = append([]string{"unshare", "-rn"}, args...)
	}
	out, err := exec.Command(args[0], args[1:]...).Output()
	return exitCode(err), out
}

// answered has the trainer ask a model, and a provider answer, and returns the id of the request.
func answered(t *testing.T, network, model string) string {
	t.Helper()
	serve := exec.Command(binary, "serve", "--network", network, "--dir", home(t, network, "p1"), "--poll", "100ms")
	serve.Stdout, serve.Stderr = io.Discard, io.Discard
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		serve.Process.Kill()
		serve.Wait()
	}()
	input := strings.TrimSuffix(strings.Repeat("0.5,", 30), ",")
	out := command(t, "ask", model, "--network", network, "--dir", home(t, network, "trainer"), "--input", input, "--window", "2", "--wait", time.Minute.String(), "--json")
	var a struct{ Request, Finality string }
	if err := json.Unmarshal(out, &a); err != nil || a.Finality != "sampled" {
		t.Fatalf("%s: %v", out, err)
	}
	return a.Request
}

// home is a folder of its own with the key of somebody of the demo.
func home(t *testing.T, network, who string) string {
	t.Helper()
	dir := t.TempDir()
	key, err := os.ReadFile(filepath.Join(network, who, "key"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "key"), key, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
