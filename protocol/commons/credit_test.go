package commons

import (
	"math/rand/v2"
	"testing"

	"github.com/mutirao/mutirao/protocol/money"
)

// What is earned is free vest_epochs whole epochs later, and pays for own jobs before.
func TestCreditVests(t *testing.T) {
	p := params // epochs of 100 blocks, 7 of them
	var c Credit
	locked := func(h uint64, want uint64) {
		t.Helper()
		if got := c.At(p, at(h)).Locked(); got != money.New(want) {
			t.Errorf("in block %d %s are locked, want %d", h, got, want)
		}
	}
	c = c.Earn(money.New(50), p, at(99)).Earn(money.New(30), p, at(250))
	locked(250, 80)
	locked(799, 80)
	locked(800, 30) // what was earned in block 99 was held for seven whole epochs
	locked(999, 30)
	locked(1000, 0)
	if free := c.Parts[0].Free(p); free != 800 {
		t.Errorf("free from block %d", free)
	}
	c, used := c.Use(money.New(40), true, p, at(300)) // all of the later, a fifth of the earlier
	if used != money.New(40) || c.Parts[0].Held != money.New(40) || !c.Parts[1].Held.IsZero() {
		t.Errorf("%s used: %+v", used, c)
	}
	locked(300, 40)
	c = c.Back(money.New(35), p, at(400)) // with its own day again
	if c.Parts[1].Held != money.New(30) || c.Parts[0].Held != money.New(45) {
		t.Errorf("%+v", c)
	}
	locked(800, 30)
	if c, used = c.Use(money.New(100), false, p, at(500)); used != money.New(75) || !c.Locked().IsZero() {
		t.Errorf("%s used", used)
	}
	if c = c.Back(money.New(9), p, at(500)); c.Locked() != money.New(5) {
		t.Errorf("five were in escrow and may come back, %s did", c.Locked())
	}
	if c = c.Trim(money.New(3)); c.Locked() != money.New(3) {
		t.Errorf("trimmed to %s", c.Locked())
	}
}

// TestCreditCannotBeSent: whatever an account does with its escrows, it sends at most what it brought, and what it earned seven epochs
// before. The record stays small.
func TestCreditCannotBeSent(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 2))
		var c Credit
		const brought = 1000
		balance, escrow, sent := uint64(brought), uint64(0), uint64(0)
		earned := []uint64{}
		for h := uint64(0); h < 4000; h += r.Uint64N(40) {
			env := at(h)
			for uint64(len(earned)) <= h/params.EpochBlocks {
				earned = append(earned, 0)
			}
			n := r.Uint64N(200)
			switch r.IntN(5) {
			case 0:
				c = c.Earn(money.New(n), params, env)
				balance, earned[h/params.EpochBlocks] = balance+n, earned[h/params.EpochBlocks]+n
			case 1:
				n = min(n, balance)
				c, _ = c.Use(money.New(n), true, params, env)
				balance, escrow = balance-n, escrow+n
			case 2:
				n = min(n, escrow)
				c = c.Back(money.New(n), params, env)
				balance, escrow = balance+n, escrow-n
			case 3:
				n = min(n, escrow) // spent on somebody's work
				escrow -= n
			case 4:
				locked, _ := parse(c.At(params, env).Locked())
				if locked > balance {
					t.Fatalf("seed %d: %d of %d are locked", seed, locked, balance)
				}
				n = min(n, balance-locked)
				balance, sent = balance-n, sent+n
			}
			old := uint64(0)
			for e, a := range earned {
				if uint64(e)+uint64(params.VestEpochs) < h/params.EpochBlocks {
					old += a
				}
			}
			if sent > brought+old {
				t.Fatalf("seed %d, block %d: it sent %d, and had brought %d and earned %d long ago", seed, h, sent, brought, old)
			}
			if len(c.Parts) > int(params.VestEpochs)+1 {
				t.Fatalf("seed %d: %d parts", seed, len(c.Parts))
			}
		}
	}
}

func TestShareOfJobsFromCredit(t *testing.T) {
	var j Jobs
	if j.SharePPM() != 0 {
		t.Error(j.SharePPM())
	}
	j = j.Began(money.MUT(3), money.MUT(3)).Began(money.MUT(5), money.MUT(1))
	if j.SharePPM() != 500_000 || j.Count != 2 || j.FromCredit != 1 {
		t.Errorf("%+v, %d", j, j.SharePPM())
	}
}
