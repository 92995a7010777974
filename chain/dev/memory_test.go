package dev

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	dbm "github.com/cosmos/cosmos-db"
)

// TestMemoryEqualsMemDB drives both databases with the same random writes and compares every walk; a snapshot of before is
// not touched by them.
func TestMemoryEqualsMemDB(t *testing.T) {
	ours, want := newMemory(), dbm.NewMemDB()
	random := rand.New(rand.NewPCG(1, 2))
	key := func() []byte { return fmt.Appendf(nil, "%03d", random.IntN(200)) }
	var before, frozen []string
	kept := ours.snapshot()
	for round := range 40 {
		for range 50 {
			k, v := key(), key()
			if random.IntN(3) == 0 {
				if ours.Delete(k) != nil || want.Delete(k) != nil {
					t.Fatal("delete")
				}
			} else if ours.Set(k, v) != nil || want.Set(k, v) != nil {
				t.Fatal("set")
			}
		}
		for _, reverse := range []bool{false, true} {
			start, end := key(), key()
			if bytes.Compare(start, end) > 0 {
				start, end = end, start
			}
			for _, domain := range [][2][]byte{{start, end}, {nil, end}, {start, nil}, {nil, nil}} {
				if bytes.Equal(domain[0], domain[1]) && domain[0] != nil {
					continue
				}
				a, b := walk(t, ours, domain, reverse), walk(t, want, domain, reverse)
				if fmt.Sprint(a) != fmt.Sprint(b) {
					t.Fatalf("%q reverse %v:\n%q\n%q", domain, reverse, a, b)
				}
			}
		}
		if round == 20 {
			kept, before = ours.snapshot(), walk(t, ours, [2][]byte{}, false)
		}
	}
	ours.restore(kept)
	if frozen = walk(t, ours, [2][]byte{}, false); fmt.Sprint(frozen) != fmt.Sprint(before) {
		t.Error("a snapshot has changed")
	}
}

func walk(t *testing.T, db dbm.DB, domain [2][]byte, reverse bool) (list []string) {
	t.Helper()
	open := db.Iterator
	if reverse {
		open = db.ReverseIterator
	}
	i, err := open(domain[0], domain[1])
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	for ; i.Valid(); i.Next() {
		list = append(list, string(i.Key())+"="+string(i.Value()))
	}
	return list
}
