package lightproof

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The files of testdata are of one real network. Who trusts block 2 of it can check the balance in the state after block 9.
const (
	second = "8B38BCF391A93319B720107777C8C8FCC4DEB934E84B7A6D15C6CA286F54C0FC"
	tenth  = "247B0A51383DC153699FFBCFF4CB95A4968B5CA281AE17AC356A5752D8BBC099"
)

var made = time.Date(2026, 11, 29, 18, 21, 11, 0, time.UTC)

func read(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func trusts(t testing.TB, height int64, hash string) Trust {
	t.Helper()
	h, err := ParseHash(hash)
	if err != nil {
		t.Fatal(err)
	}
	return Trust{Height: height, Hash: h, Now: made.Add(time.Hour)}
}

func parse(t testing.TB, raw []byte) *Proof {
	t.Helper()
	p, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestProofs(t *testing.T) {
	f, err := parse(t, read(t, "balance.json")).Verify(trusts(t, 2, second))
	if err != nil || !f.Exists || string(f.Value) != "10000000000000000000000" || f.Height != 9 {
		t.Errorf("balance %+v: %v", f, err)
	}
	f, err = parse(t, read(t, "absent.json")).Verify(trusts(t, 10, tenth))
	if err != nil || f.Exists {
		t.Errorf("absent %+v: %v", f, err)
	}
}

func TestWhatIsNotProven(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Proof)
		trust  func(*Trust)
		want   error
	}{
		"more coins":          {func(p *Proof) { p.Value = append(p.Value, '0') }, nil, ErrProof},
		"nothing there":       {func(p *Proof) { p.Value = nil }, nil, ErrProof},
		"somebody else":       {func(p *Proof) { p.Subject.ID = "0x0000000000000000000000000000000000000009" }, nil, ErrProof},
		"a model":             {func(p *Proof) { p.Subject = Subject{Kind: Model, ID: strings.ToLower(second)} }, nil, ErrProof},
		"no kind":             {func(p *Proof) { p.Subject.Kind = "" }, nil, ErrForm},
		"another chain":       {func(p *Proof) { p.Chain = "mutirao-2" }, nil, ErrForm},
		"another height":      {func(p *Proof) { p.Height++ }, nil, ErrForm},
		"without the last":    {func(p *Proof) { p.Headers = p.Headers[:1] }, nil, ErrForm},
		"without the trusted": {func(p *Proof) { p.Headers = p.Headers[1:] }, nil, ErrTrust},
		"one step":            {func(p *Proof) { p.Ops = p.Ops[:len(p.Ops)/2] }, nil, ErrForm},
		"another hash":        {nil, func(t *Trust) { t.Hash[0]++ }, ErrTrust},
		"a later block":       {nil, func(t *Trust) { t.Height++ }, ErrTrust},
		"long ago":            {nil, func(t *Trust) { t.Now = made.Add(DefaultPeriod + time.Hour) }, ErrExpired},
		"from the future":     {nil, func(t *Trust) { t.Now = made.Add(-time.Hour) }, ErrTrust},
	} {
		p, trust := parse(t, read(t, "balance.json")), trusts(t, 2, second)
		if c.change != nil {
			c.change(p)
		}
		if c.trust != nil {
			c.trust(&trust)
		}
		if _, err := p.Verify(trust); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// A file of which any byte was changed proves nothing.
func TestEveryChangedByte(t *testing.T) {
	file := read(t, "balance.json")
	trust := trusts(t, 2, second)
	for at := range file {
		for _, flip := range []byte{1, 0x20, 0x80} {
			file[at] ^= flip
			if p, err := Parse(file); err == nil {
				if f, err := p.Verify(trust); err == nil {
					t.Errorf("byte %d ^ %#x: proves %+v", at, flip, f)
				}
			}
			file[at] ^= flip
		}
	}
	for _, cut := range []int{1, len(file) / 2, len(file) - 1} {
		if _, err := Parse(file[:cut]); !errors.Is(err, ErrForm) {
			t.Errorf("the first %d bytes: %v", cut, err)
		}
	}
	if _, err := Parse(append(file, ' ')); !errors.Is(err, ErrForm) {
		t.Errorf("with a byte more: %v", err)
	}
}

// Who writes the file anew with any bit changed proves the same or nothing.
func TestEveryFlippedByte(t *testing.T) {
	p := parse(t, read(t, "balance.json"))
	trust := trusts(t, 2, second)
	parts := append([][]byte{p.Value, p.Ops}, p.Headers...)
	for i, part := range parts {
		for at := range part {
			part[at] ^= 1 << (at % 8)
			if f, err := p.Verify(trust); err == nil && string(f.Value) != "10000000000000000000000" {
				t.Errorf("part %d, byte %d: proves %s", i, at, f.Value)
			}
			part[at] ^= 1 << (at % 8)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(read(f, "balance.json"))
	f.Add(read(f, "absent.json"))
	f.Add([]byte(`{"schema":"mutirao.proof/v1","height":1,"headers":["AA=="]}`))
	trust := trusts(f, 2, second)
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := Parse(raw)
		if err != nil {
			return
		}
		fact, err := p.Verify(trust)
		if err != nil {
			return
		}
		if fact.Subject != (Subject{Kind: Balance, ID: "0xfaff9e285ac8efb59f1ec59437bdf07041afb186"}) || string(fact.Value) != "10000000000000000000000" {
			// A file may hold more headers of the same network than we know, but only what validators signed.
			t.Errorf("proves %+v %s", fact, fact.Value)
		}
		if _, err := json.Marshal(fact); err != nil {
			t.Error(err)
		}
	})
}

// People who run no node have no C compiler either.
func TestBuildsWithoutC(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "-f", "{{if .CgoFiles}}{{.ImportPath}}{{end}}{{if .Error}}{{.Error}}{{end}}", ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("%v: %s", err, out)
	}
	deps, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, heavy := range []string{"github.com/mutirao/mutirao/chain/app", "github.com/ethereum/go-ethereum", "github.com/cosmos/evm"} {
		if slices.ContainsFunc(strings.Fields(string(deps)), func(p string) bool { return p == heavy || strings.HasPrefix(p, heavy+"/") }) {
			t.Errorf("reaches %s", heavy)
		}
	}
}
