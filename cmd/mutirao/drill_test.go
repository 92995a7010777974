package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var drills = flag.Bool("drills", false, "run the drills, which take minutes")

func drill(t *testing.T) {
	t.Helper()
	if !*drills {
		t.Skip("make drills")
	}
}

// setting changes lines of a node's configuration; it must not run.
func (o *operator) setting(lines ...string) {
	o.t.Helper()
	file := filepath.Join(o.home, "validator.toml")
	raw, err := os.ReadFile(file)
	if err != nil {
		o.t.Fatal(err)
	}
	kept := strings.Split(string(raw), "\n")
	for _, line := range lines {
		key, _, _ := strings.Cut(line, " = ")
		found := false
		for i := range kept {
			if strings.HasPrefix(kept[i], key+" = ") {
				kept[i], found = line, true
			}
		}
		if !found {
			o.t.Fatalf("%s has no key %s", file, key)
		}
	}
	if err := os.WriteFile(file, []byte(strings.Join(kept, "\n")), 0o600); err != nil {
		o.t.Fatal(err)
	}
}

// until waits for a condition, at most so long.
func until(t *testing.T, what string, most time.Duration, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(most); !ok(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %s", what, most)
		}
	}
}

// refused runs the program, which must end with an exit code, and returns what it said.
func refused(t *testing.T, code int, args ...string) string {
	t.Helper()
	out, err := exec.Command(binary, args...).CombinedOutput()
	if got := exitCode(err); got != code {
		t.Fatalf("mutirao %s: exit code %d, want %d\n%s", strings.Join(args, " "), got, code, out)
	}
	return string(out)
}

// ended waits until the node's process has ended by itself, with an exit code.
func (o *operator) ended(code int, most time.Duration) string {
	o.t.Helper()
	done := make(chan error, 1)
	cmd := o.cmd
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		o.cmd = nil
		if got := exitCode(err); got != code {
			o.t.Fatalf("%s ended with code %d, want %d\n%s", o.home, got, code, o.out)
		}
	case <-time.After(most):
		o.t.Fatalf("%s runs after %s", o.home, most)
	}
	return o.out.String()
}

// mut is a number of MUT in amut.
func mut(n int64) string {
	return new(big.Int).Mul(big.NewInt(n), big.NewInt(1_000_000_000_000_000_000)).String()
}

// One validator is away until it is jailed, and comes back; another signs with two nodes, after the program refused to, and never comes back. All
// of it is in the books, and so is the pay of those who worked.
func TestDrillPunishments(t *testing.T) {
	drill(t)
	dir := t.TempDir()
	// v3 and a copy of it must not meet: the second node with a key is not let in by a peer that the first is connected to.
	all := fourOperators(t, dir, func(o *operator, others []*operator) {
		peers := []string{}
		for i, p := range others {
			if len(others) == 2 && i > 0 {
				break // v3 knows v1 alone
			}
			if len(others) == 3 && i == 2 {
				break // v4 does not know v3
			}
			peers = append(peers, "'"+p.peer+"'")
		}
		o.setting("exchange = false", "peers = ["+strings.Join(peers, ", ")+"]")
	}, "--set", "slashing.window_blocks=40", "--set", "slashing.jail_seconds=8", "--set", "slashing.downtime_ppm=10000")
	jailed(t, all)
	doubled(t, dir, all)
	paid(t, all)
	command(t, "ledger", "audit", "--rpc", all[0].rpc)
}

// jailed: v4 is away, is set aside, and unjails itself with the command that its status names.
func jailed(t *testing.T, all []*operator) {
	t.Helper()
	away := all[3]
	all[0].reach(away.sync().Height + 5)
	away.kill()
	all[0].reach(all[0].sync().Height + 45)
	away.start()
	away.reach(all[0].sync().Height)
	s := away.status()
	if s.Reason != "jailed" || s.Validator == nil || !s.Validator.Jailed || s.Validator.Power != 0 || s.Validator.Stake != mut(990) {
		t.Fatalf("after 45 blocks of absence: %+v %+v", s, s.Validator)
	}
	next, when, _ := strings.Cut(s.Next, "   ")
	if next != "mutirao validator unjail --home "+away.home || !strings.Contains(when, "from ") {
		t.Fatalf("the next step is %q", s.Next)
	}
	if out, err := exec.Command(binary, strings.Fields(next)[1:]...).CombinedOutput(); err != nil && !strings.Contains(string(out), "jailed until") {
		t.Errorf("too early: %v\n%s", err, out)
	}
	until(t, "unjail", 30*time.Second, func() bool {
		_, err := exec.Command(binary, strings.Fields(next)[1:]...).CombinedOutput()
		return err == nil || away.status().Reason == "ok"
	})
	until(t, "v4 votes", 20*time.Second, func() bool { return away.status().Validator.Power == 990 })
	from := all[0].sync().Height
	all[0].reach(from + 8)
	if signed := all[0].signatures(from+3, away.address()) + all[0].signatures(from+4, away.address()) + all[0].signatures(from+5, away.address()); signed == 0 {
		t.Errorf("v4 signed none of blocks %d to %d", from+3, from+5)
	}
	if s := away.status(); s.Reason != "ok" {
		t.Errorf("back: %+v", s)
	}
	refused(t, 3, "validator", "unjail", "--home", away.home)
}

