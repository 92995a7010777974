package validatorcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/rewards"
)

// Status is what an operator wants to know at a glance.
type Status struct {
	Schema  string           `json:"schema"` // "mutirao.validator-status/v1"
	Account protocol.Account `json:"account"`
	Balance money.Amount     `json:"balance"` // amut
	client.Node
	Validator *client.Validator `json:"validator,omitempty"` // absent for a node without a vote
	Beacon    *client.Beacon    `json:"beacon,omitempty"`    // absent on a chain without one
	Reason    string            `json:"reason"`              // ok, catching-up, stalled, tombstoned, jailed, no-stake or unbonded
	Next      string            `json:"next,omitempty"`
}

// stalled is the age of the last block from which on something is wrong.
const stalled = 30 * time.Second

// Ask reads the status of the node of a folder, from the node itself.
func Ask(ctx context.Context, dir string) (Status, error) {
	h, err := Open(dir)
	if err != nil {
		return Status{}, err
	}
	c, err := dial([]string{h.rpc()}, h.Key)
	if err != nil {
		return Status{}, err
	}
	s := Status{Schema: "mutirao.validator-status/v1", Account: h.Key.Account()}
	if s.Node, err = h.ask(ctx, c); err != nil {
		return s, err
	}
	if s.Height > 0 {
		if s.Balance, err = c.Balance(ctx, s.Account); err != nil {
			return s, err
		}
		v, err := c.Validator(ctx, s.Account)
		switch {
		case err == nil:
			s.Validator = &v
		case !errors.Is(err, protocol.ErrNotFound):
			return s, err
		}
		b, err := c.Beacon(ctx)
		if err != nil {
			return s, err
		}
		if !b.Value.IsZero() {
			s.Beacon = &b
		}
	}
	s.Reason, s.Next = s.judge(dir)
	return s, nil
}

// judge gives the one reason that matters most and what to do about it.
func (s Status) judge(dir string) (reason, next string) {
	v := s.Validator
	switch {
	case s.CatchingUp || s.Height == 0:
		return "catching-up", "wait; if the height does not grow, check the peers in " + configFile
	case time.Since(s.Time) > stalled:
		return "stalled", "more than a third of the votes are away: ask the other operators"
	case v == nil:
		return "no-stake", "mutirao validator join --home " + dir + " --stake MUT"
	case v.Tombstoned:
		return "tombstoned", "this key signed two blocks at one height and never comes back: make a node with another"
	case v.Jailed:
		return "jailed", "mutirao validator unjail --home " + dir + "   (from " + v.Until.UTC().Format(time.RFC3339) + " on)"
	case v.Status != "bonded":
		return "unbonded", "the stake is less than that of the other validators, or waits for the next block"
	}
	return "ok", ""
}

// Print writes the status for people.
func (s Status) Print(w io.Writer) error {
	state := "following"
	if s.CatchingUp {
		state = "catching up"
	}
	fmt.Fprintf(w, "height     %d (%s), %s old\nhash       %s\npeers      %d\naccount    %s with %s\n", s.Height, state, time.Since(s.Time).Round(time.Second), s.Hash, len(s.Peers), s.Account, s.Balance.Coins())
	if v := s.Validator; v != nil {
		fmt.Fprintf(w, "validator  %s, %s, power %d, stake %s\nmissed     %d of the last %d blocks\n", v.Moniker, v.Status, v.Power, v.Stake.Coins(), v.Missed, v.Window)
		fmt.Fprintf(w, "earned     %s by its stake, %s as commission; you had %s of it, %s are due; fees are divided again in block %d\n", v.Rewards.Stake.Coins(), v.Rewards.Commission.Coins(), v.Rewards.Paid.Plus(v.Rewards.Commission).Coins(), v.Rewards.Due.Coins(), (s.Height/rewards.Epoch+1)*rewards.Epoch)
		if v.Jailed && !v.Tombstoned {
			fmt.Fprintf(w, "jailed     until %s\n", v.Until.UTC().Format(time.RFC3339))
		}
	}
	if b := s.Beacon; b != nil {
		fmt.Fprintf(w, "beacon     %s of block %d; %s\n", b.Value, b.Height, part(b))
	}
	_, err := fmt.Fprintf(w, "state      %s\n", s.Reason)
	if err == nil && s.Next != "" {
		_, err = fmt.Fprintf(w, "next       %s\n", s.Next)
	}
	return err
}

// Unjailed is the answer of unjail.
type Unjailed struct {
	Schema  string           `json:"schema"` // "mutirao.validator-unjail/v1"
	Account protocol.Account `json:"account"`
	Power   int64            `json:"power"`
	Next    string           `json:"next"`
}

// Print writes the answer for people.
func (u Unjailed) Print(w io.Writer) error {
	_, err := fmt.Fprintf(w, "the validator votes again, with power %d\nnext       %s\n", u.Power, u.Next)
	return err
}

// part says what this node adds to the beacon.
func part(b *client.Beacon) string {
	switch {
	case b.Proposed == 0:
		return fmt.Sprintf("none of the last %d blocks is this node's", b.Looked)
	case b.Revealed:
		return fmt.Sprintf("this node revealed in block %d", b.Proposed)
	}
	return fmt.Sprintf("this node revealed nothing in block %d", b.Proposed)
}

// Unjail brings the validator of a folder back.
func Unjail(ctx context.Context, dir string) (Unjailed, error) {
	s, err := Ask(ctx, dir)
	if err != nil {
		return Unjailed{}, err
	}
	const next = "mutirao validator status --home "
	out := Unjailed{Schema: "mutirao.validator-unjail/v1", Account: s.Account, Next: next + dir}
	switch v := s.Validator; {
	case v == nil:
		return out, failure.New(failure.NotFound, "there is nobody to bring back", errors.New("this account is no validator"), next+dir)
	case v.Tombstoned:
		return out, failure.New(failure.Denied, "the validator cannot come back", errors.New("it signed two blocks at one height"), "make a node with another key")
	case !v.Jailed:
		return out, failure.New(failure.NotFound, "there is nobody to bring back", errors.New("the validator is not jailed"), next+dir)
	case s.CatchingUp:
		return out, failure.New(failure.Timeout, "the validator cannot come back yet", fmt.Errorf("%w, at block %d: its votes would be missed again", errBehind, s.Height), next+dir)
	case s.Time.Before(v.Until):
		return out, failure.New(failure.Timeout, "the validator cannot come back yet", fmt.Errorf("it is jailed until %s, the last block is of %s", v.Until.UTC().Format(time.RFC3339), s.Time.UTC().Format(time.RFC3339)), "try again then")
	}
	h, err := Open(dir)
	if err != nil {
		return out, err
	}
	c, err := dial([]string{h.rpc()}, h.Key)
	if err != nil {
		return out, err
	}
	if err := c.Unjail(ctx); err != nil {
		return out, failure.New(failure.General, "the ledger did not let the validator back", err, next+dir)
	}
	v, err := c.Validator(ctx, s.Account)
	out.Power = v.Power
	return out, err
}
