package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var (
	kills = flag.Int("kills", 2, "how often TestOperate kills a validator")
	dice  = flag.Int64("dice", 1, "seed of the moments at which it does")
)

// loaded says whether transactions flow while validators are killed: not in the short form of the test.
func loaded() bool { return *kills > 2 }

// operator is a node that a person runs with the program.
type operator struct {
	t       *testing.T
	home    string
	rpc     string // URL
	jsonRPC string // URL; empty for none
	peer    string // how others connect to it
	binary  string
	cmd     *exec.Cmd
	out     *bytes.Buffer
}

// freePorts are loopback addresses that nobody used a moment ago.
func freePorts(t *testing.T, n int) []string {
	t.Helper()
	var list []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		list = append(list, l.Addr().String())
	}
	return list
}

// command runs the program to its end; a failure fails the test.
func command(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(binary, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("mutirao %s: %v\n%s%s", strings.Join(args, " "), err, out, &stderr)
	}
	return out
}

// newOperator makes a folder with init or join.
func newOperator(t *testing.T, dir, name, verb string, args ...string) *operator {
	t.Helper()
	ports := freePorts(t, 4)
	o := &operator{t: t, home: filepath.Join(dir, name), rpc: "http://" + ports[1], binary: binary}
	o.jsonRPC, args = "http://"+ports[3], append(args, "--json-rpc", ports[3])
	var made struct{ Peer string }
	out := command(t, append([]string{"validator", verb, "--json", "--home", o.home, "--moniker", name, "--p2p", ports[0], "--rpc", ports[1], "--metrics", ports[2],
		"--block-time", "150ms", "--snapshot-every", "20"}, args...)...)
	if err := json.Unmarshal(out, &made); err != nil {
		t.Fatal(err)
	}
	o.peer = made.Peer
	t.Cleanup(o.kill)
	return o
}

func (o *operator) start(args ...string) {
	o.t.Helper()
	o.out = &bytes.Buffer{}
	o.cmd = exec.Command(o.binary, append([]string{"validator", "start", "--home", o.home}, args...)...)
	o.cmd.Stderr = o.out
	if err := o.cmd.Start(); err != nil {
		o.t.Fatal(err)
	}
}

func (o *operator) kill() {
	if o.cmd != nil {
		o.cmd.Process.Kill()
		o.cmd.Wait()
		o.cmd = nil
	}
}

// get asks the node's RPC.
func (o *operator) get(path string, out any) error {
	r, err := (&http.Client{Timeout: 5 * time.Second}).Get(o.rpc + path)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	var answer struct {
		Result json.RawMessage
		Error  json.RawMessage
	}
	if err := json.NewDecoder(r.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Error != nil {
		return fmt.Errorf("%s", answer.Error)
	}
	return json.Unmarshal(answer.Result, out)
}

type syncInfo struct {
	Height  int64  `json:"latest_block_height,string"`
	Hash    string `json:"latest_block_hash"`
	Catches bool   `json:"catching_up"`
}

// height is that of the node's last block, or 0 if it does not answer.
func (o *operator) sync() syncInfo {
	var s struct {
		Sync syncInfo `json:"sync_info"`
	}
	if o.get("/status", &s) != nil {
		return syncInfo{}
	}
	return s.Sync
}

// reach waits until the node follows the chain at a height or higher.
func (o *operator) reach(height int64) {
	o.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if s := o.sync(); s.Height >= height && !s.Catches {
			return
		}
		if time.Now().After(deadline) {
			o.t.Fatalf("%s is at %+v after two minutes, not at %d\n%s", filepath.Base(o.home), o.sync(), height, o.out)
		}
	}
}

// appHash is the state's hash in the header at a height.
func (o *operator) appHash(height int64) string {
	o.t.Helper()
	var c struct {
		Signed struct {
			Header struct {
				App string `json:"app_hash"`
			}
		} `json:"signed_header"`
	}
	if err := o.get(fmt.Sprintf("/commit?height=%d", height), &c); err != nil {
		o.t.Fatal(err)
	}
	return c.Signed.Header.App
}

