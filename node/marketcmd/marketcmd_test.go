package marketcmd

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/mutirao/mutirao/node/running"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/market/auction"
)

func TestTextReadsBack(t *testing.T) {
	for _, text := range []string{"cpu/eu/audited/0", "gpu-l4/br south/replicated/3"} {
		c, err := ParseClass(text)
		if err != nil || ClassText(c) != text {
			t.Errorf("%q became %q: %v", text, ClassText(c), err)
		}
	}
	for _, bad := range []string{"", "cpu", "cpu/eu/audited", "cpu/eu/audited/4", "cpu/eu/best/0", "/eu/audited/0", "cpu/eu/audited/0/1", "cpu/eu/audited/-1"} {
		if c, err := ParseClass(bad); err == nil {
			t.Errorf("%q is %+v", bad, c)
		}
	}
	for text, want := range map[string]auction.Price{"0.25": 250_000_000, "1 MUT": 1_000_000_000, "0": 0, "0.000000001": 1, "4000000000 amut": 4} {
		if p, err := ParsePrice(text); err != nil || p != want {
			t.Errorf("%q is %d, %v", text, p, err)
		}
	}
	for _, bad := range []string{"", "x", "-1", "0.0000000001", "99999999", "5 amut"} {
		if p, err := ParsePrice(bad); err == nil {
			t.Errorf("%q is %d", bad, p)
		}
	}
	a, err := ParseAlternative("cpu/eu/audited/1:4@0.5")
	if err != nil || a.Units != 4 || a.Limit != 500_000_000 || a.Class.Tenor != 1 {
		t.Errorf("%+v, %v", a, err)
	}
	for _, bad := range []string{"cpu/eu/audited/1", "cpu/eu/audited/1:4", "cpu/eu/audited/1@4", "cpu/eu/audited/1:0@1", "cpu/eu/audited/1:4@x"} {
		if a, err := ParseAlternative(bad); err == nil {
			t.Errorf("%q is %+v", bad, a)
		}
	}
}

// What opens a bid survives the command, readable by its owner only.
func TestPendingBidsAreKept(t *testing.T) {
	m := &Market{dir: t.TempDir()}
	p := Pending{Schema: pendingSchema, Bid: protocol.Hash{1}, Batch: 7, Salt: protocol.Hash{2}, Terms: market.Terms{
		Tenors: 1, Alternatives: []market.Alternative{{Class: market.Class{Resource: "cpu", Region: "eu", Tier: market.Audited}, Units: 1, Limit: 5}},
	}}
	if err := m.keep(p); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(m.file(p))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
	list, err := m.Pending()
	if err != nil || len(list) != 1 || list[0].Salt != p.Salt || list[0].Terms.Alternatives[0] != p.Terms.Alternatives[0] {
		t.Errorf("%+v, %v", list, err)
	}
	if err := os.WriteFile(m.file(p), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Pending(); err == nil {
		t.Error("a damaged file was taken for a bid")
	}
}

func TestARunningNetworkIsFound(t *testing.T) {
	dir := t.TempDir()
	if _, err := running.Endpoints(dir); err == nil {
		t.Error("a network was found in an empty folder")
	}
	remove, err := running.Announce(dir, []string{"http://127.0.0.1:1"}, "http://127.0.0.1:2")
	if err != nil {
		t.Fatal(err)
	}
	if list, err := running.Endpoints(dir); err != nil || len(list) != 1 || list[0] != "http://127.0.0.1:1" {
		t.Errorf("%v, %v", list, err)
	}
	remove()
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 0 {
		t.Errorf("%v are left", left)
	}
	if list, err := running.Endpoints("http://h:1"); err != nil || list[0] != "http://h:1" {
		t.Errorf("%v, %v", list, err)
	}
	if _, err := running.Endpoints(""); err == nil {
		t.Error("no name is a network")
	}
}
