package commons

import (
	"slices"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// Credit is what an account has earned lately: coins that pay for its own jobs, bonds, votes and fees at once, and that it cannot send
// to others yet. The zero value is that of an account that earned nothing. Rule: spec/commons.md §7.
type Credit struct {
	Parts []CreditPart `json:"parts"` // by epoch, ascending; at most vest_epochs + 1
}

// CreditPart is what was earned in one epoch.
type CreditPart struct {
	Epoch uint64       `json:"epoch"`
	Held  money.Amount `json:"held"` // with the account
	Used  money.Amount `json:"used"` // in escrow: what comes back of it is held again, until the day on which it would have been free
}

// Locked is what the account cannot send.
func (c Credit) Locked() money.Amount {
	var sum money.Amount
	for _, p := range c.Parts {
		sum = sum.Plus(p.Held)
	}
	return sum
}

// At drops what has become free by a block: what was earned vest_epochs whole epochs before, or more.
func (c Credit) At(p Params, env protocol.Env) Credit {
	now := p.epoch(env.Height)
	c.Parts = slices.DeleteFunc(slices.Clone(c.Parts), func(part CreditPart) bool {
		return part.Epoch+uint64(p.VestEpochs) < now || part.Held.IsZero() && part.Used.IsZero()
	})
	return c
}

// Free is the first block in which a part can be sent.
func (c CreditPart) Free(p Params) protocol.Height {
	return protocol.Height((c.Epoch + uint64(p.VestEpochs) + 1) * p.EpochBlocks)
}

// Earn adds pay.
func (c Credit) Earn(a money.Amount, p Params, env protocol.Env) Credit {
	c, now := c.At(p, env), p.epoch(env.Height)
	if a.IsZero() {
		return c
	}
	if n := len(c.Parts); n == 0 || c.Parts[n-1].Epoch != now {
		c.Parts = append(c.Parts, CreditPart{Epoch: now})
	}
	last := &c.Parts[len(c.Parts)-1]
	last.Held = last.Held.Plus(a)
	return c
}

// Use takes up to an amount for something of the account's own, of what is free last, and returns how much that is. If back, it may
// come back.
func (c Credit) Use(a money.Amount, back bool, p Params, env protocol.Env) (Credit, money.Amount) {
	c = c.At(p, env)
	left := a
	for i := len(c.Parts) - 1; i >= 0; i-- {
		part := &c.Parts[i]
		take := least(left, part.Held)
		part.Held, left = part.Held.Minus(take), left.Minus(take)
		if back {
			part.Used = part.Used.Plus(take)
		}
	}
	return c, a.Minus(left)
}

// Back returns to an account what it had locked: as far as that was credit it is credit again, with the same day.
func (c Credit) Back(a money.Amount, p Params, env protocol.Env) Credit {
	c = c.At(p, env)
	for i := len(c.Parts) - 1; i >= 0; i-- {
		part := &c.Parts[i]
		take := least(a, part.Used)
		part.Used, part.Held, a = part.Used.Minus(take), part.Held.Plus(take), a.Minus(take)
	}
	return c
}

// Trim lowers the credit to what the account has at all: coins that it delegated are no longer with it.
func (c Credit) Trim(has money.Amount) Credit {
	c.Parts = slices.Clone(c.Parts)
	for i := range c.Parts {
		over := money.Amount{}
		if locked := c.Locked(); locked.Compare(has) > 0 {
			over = locked.Minus(has)
		}
		c.Parts[i].Held = c.Parts[i].Held.Minus(least(over, c.Parts[i].Held))
	}
	return c
}

// Earnings is the credit of an account for people.
type Earnings struct {
	Locked money.Amount   `json:"locked"` // what it has and cannot send yet
	Parts  []EarningsPart `json:"parts"`
}

// EarningsPart is what becomes free in one block.
type EarningsPart struct {
	Amount money.Amount    `json:"amount"`
	Free   protocol.Height `json:"free"` // the first block in which it can be sent
}

// Earnings tells when credit becomes free.
func (c Credit) Earnings(p Params) Earnings {
	e := Earnings{Locked: c.Locked(), Parts: []EarningsPart{}}
	for _, part := range c.Parts {
		if !part.Held.IsZero() {
			e.Parts = append(e.Parts, EarningsPart{part.Held, part.Free(p)})
		}
	}
	return e
}

// Jobs counts what jobs cost that began: with earned credit, and in all. Rule: spec/commons.md §7.
type Jobs struct {
	Count      uint64       `json:"count"`       // jobs that began
	FromCredit uint64       `json:"from_credit"` // those that earned credit paid for alone
	Amount     money.Amount `json:"amount"`      // locked for all of them
	Earned     money.Amount `json:"earned"`      // of that, earned credit
}

// Began counts a job.
func (j Jobs) Began(amount, earned money.Amount) Jobs {
	j.Count++
	if earned == amount {
		j.FromCredit++
	}
	j.Amount, j.Earned = j.Amount.Plus(amount), j.Earned.Plus(earned)
	return j
}

// SharePPM is the part of what jobs cost that was earned credit, in parts per million.
func (j Jobs) SharePPM() uint64 {
	if j.Amount.IsZero() {
		return 0
	}
	n, _ := parse(money.New(PPM).Share(j.Earned, j.Amount))
	return n
}
