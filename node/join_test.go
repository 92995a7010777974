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
