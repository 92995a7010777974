package graph

import "testing"

// TestEveryOperatorHasAnEffort: a node without one would panic in a block.
func TestEveryOperatorHasAnEffort(t *testing.T) {
	for key := range operators {
		if efforts[key] == nil {
			t.Errorf("%s (domain %q) has no line in efforts", key.name, key.domain)
		}
	}
	for key := range efforts {
		if _, ok := operators[key]; !ok {
			t.Errorf("%s (domain %q) is no operator", key.name, key.domain)
		}
	}
}

func TestEffortSaturates(t *testing.T) {
	const most = 1<<64 - 1
	if times(1<<40, 1<<40) != most || plus(most, 1) != most || times(3, 4) != 12 || plus(3, 4) != 7 {
		t.Error("sums or products wrap around")
	}
}
