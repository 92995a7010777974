package demo

import (
	"context"
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/bisect"
)

// disputeRow is one dispute that has ended, as people and machines see it.
type disputeRow struct {
	ID         string   `json:"id"`
	Round      uint32   `json:"round"`
	Unit       uint32   `json:"unit"`
	About      string   `json:"about"` // in words
	Defender   string   `json:"defender"`
	Challenger string   `json:"challenger"`
	Verdict    string   `json:"verdict"`
	Proven     bool     `json:"proven"` // by the game, not by silence
	Place      string   `json:"place"`
	Reason     string   `json:"reason"`
	Moves      uint32   `json:"moves"`
	Bytes      uint32   `json:"bytes"` // of the defender's answers
	Blocks     uint64   `json:"blocks"`
	Words      []string `json:"words"` // how far the game had come after each move
}

// hearRulings reads how the disputes about the run have ended so far.
func (s *show) hearRulings(ctx context.Context) error {
	rulings, err := s.machine.Client.Rulings(ctx, s.run)
	if err != nil {
		return err
	}
	s.disputes = nil
	for _, r := range rulings {
		row := disputeRow{
			ID: r.Dispute.String(), Round: r.Claim.Round, Unit: r.Claim.Unit, About: work.Subject(r.Claim.Unit), Defender: s.cast.name(r.Claim.Defender), Challenger: s.cast.name(r.Challenger),
			Verdict: string(r.Verdict), Proven: r.Proven, Place: r.Place, Reason: r.Reason, Moves: r.Moves, Blocks: uint64(r.Height - r.Opened),
		}
		moves, err := s.machine.Client.Moves(ctx, r.Dispute)
		if err != nil {
			return err
		}
		for _, m := range moves {
			row.Words = append(row.Words, fmt.Sprintf("%s: %s", m.Side, m.Words))
			if m.Side == dispute.Defender {
				row.Bytes += m.Bytes
			}
		}
		s.disputes = append(s.disputes, row)
	}
	return nil
}

// refuted is the dispute that brought the claim of a unit down, or nil.
func (s *show) refuted(round, unit uint32) *disputeRow {
	for i := range s.disputes {
		if d := &s.disputes[i]; d.Round == round && d.Unit == unit && d.Verdict == string(bisect.Refuted) {
			return d
		}
	}
	return nil
}

// convicted tells how a member lost its bond.
func (s *show) convicted(r work.RoundSummary, x work.Slash) string {
	who := s.cast.name(x.Account)
	d := s.refuted(r.Round, x.Unit)
	if d == nil || d.Defender != who {
		return fmt.Sprintf("%s slashed %s: %s", who, x.Amount.Coins(), x.Detail)
	}
	lie := "lied"
	if int(x.Unit) >= len(r.Units) {
		lie = "lied about " + work.Subject(x.Unit)
	} else if detail := r.Units[x.Unit].Detail; detail != "" {
		lie = "lied in " + place(detail)
	}
	return fmt.Sprintf("%s %s: %d moves with %s, refuted at %s; slashed %s", who, lie, d.Moves, d.Challenger, d.Place, x.Amount.Coins())
}

// gamePlayed: the liar's claim fell in a game on the ledger, by proof, and whoever brought it down has the bounty; no honest claim was refuted.
func (s *show) gamePlayed() claim {
	c := claim{Name: "lie-proven-on-the-ledger"}
	for _, d := range s.disputes {
		if d.Verdict == string(bisect.Refuted) && d.Defender != liar {
			c.Detail = fmt.Sprintf("%s against %s was %s: %s", d.Challenger, d.Defender, d.Verdict, d.Reason)
			return c
		}
	}
	d := s.refuted(lieRound, s.unitOf(s.cast.named(liar).account, lieRound))
	if d == nil {
		c.Detail = "no dispute refuted the lie of " + liar
		return c
	}
	c.Held = d.Proven && len(d.Words) == int(d.Moves) && s.bountyWent(d)
	c.Detail = fmt.Sprintf("%s against %s: %d moves in %d blocks, %d bytes of answers; %s", d.Challenger, d.Defender, d.Moves, d.Blocks, d.Bytes, d.Reason)
	return c
}

// unitOf is the unit that an account had in a round.
func (s *show) unitOf(who protocol.Account, round uint32) uint32 {
	for _, summary := range s.summaries {
		for _, u := range summary.Units {
			if summary.Round == round && u.Worker == who {
				return u.Index
			}
		}
	}
	return work.MaxUnits
}

func (s *show) bountyWent(d *disputeRow) bool {
	for _, summary := range s.summaries {
		for _, x := range summary.Slashes {
			if summary.Round == d.Round && x.Unit == d.Unit && s.cast.name(x.To) == d.Challenger {
				return !x.Bounty.IsZero()
			}
		}
	}
	return false
}