// address is that of the node's key.
func (o *operator) address() string {
	o.t.Helper()
	var s struct {
		Info struct{ Address string } `json:"validator_info"`
	}
	if err := o.get("/status", &s); err != nil {
		o.t.Fatal(err)
	}
	return s.Info.Address
}

// signatures counts those of an address in the commit of a block.
func (o *operator) signatures(height int64, address string) (n int) {
	o.t.Helper()
	var c struct {
		Signed struct {
			Commit struct {
				Signatures []struct {
					Flag    int    `json:"block_id_flag"`
					Address string `json:"validator_address"`
				}
			}
		} `json:"signed_header"`
	}
	if err := o.get(fmt.Sprintf("/commit?height=%d", height), &c); err != nil {
		o.t.Fatal(err)
	}
	for _, s := range c.Signed.Commit.Signatures {
		if s.Address == address && s.Flag == 2 {
			n++
		}
	}
	return n
}

// doubled: v3's folder is copied. The copy refuses to sign; when its operator insists, both sign, and the evidence ends v3.
func doubled(t *testing.T, dir string, all []*operator) {
	t.Helper()
	victim := all[2]
	victim.kill()
	twin := &operator{t: t, home: filepath.Join(dir, "twin"), binary: binary}
	t.Cleanup(twin.kill)
	if err := os.CopyFS(twin.home, os.DirFS(victim.home)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(twin.home, "key"), 0o600); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	victim.start()
	victim.reach(all[0].sync().Height + 3)
	ports := freePorts(t, 3)
	twin.rpc = "http://" + ports[1]
	twin.setting("p2p = '"+ports[0]+"'", "rpc = '"+ports[1]+"'", "metrics = '"+ports[2]+"'", "peers = ['"+all[1].peer+"', '"+all[3].peer+"']")
	twin.start()
	said := twin.ended(4, time.Minute)
	if !strings.Contains(said, "the node stopped before it signed") || !strings.Contains(said, "--take-over") {
		t.Errorf("the copy said:\n%s", said)
	}
	if s := victim.status(); s.Reason != "ok" || s.Validator.Tombstoned {
		t.Fatalf("after the copy refused: %+v", s)
	}
	twin.start("--take-over")
	until(t, "evidence against v3", 3*time.Minute, func() bool { return victim.status().Reason == "tombstoned" })
	twin.kill()
	s := victim.status()
	if s.Validator.Stake != mut(950) || s.Validator.Power != 0 || !s.Validator.Jailed {
		t.Errorf("who signed twice has %+v, not 950 MUT", s.Validator)
	}
	if out := refused(t, 4, "validator", "unjail", "--home", victim.home); !strings.Contains(out, "two blocks at one height") {
		t.Errorf("unjail said:\n%s", out)
	}
	at := all[0].sync().Height
	all[0].reach(at + 3)
	if a, b := all[0].appHash(at+2), all[1].appHash(at+2); a != b {
		t.Errorf("app hash of block %d is %s and %s", at+2, a, b)
	}
}

// paid: after the end of an epoch everybody's stake has earned, and the history of the account names it.
func paid(t *testing.T, all []*operator) {
	t.Helper()
	all[0].reach((all[0].sync().Height/100 + 1) * 100)
	all[0].reach(all[0].sync().Height + 4)
	all[1].reach(all[0].sync().Height)
	s := all[1].status()
	if zero := map[string]bool{"": true, "0": true}; zero[s.Validator.Rewards.Stake] || zero[s.Validator.Rewards.Paid] {
		t.Errorf("v2 has earned %+v", s.Validator.Rewards)
	}
	var history struct {
		List []struct{ Why, Amount string }
	}
	if err := json.Unmarshal(command(t, "credits", "history", "--network", all[1].home, "--account", s.Account, "--json"), &history); err != nil {
		t.Fatal(err)
	}
	sum := new(big.Int)
	for _, m := range history.List {
		if m.Why == "earned by stake" {
			amount, _ := new(big.Int).SetString(m.Amount, 10)
			sum.Add(sum, amount)
		}
	}
	if sum.String() != s.Validator.Rewards.Paid {
		t.Errorf("the history adds up to %s, the status says %+v", sum, s.Validator.Rewards)
	}
}