// status is what `validator status --json` says.
func (o *operator) status() (s struct {
	Schema, Account, Reason, Next, Balance string
	Height                                 int64
	Hash                                   string
	Peers                                  []string
	Validator                              *struct {
		Power              int64
		Stake              string
		Jailed, Tombstoned bool
		Missed             int64 `json:"missed_blocks"`
		Rewards            struct{ Stake, Paid, Due string }
	}
	Beacon *struct {
		Value    string
		Proposed int64
		Revealed bool
	}
}) {
	o.t.Helper()
	if err := json.Unmarshal(command(o.t, "validator", "status", "--home", o.home, "--json"), &s); err != nil {
		o.t.Fatal(err)
	}
	return s
}

// fourOperators make a network whose first member begins it with args. edit may change a folder before its node starts.
func fourOperators(t *testing.T, dir string, edit func(o *operator, others []*operator), args ...string) []*operator {
	t.Helper()
	first := newOperator(t, dir, "v1", "init", append([]string{"--stake", "1000"}, args...)...)
	begin := func(o *operator, others []*operator) {
		if edit != nil {
			edit(o, others)
		}
		o.start()
	}
	begin(first, nil)
	first.reach(1)
	all := []*operator{first}
	for _, name := range []string{"v2", "v3", "v4"} {
		o := newOperator(t, dir, name, "join", "--network", first.home)
		begin(o, all)
		all = append(all, o)
	}
	for _, o := range all[1:] {
		o.reach(2)
		command(t, "validator", "send", o.status().Account, "1001", "--home", first.home)
		o.reach(first.sync().Height) // until then its own node knows no such account
		command(t, "validator", "join", "--stake", "1000", "--home", o.home)
	}
	return all
}

// A network of four that people made with the program: it is governed, killed, halted and resumed.
func TestOperate(t *testing.T) {
	dir := t.TempDir()
	all := fourOperators(t, dir, nil, "--voting", "4s", "--change-delay", "3")
	for _, o := range all {
		if s := o.status(); s.Schema != "mutirao.validator-status/v1" || s.Reason != "ok" || s.Validator == nil || s.Validator.Power != 1000 || len(s.Peers) == 0 {
			t.Errorf("%s: %+v", o.home, s)
		}
	}
	for _, o := range all {
		onlyLoopback(t, o.cmd.Process.Pid, true)
		misled(t, o.rpc+"/status")
	}
	limits(t, all[1].jsonRPC)
	misled(t, all[1].jsonRPC)
	governed(t, all)
	proofs(t, all)
	all[0].reach(22) // a snapshot is there
	synced(t, dir, all[0])
	stop := load(t, all)
	chaos(t, all)
	stop()
	halted(t, all)
	sameEverywhere(t, all)
	reveals(t, all)
	command(t, "ledger", "audit", "--rpc", all[1].rpc) // the books, with bonded stake and the deposit that came back
	exported(t, all)
}

// reveals reads that every one of the four adds to the beacon, after they were killed and halted too.
func reveals(t *testing.T, all []*operator) {
	t.Helper()
	all[0].reach(all[0].sync().Height + 4)
	for _, o := range all {
		if s := o.status(); s.Beacon == nil || len(s.Beacon.Value) != 64 || s.Beacon.Proposed == 0 || !s.Beacon.Revealed {
			t.Errorf("%s: beacon %+v", o.home, s.Beacon)
		}
	}
}

