package dev

import (
	"errors"
	"fmt"
	"time"
)

// clock decides the time of blocks, in whole seconds as contracts see them.
type clock struct {
	now    func() time.Time
	offset time.Duration // what the chain's time is ahead of now
	next   time.Time     // of the next block; zero if nobody has said it
	step   time.Duration // between blocks, whatever now says; 0 for none
}

var errPast = errors.New("timestamp is not after the last block's")

// tick is the time of the block after one at last: later than that by a second at least.
func (k *clock) tick(last time.Time) time.Time {
	when := k.now().Add(k.offset).Truncate(time.Second)
	switch {
	case !k.next.IsZero():
		when, k.next = k.next, time.Time{}
		k.set(when)
	case k.step > 0:
		when = last.Add(k.step)
		k.set(when)
	}
	if !when.After(last) {
		when = last.Add(time.Second)
		k.set(when) // or a later increase would be less than was asked for
	}
	return when.UTC()
}

// set makes it when now.
func (k *clock) set(when time.Time) { k.offset = when.Sub(k.now()) }

// schedule says when the next block is. It returns errPast for a time that is not after the last block's.
func (k *clock) schedule(when, last time.Time) error {
	if !when.After(last) {
		return invalid(fmt.Errorf("%w: %d, the last block has %d", errPast, when.Unix(), last.Unix()))
	}
	k.next = when
	return nil
}
