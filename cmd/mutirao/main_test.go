package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "mutirao-test-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "mutirao")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		os.Stderr.Write(out)
		return 1
	}
	os.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache")) // blocks of the tests' networks; after the build, which has its cache there, too
	return m.Run()
}

// The transcripts in testdata show what a person sees: results, three-line errors, exit codes.
func TestCommands(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(binary)+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("GOROOT", goroot(t))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "occupy": occupy},
	})
}

// exits CODE PROGRAM ARGS… runs a program that must end with that code; stdout and stderr are kept for the next lines.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS…")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := "0"
	if err != nil {
		code = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if code != args[0] {
		ts.Fatalf("exit code %s, want %s", code, args[0])
	}
}

// occupy NAME listens at a free port until the script ends and puts its address into the variable, the port into NAMEPORT.
func occupy(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: occupy NAME")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	ts.Setenv(args[0], l.Addr().String())
	ts.Setenv(args[0]+"PORT", strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
}

func goroot(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// seed7 is the model root of `mutirao demo --seed 7`: the same on every machine and with every kernel. It changes only with
// spec/numerics.md, the recipe, the rules of the draws, or the commitments of spec/verify.md, from which run ids and salts follow.
const seed7 = "755166d11f7f4888e7197dec9330c557c629034bc59ad5fb397cb9b06d2e6dbd"

type demoReport struct {
	Schema    string            `json:"schema"`
	Seed      uint64            `json:"seed"`
	Rounds    []json.RawMessage `json:"rounds"`
	ModelRoot string            `json:"model_root"`
	Claims    []struct {
		Name   string `json:"name"`
		Held   bool   `json:"held"`
		Detail string `json:"detail"`
	} `json:"claims"`
}

func (r demoReport) check(t *testing.T) {
	t.Helper()
	if r.Schema != "mutirao.demo/v1" || r.Seed != 7 || len(r.Rounds) != 8 {
		t.Errorf("schema %q, seed %d, %d rounds", r.Schema, r.Seed, len(r.Rounds))
	}
	if r.ModelRoot != seed7 {
		t.Errorf("model root %s, want %s", r.ModelRoot, seed7)
	}
	if len(r.Claims) < 14 {
		t.Errorf("%d claims", len(r.Claims))
	}
	for _, c := range r.Claims {
		if !c.Held {
			t.Errorf("%s: %s", c.Name, c.Detail)
		}
	}
}

func demo(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer, *bytes.Buffer) {
	t.Helper()
	cmd := exec.Command(binary, append([]string{"demo", "--json", "--seed", "7"}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	return cmd, &stdout, &stderr
}

// The main job, end to end: every claim of the demo holds and the model is bit for bit that of every other machine.
func TestDemo(t *testing.T) {
	cmd, stdout, stderr := demo(t)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	var r demoReport
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	r.check(t)
}

// A demo that is killed with all it holds in memory leaves no process behind and goes on from the last block and round, to
// the same model.
func TestDemoGoesOnAfterKill(t *testing.T) {
	dir := t.TempDir()
	first, _, stderr := demo(t, "--dir", dir)
	waitForRound(t, dir, 2, stderr)
	disputes(t, dir)
	credits(t, dir)
	if n := providers(t, dir); n < 5 {
		t.Errorf("%d providers are running, expected at least 5\n%s", n, stderr)
	}
	onlyLoopback(t, first.Process.Pid, true) // with its providers
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	first.Wait()
	for deadline := time.Now().Add(20 * time.Second); providers(t, dir) > 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d providers outlive the demo", providers(t, dir))
		}
	}
	second := exec.Command(binary, "demo", "--json", "--seed", "7", "--dir", dir, "--keep")
	out, err := second.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var trouble bytes.Buffer
	second.Stderr = &trouble
	if err := second.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { second.Process.Kill() })
	var r demoReport
	if err := json.NewDecoder(out).Decode(&r); err != nil {
		second.Process.Kill()
		second.Wait()
		t.Fatalf("continuing the killed demo: %v\n%s", err, &trouble)
	}
	r.check(t)
	proven(t, dir)
	before := basePrice(t, dir)
	train(t, dir, 0)
	train(t, dir, 2)
	if after := basePrice(t, dir); after > before+before/20 || after < before-before/20 {
		t.Errorf("the base price moved from %d to %d over two more runs", before, after)
	}
	if err := second.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := second.Wait(); err != nil {
		t.Errorf("the kept demo ends with %v\n%s", err, &trouble)
	}
	audit(t, dir)
}

// basePrice is that of the class in which runs of the demo's network hire.
func basePrice(t *testing.T, network string) uint64 {
	t.Helper()
	var book struct{ Classes []struct{ Base uint64 } }
	out, err := exec.Command(binary, "market", "book", "--json", "--network", network, "--dir", t.TempDir()).Output()
	if err == nil {
		err = json.Unmarshal(out, &book)
	}
	if err != nil || len(book.Classes) != 1 {
		t.Fatalf("%s: %v", out, err)
	}
	return book.Classes[0].Base
}

// train submits another run to the network that the demo leaves behind, which hires two of three machines through the market. dead is how many
// machines offer themselves for less than these and do not answer: they are hired first, pay, and the run has the others all the same.
func train(t *testing.T, network string, dead int) {
	t.Helper()
	dir := t.TempDir()
	file, err := os.ReadFile(filepath.Join("..", "..", "examples", "diagnosis", "run.toml"))
	if err != nil {
		t.Fatal(err)
	}
	for old, short := range map[string]string{
		`name = "diagnosis-1"`: `name = "short"`, "rounds = 8": "rounds = 2", "steps = 100 ": "steps = 20 ", "max_units = 8": "max_units = 3",
		"providers = 6                 #": "providers = 2 #", "offers = 7": "offers = 3", `limit = "1 MUT"`: `limit = "0.95 MUT"`,
	} {
		if file = bytes.Replace(file, []byte(old), []byte(short), 1); !bytes.Contains(file, []byte(short)) {
			t.Fatalf("the run file lacks %q", old)
		}
	}
	run := filepath.Join(dir, "run.toml")
	table, err := os.ReadFile(filepath.Join("..", "..", "examples", "diagnosis", "wdbc.csv"))
	if err == nil {
		err = errors.Join(os.WriteFile(run, file, 0o600), os.WriteFile(filepath.Join(dir, "wdbc.csv"), table, 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
	// as starts a command with the key of somebody of the demo, in a folder of its own.
	as := func(who string, args ...string) (*exec.Cmd, io.Reader, *bytes.Buffer) {
		key, err := os.ReadFile(filepath.Join(network, who, "key"))
		home := filepath.Join(dir, who)
		if err == nil {
			err = errors.Join(os.Mkdir(home, 0o700), os.WriteFile(filepath.Join(home, "key"), key, 0o600))
		}
		cmd := exec.Command(binary, append(args, "--dir", home, "--json")...)
		out, failed := cmd.StdoutPipe()
		var trouble bytes.Buffer
		cmd.Stderr = &trouble
		if err := errors.Join(err, failed, cmd.Start()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill() })
		return cmd, out, &trouble
	}
	gone := []string{"p2", "p4"}[:dead]
	market := func(who string, args ...string) []byte {
		out, err := exec.Command(binary, append(append([]string{"market"}, args...), "--network", network, "--dir", filepath.Join(network, who), "--json")...).Output()
		if err != nil {
			t.Fatalf("market %v: %v\n%s", args, err, out)
		}
		return out
	}
	for i, who := range gone {
		market(who, "ask", "cpu/home/audited/2", "--detach", "--reserve", fmt.Sprintf("0.0%d", i+5))
	}
	author, out, trouble := as("trainer", "train", "start", run, "--network", network, "--model", filepath.Join(dir, "model.graph"), "--number", fmt.Sprint(1+dead))
	news := json.NewDecoder(out)
	var events []string
	var members []int
	for {
		var n struct {
			Event, Invite, Price, Back string
			Units                      int
			Replayed                   bool
		}
		if err := news.Decode(&n); err != nil {
			break
		}
		events = append(events, n.Event)
		switch n.Event {
		case "created":
			for who, more := range map[string][]string{"p1": {"--reserve", "0.2"}, "p3": {"--reserve", "0.3"}, "p5": {"--reserve", "0.7"},
				"v1": {"--as", "verifier"}, "v2": {"--as", "verifier"}, "v3": {"--as", "verifier"}} {
				joined, out, _ := as(who, append([]string{"join", n.Invite}, more...)...)
				members = append(members, joined.Process.Pid)
				go io.Copy(io.Discard, out)
			}
		case "hired":
			if n.Units != 2 || dead == 0 && n.Price != "700000000000000000" {
				t.Errorf("hired %+v", n)
			}
		case "round":
			onlyLoopback(t, author.Process.Pid, true)
			for _, pid := range members {
				onlyLoopback(t, pid, false) // it dials
			}
			if !n.Replayed || n.Units != 2 {
				t.Errorf("a round: %+v", n)
			}
		case "ended":
			if dead == 0 && n.Back != "3200000000000000000" { // six units are locked, four cost 0.7 each
				t.Errorf("ended: %+v", n)
			}
		}
	}
	err = author.Wait()
	if want := "created hired round round ended published"; err != nil || strings.Join(events, " ") != want {
		t.Errorf("%v, %v\n%s", err, events, trouble)
	}
	for _, who := range gone {
		var asks struct{ List []struct{ Closing bool } }
		if err := json.Unmarshal(market(who, "asks", "--mine"), &asks); err != nil || len(asks.List) > 0 {
			t.Errorf("%s, which did not answer, offers %+v: %v", who, asks.List, err)
		}
	}
	if !strings.Contains(trouble.String(), "did not join") && dead > 0 {
		t.Errorf("the author was not told of machines that did not join:\n%s", trouble)
	}
	if model, err := os.ReadFile(filepath.Join(dir, "model.graph")); err != nil || len(model) < 1000 {
		t.Errorf("the model has %d bytes: %v", len(model), err)
	}
}

// The books of the network that the demo left behind are recomputed from its blocks alone; a coin more at the beginning than the
// state knows of is found.
func audit(t *testing.T, dir string) {
	t.Helper()
	var report struct {
		Schema             string
		Agrees             bool
		Messages, Receipts int
		Findings           []json.RawMessage
	}
	run := func() *exec.ExitError {
		out, err := exec.Command(binary, "ledger", "audit", dir, "--json").Output()
		if failed := json.Unmarshal(out, &report); failed != nil {
			t.Fatalf("%v: %v\n%s", failed, err, out)
		}
		failed, _ := err.(*exec.ExitError)
		return failed
	}
	if err := run(); err != nil || !report.Agrees || report.Schema != "mutirao.ledger-audit/v1" || report.Messages < 100 || report.Receipts < 50 {
		t.Errorf("the audit says %v, %+v", err, report)
	}
	file := filepath.Join(dir, "ledger", "validator-1", "config", "genesis.json")
	doc, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	richer := bytes.Replace(doc, []byte(`"10000000000000000000"`), []byte(`"10000000000000000001"`), 1)
	if err := os.WriteFile(file, richer, 0o600); err != nil || bytes.Equal(doc, richer) {
		t.Fatalf("the genesis has nobody with ten coins: %v", err)
	}
	if err := run(); err == nil || err.ExitCode() != 9 || len(report.Findings) != 2 {
		t.Errorf("with another genesis the audit says %v, %s", err, report.Findings)
	}
}

// The lie of round 2 was brought down in a dispute, which a person can read while the network runs.
func disputes(t *testing.T, dir string) {
	t.Helper()
	out, err := exec.Command(binary, "dispute", "list", "--network", dir, "--json").Output()
	var list struct {
		Schema string
		List   []struct {
			ID, Verdict string
			Round       uint32
			Moves       int
			Proven      bool
		}
	}
	if failed := json.Unmarshal(out, &list); failed != nil || err != nil {
		t.Fatalf("%v, %v\n%s", failed, err, out)
	}
	if len(list.List) != 1 || list.Schema != "mutirao.disputes/v1" {
		t.Fatalf("disputes: %s", out)
	}
	d := list.List[0]
	if d.Verdict != "refuted" || !d.Proven || d.Round != 2 || d.Moves < 5 {
		t.Errorf("the dispute: %+v", d)
	}
	out, err = exec.Command(binary, "dispute", "explain", d.ID[:10], "--network", dir).Output()
	if err != nil || bytes.Count(out, []byte("\n  ")) < d.Moves || !bytes.Contains(out, []byte("says that all states are right and the payload is wrong")) {
		t.Errorf("%v\n%s", err, out)
	}
}

// credits asks the running network what a provider has, how that came about, and why one unit was paid as it was.
func credits(t *testing.T, dir string) {
	t.Helper()
	ask := func(into any, args ...string) []byte {
		t.Helper()
		out, err := exec.Command(binary, append(append([]string{"credits"}, args...), "--network", dir, "--dir", filepath.Join(dir, "p1"))...).Output()
		if err == nil && into != nil {
			err = json.Unmarshal(out, into)
		}
		if err != nil {
			t.Fatalf("credits %v: %v\n%s", args, err, out)
		}
		return out
	}
	type item struct{ Kind, Amount string }
	var now struct {
		Schema, Spendable, Together string
		Locked, Owed                []item
	}
	ask(&now, "--json")
	together, bonds, kept := integer(t, now.Spendable), 0, 0
	for _, i := range append(now.Locked, now.Owed...) {
		together.Add(together, integer(t, i.Amount))
		if i.Kind == "kept-pay" {
			kept++
		}
		if i.Kind == "bond" && i.Amount == "50000000000000000000" {
			bonds++
		}
	}
	if now.Schema != "mutirao.credits/v1" || bonds != 1 || kept != 1 || together.String() != now.Together {
		t.Errorf("p1 has %+v", now)
	}
	var all, page struct {
		Schema, Began, Next string
		List                []struct {
			ID, Amount, Why, Balance string
			In                       bool
		}
	}
	ask(&all, "history", "--json", "--limit", "0")
	balance, paid := integer(t, all.Began), ""
	for _, m := range all.List {
		if m.In {
			balance.Add(balance, integer(t, m.Amount))
		} else {
			balance.Sub(balance, integer(t, m.Amount))
		}
		if m.Why == "unit" && m.In {
			paid = m.ID
		}
	}
	if n := len(all.List); n < 6 || all.Next != "" || balance.String() != all.List[n-1].Balance {
		t.Fatalf("the history ends at %s: %+v", balance, all)
	}
	if ask(&page, "history", "--json", "--limit", "2", "--after", all.List[1].ID); len(page.List) != 2 || page.List[0].ID != all.List[2].ID || page.Next != all.List[3].ID {
		t.Errorf("a page of the history: %+v", page)
	}
	words := ask(nil, "explain", paid)
	for _, part := range []string{"received nothing", "which is 0.765 MUT", "kept back for 4 rounds", "Its price is 0.9 MUT, at which the member was hired through the market", "8500 of 10,000", "0.045 MUT are burned"} {
		if !bytes.Contains(words, []byte(part)) {
			t.Errorf("%s is explained without %q: %s", paid, part, words)
		}
	}
}

func integer(t *testing.T, digits string) *big.Int {
	t.Helper()
	n, ok := new(big.Int).SetString(digits, 10)
	if !ok {
		t.Fatalf("%q is no number", digits)
	}
	return n
}

// waitForRound waits until the demo's notes mention a closed round.
func waitForRound(t *testing.T, dir string, round int, stderr *bytes.Buffer) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		raw, err := os.ReadFile(filepath.Join(dir, "demo.json"))
		if err != nil {
			continue
		}
		var notes struct {
			Rounds []json.RawMessage `json:"rounds"`
		}
		if json.Unmarshal(raw, &notes) == nil && len(notes.Rounds) >= round {
			return
		}
	}
	t.Fatalf("round %d did not close\n%s", round, stderr)
}

// providers counts running processes that have a folder of this demo on their command line.
func providers(t *testing.T, dir string) (n int) {
	t.Helper()
	out, err := exec.Command("ps", "-eo", "args").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, " join ") && strings.Contains(line, dir) {
			n++
		}
	}
	return n
}