// proofs fetches a proof of a balance and checks it by a header of another node.
func proofs(t *testing.T, all []*operator) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "proof.json")
	who := all[1].status().Account
	proof := command(t, "proof", "balance", who, "--network", all[2].home, "--from", "3")
	check := func(want int, proof []byte, height, hash string) []byte {
		t.Helper()
		if err := os.WriteFile(file, proof, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(binary, "verify", "proof", file, "--height", height, "--hash", hash, "--json").Output()
		if code := exitCode(err); code != want {
			t.Errorf("exit code %d, want %d\n%s", code, want, out)
		}
		return out
	}
	trusted := all[0].hash(3)
	if out := check(0, proof, "3", trusted); !bytes.Contains(out, []byte(`"value":"`)) || !bytes.Contains(out, []byte(who)) {
		t.Errorf("proven: %s", out)
	}
	check(9, proof, "3", all[0].hash(4))
	check(9, proof, "4", all[0].hash(4))
	check(9, bytes.Replace(proof, []byte(who), []byte(all[2].status().Account), 1), "3", trusted)
}

// synced makes a node that takes the state from a snapshot.
func synced(t *testing.T, dir string, from *operator) {
	t.Helper()
	s := from.status()
	o := newOperator(t, dir, "v5", "join", "--network", from.home, "--trust-height", fmt.Sprint(s.Height), "--trust-hash", s.Hash)
	o.start()
	o.reach(s.Height + 2)
	var status struct {
		Sync struct {
			Earliest int64 `json:"earliest_block_height,string"`
		} `json:"sync_info"`
	}
	if err := o.get("/status", &status); err != nil || status.Sync.Earliest <= 1 {
		t.Errorf("the first block of the new node is %d: %v", status.Sync.Earliest, err)
	}
	height := o.sync().Height
	from.reach(height)
	if a, b := o.appHash(height), from.appHash(height); a != b {
		t.Errorf("app hash of block %d is %s after the snapshot and %s", height, a, b)
	}
	o.kill()
}

// exported stops the network and begins another from its state, with two of the four validators' keys and then a third.
func exported(t *testing.T, all []*operator) {
	t.Helper()
	for _, o := range all {
		o.kill()
	}
	command(t, "ledger", "audit", all[0].home)
	file := filepath.Join(t.TempDir(), "genesis.json")
	if err := os.WriteFile(file, command(t, "ledger", "export", "--home", all[0].home), 0o600); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		First int64 `json:"initial_height,string"`
	}
	raw, err := os.ReadFile(file)
	if err != nil || json.Unmarshal(raw, &doc) != nil || doc.First < 20 {
		t.Fatalf("%v: goes on at %d", err, doc.First)
	}
	dir := t.TempDir()
	var next []*operator
	for i, o := range all[:3] {
		ports := freePorts(t, 2)
		n := &operator{t: t, home: filepath.Join(dir, fmt.Sprint(i)), rpc: "http://" + ports[1], binary: binary}
		t.Cleanup(n.kill)
		key, err := os.ReadFile(filepath.Join(o.home, "key"))
		if err == nil {
			err = os.Mkdir(n.home, 0o700)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(n.home, "key"), key, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		var made struct{ Peer string }
		out := command(t, "ledger", "import", file, "--home", n.home, "--p2p", ports[0], "--rpc", ports[1], "--block-time", "150ms", "--json")
		if err := json.Unmarshal(out, &made); err != nil {
			t.Fatal(err)
		}
		for _, earlier := range next {
			earlier.connect(made.Peer)
		}
		next = append(next, n)
	}
	for _, n := range next {
		n.start()
	}
	for _, n := range next {
		n.reach(doc.First + 2)
	}
	for _, n := range next {
		if s := n.status(); s.Validator == nil || s.Validator.Power != 1000 || s.Reason != "ok" {
			t.Errorf("after the import: %+v", s)
		}
	}
	if a, b := next[0].appHash(doc.First+1), next[2].appHash(doc.First+1); a != b {
		t.Errorf("app hash of block %d is %s and %s", doc.First+1, a, b)
	}
	if !loaded() { // books that begin in the middle; those of models must begin with the model
		command(t, "ledger", "audit", "--rpc", next[1].rpc)
	}
	for _, n := range next {
		n.kill()
	}
	command(t, "ledger", "audit", next[0].home, "--before", all[0].home) // and books from the first block
}