// Four nodes keep old states in four ways, are killed, and go on with one state. One that keeps little cannot prove old states, and says so;
// a new node takes its state from two that have pruned.
func TestDrillPruning(t *testing.T) {
	drill(t)
	dir := t.TempDir()
	modes := map[string][]string{"v2": {"pruning = 'default'"}, "v3": {"pruning = 'everything'"}, "v4": {"pruning = '10:10'", "retain_blocks = 15"}}
	all := fourOperators(t, dir, func(o *operator, _ []*operator) {
		o.setting(modes[filepath.Base(o.home)]...)
	}, "--set", "evidence.age_blocks=20")
	all[0].reach(90)
	for _, o := range all {
		o.kill()
	}
	for _, o := range all {
		o.start()
	}
	for _, o := range all {
		o.reach(130)
	}
	sameStates(t, all, 100, 125)

	who := all[0].status().Account
	command(t, "proof", "balance", who, "--network", all[0].home, "--height", "10")
	for _, o := range all[2:] {
		out := refused(t, 3, "proof", "balance", who, "--network", o.home, "--height", "10")
		if !strings.Contains(out, "pruned") || strings.Count(strings.TrimSpace(out), "\n") != 2 {
			t.Errorf("%s said of a state that is gone:\n%s", filepath.Base(o.home), out)
		}
	}
	var status struct {
		Sync struct {
			Earliest int64 `json:"earliest_block_height,string"`
		} `json:"sync_info"`
	}
	if err := all[3].get("/status", &status); err != nil || status.Sync.Earliest < 30 {
		t.Errorf("v4 has blocks from %d on: %v", status.Sync.Earliest, err)
	}
	if out := refused(t, 3, "ledger", "audit", "--rpc", all[3].rpc); !strings.Contains(out, "retain_blocks") {
		t.Errorf("an audit without old blocks said:\n%s", out)
	}

	from := all[3].status()
	o := newOperator(t, dir, "v5", "join", "--network", all[3].home, "--peer", all[2].peer, "--peer", all[3].peer, "--trust-height", fmt.Sprint(from.Height), "--trust-hash", from.Hash)
	o.setting("exchange = false")
	o.start()
	o.reach(from.Height + 5)
	at := o.sync().Height
	all[0].reach(at)
	if a, b := o.appHash(at), all[0].appHash(at); a != b {
		t.Errorf("app hash of block %d is %s after a snapshot of pruned nodes and %s", at, a, b)
	}
	o.kill()
	o.start()
	o.reach(at + 3)
}

// sameStates compares some blocks, which all nodes must have.
func sameStates(t *testing.T, all []*operator, from, to int64) {
	t.Helper()
	for h := from; h <= to; h++ {
		want := all[0].appHash(h)
		for _, o := range all[1:] {
			if got := o.appHash(h); got != want {
				t.Fatalf("app hash of block %d is %s on %s and %s on v1", h, got, o.home, want)
			}
		}
	}
}

// Four nodes vote for an upgrade. Each process of the program that lacks it ends before its height and says so; the program that has it
// goes on from the same folders with the new rule, and does not run before.
func TestDrillUpgrade(t *testing.T) {
	drill(t)
	dir := t.TempDir()
	newer := filepath.Join(dir, "newer")
	if out, err := exec.Command("go", "build", "-tags", "upgrade_drill", "-o", newer, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	all := fourOperators(t, dir, nil, "--voting", "4s")
	at := all[0].sync().Height + 60
	file := filepath.Join(dir, "p.json")
	text := fmt.Sprintf(`{"title": "dearer", "summary": "gas costs more", "deposit": "100", "upgrade": {"name": "drill", "height": %d, "info": "build with -tags upgrade_drill"}}`, at)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	id := strings.TrimSpace(string(command(t, "proposal", "submit", file, "--dir", all[0].home)))
	for _, o := range all[:3] {
		command(t, "proposal", "vote", id, "yes", "--dir", o.home)
	}
	until(t, "the proposal passes", time.Minute, func() bool {
		return bytes.Contains(command(t, "proposal", "list", "--dir", all[0].home, "--json"), []byte(`"passed"`))
	})
	all[3].kill()
	all[3].binary = newer // too early
	all[3].start()
	if said := all[3].ended(1, time.Minute); !strings.Contains(said, "too new") {
		t.Errorf("a program that is too new said:\n%s", said)
	}
	all[3].binary = binary
	all[3].start()
	for _, o := range all {
		said := o.ended(1, 2*time.Minute)
		if !strings.Contains(said, `upgrade "drill"`) || !strings.Contains(said, fmt.Sprintf("before block %d", at)) {
			t.Errorf("%s said:\n%s", filepath.Base(o.home), said)
		}
	}
	for _, o := range all {
		o.binary = newer
		o.start()
	}
	for _, o := range all {
		o.reach(at + 3)
	}
	sameEverywhere(t, all)
	if !bytes.Contains(command(t, "proposal", "numbers", "--dir", all[0].home, "--json"), []byte(`"feemarket.min_gas_price","value":5000`)) {
		t.Error("the new rule does not hold")
	}
	all[1].kill() // it goes on as any other
	all[1].start()
	all[1].reach(at + 8)
}
