package commons

import (
	"errors"
	"testing"

	"github.com/mutirao/mutirao/protocol"
)

func TestNewcomersAreCapped(t *testing.T) {
	p := params
	p.Newcomers, p.FreeTxs = 2, 3
	var n Newcomers
	var err error
	run := protocol.Hash{5}
	first := Newcomer{}
	if n, first, err = n.Admit(first, run, p, at(5)); err != nil || first.Run != run {
		t.Fatal(err)
	}
	if _, _, err = n.Admit(first, protocol.Hash{6}, p, at(500)); !errors.Is(err, protocol.ErrExists) {
		t.Errorf("twice: %v", err)
	}
	if n, _, err = n.Admit(Newcomer{}, run, p, at(6)); err != nil {
		t.Fatal(err)
	}
	if _, _, err = n.Admit(Newcomer{}, run, p, at(99)); !errors.Is(err, protocol.ErrFull) {
		t.Errorf("a third in one epoch: %v", err)
	}
	if _, _, err = n.Admit(Newcomer{}, run, p, at(100)); err != nil {
		t.Errorf("in the next epoch: %v", err)
	}
	free := 0
	for ok := true; ok; free++ {
		first, ok = first.Waive(p)
	}
	if free-1 != 3 {
		t.Errorf("%d fees were waived", free-1)
	}
}