// connect adds a peer to the node's configuration.
func (o *operator) connect(peer string) {
	o.t.Helper()
	name := filepath.Join(o.home, "validator.toml")
	raw, err := os.ReadFile(name)
	if err == nil {
		list := fmt.Sprintf("peers = ['%s'", peer)
		raw = bytes.Replace(raw, []byte("peers = ["), []byte(list+","), 1)
		raw = bytes.Replace(raw, []byte(",]"), []byte("]"), 1)
		err = os.WriteFile(name, raw, 0o600)
	}
	if err != nil {
		o.t.Fatal(err)
	}
}

// hash is that of the block at a height.
func (o *operator) hash(height int64) string {
	o.t.Helper()
	var b struct {
		ID struct{ Hash string } `json:"block_id"`
	}
	if err := o.get(fmt.Sprintf("/block?height=%d", height), &b); err != nil {
		o.t.Fatal(err)
	}
	return b.ID.Hash
}

// governed changes a number by vote.
func governed(t *testing.T, all []*operator) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "p.json")
	write := func(value int) {
		text := fmt.Sprintf(`{"title": "gas", "summary": "a test", "deposit": "100", "set": {"feemarket.min_gas_price": %d}}`, value)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(5000) // five times: more than a factor of two
	home := all[0].home
	out, err := exec.Command(binary, "proposal", "simulate", file, "--dir", home, "--json").Output()
	if code := exitCode(err); code != 9 || !bytes.Contains(out, []byte("a change may reach 500 to 2000")) {
		t.Errorf("exit code %d\n%s", code, out)
	}
	write(1500)
	var tried struct {
		Passes  bool
		Numbers []struct {
			Name        string
			From, Value uint64
		}
	}
	if err := json.Unmarshal(command(t, "proposal", "simulate", file, "--dir", home, "--json"), &tried); err != nil || !tried.Passes || len(tried.Numbers) != 1 || tried.Numbers[0].Value != 1500 {
		t.Errorf("%v: %+v", err, tried)
	}
	id := strings.TrimSpace(string(command(t, "proposal", "submit", file, "--dir", home)))
	for _, o := range all[:3] {
		command(t, "proposal", "vote", id, "yes", "--dir", o.home)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(300 * time.Millisecond) {
		if bytes.Contains(command(t, "proposal", "numbers", "--dir", home, "--json"), []byte(`"feemarket.min_gas_price","value":1500`)) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the number did not change\n%s", command(t, "proposal", "list", "--dir", home))
		}
	}
}

func exitCode(err error) int {
	if err == nil {
		return 0
	}
	if failed, ok := err.(*exec.ExitError); ok {
		return failed.ExitCode()
	}
	return -1
}

// halted stops two of four: no block is made, until one comes back.
func halted(t *testing.T, all []*operator) {
	t.Helper()
	all[2].kill()
	all[3].kill()
	// A block that was decided already may still be committed, and one of the two may still fetch what the other has.
	at, since := int64(0), time.Now()
	for deadline := time.Now().Add(time.Minute); time.Since(since) < 3*time.Second; time.Sleep(100 * time.Millisecond) {
		if now := all[0].sync().Height; now != at || now != all[1].sync().Height {
			at, since = now, time.Now()
		}
		if time.Now().After(deadline) {
			t.Fatalf("two of four make blocks, now %d", at)
		}
	}
	time.Sleep(3 * time.Second)
	if now := max(all[0].sync().Height, all[1].sync().Height); now != at {
		t.Errorf("two of four made blocks %d to %d", at, now)
	}
	all[2].start()
	all[0].reach(at + 3)
	all[3].start()
	all[3].reach(at + 3)
	if a, b := all[0].appHash(at+2), all[3].appHash(at+2); a != b {
		t.Errorf("app hash of block %d is %s and %s", at+2, a, b)
	}
}
