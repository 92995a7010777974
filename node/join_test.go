package node

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/mutirao/mutirao/agent/provider"
	"github.com/mutirao/mutirao/node/event"
	"github.com/mutirao/mutirao/node/invite"
)

// TestJoinRefusesAnotherNetwork: what this version signs counts on one network only.
func TestJoinRefusesAnotherNetwork(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lend")
	v := invite.Invite{Chain: "mutirao-2", Ledger: []string{"http://127.0.0.1:1"}}
	err := join(t.Context(), v.String(), joinOptions{dir: dir}, event.NewWriter(io.Discard, true))
	if !errors.Is(err, errChain) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("a key was made for it")
	}
}

func TestParseDrill(t *testing.T) {
	for text, want := range map[string]provider.Drill{
		"": nil, "copy": provider.Copier{}, "lie:2": provider.Liar{Round: 2}, "slow:3": provider.Slow{Round: 3, Delay: slowDelay},
	} {
		if got, err := parseDrill(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"lie", "lie:0", "lie:x", "steal", "slow:"} {
		if d, err := parseDrill(text); err == nil {
			t.Errorf("%q was accepted as %v", text, d)
		}
	}
}

func TestParseShare(t *testing.T) {
	for text, want := range map[string]uint32{"": 0, "100": 1_000_000, "100%": 1_000_000, "2.5": 25_000, "0.0001": 1, "3.1415%": 31_415} {
		if got, err := parseShare(text); err != nil || got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"0", "101", "100.0001", "-1", "+1", "1e2", "1.", ".5", "0.00001", "all", "1000", "%"} {
		if got, err := parseShare(text); err == nil {
			t.Errorf("%q was accepted as %d", text, got)
		}
	}
}
