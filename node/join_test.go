package node

import (
	"reflect"
	"testing"

	"github.com/mutirao/mutirao/agent/provider"
)

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
