package dispute

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/verify/bisect"
)

// Referee is what the rules need from the host to judge a move.
type Referee interface {
	bisect.Source
	// Signed reports whether an account has signed a digest.
	Signed(who protocol.Account, digest protocol.Hash, signature []byte) bool
}

// Create opens a dispute about a claim that the host has found on its ledger by Accused, with what an aggregate reads. Effect: the opener's
// bond is locked. Errors: those of the message's Check, ErrInvalid if the opener is the defender. Rule: spec/dispute.md §2.
func Create(m Open, c Claim, inputs []protocol.Hash, p Params, h History, from protocol.Account, env protocol.Env) (*State, []protocol.Effect, error) {
	if err := m.Check(); err != nil {
		return nil, nil, err
	}
	if from.IsZero() || from == c.Defender {
		return nil, nil, fmt.Errorf("%w: %s cannot dispute a claim of %s", protocol.ErrInvalid, from, c.Defender)
	}
	t := &turn{env: env, State: &State{
		ID: ID(c, from, m.Nonce), Claim: c, Inputs: inputs, Challenger: from, Bond: OpenerBond(p, h), Opened: env.Height, Since: env.Height,
		Defends: p.Clock, Challenges: p.Clock, Clock: p.Clock, Game: bisect.New(c.Terms),
	}}
	t.emit(protocol.Lock{From: from, Amount: t.Bond})
	t.event("opened", "run", c.Run.String(), "unit", fmt.Sprint(c.Unit), "challenger", from.String(), "defender", c.Defender.String())
	return t.State, t.effects, nil
}

// Apply changes a dispute by a message. On success the new state is independent of s; on an error s is as before and there are no
// effects, so a wrong move costs its sender a fee and nobody anything else. The host has authenticated from, and answers audits. Rule: spec/dispute.md §3.
func Apply(s *State, msg Msg, from protocol.Account, r Referee, audits Audits, env protocol.Env) (*State, []protocol.Effect, error) {
	if err := msg.Check(); err != nil {
		return nil, nil, err
	}
	if s == nil || msg.Target() != s.ID {
		return nil, nil, fmt.Errorf("%w: dispute %s", protocol.ErrNotFound, msg.Target())
	}
	if s.Ended {
		return nil, nil, fmt.Errorf("%w: dispute %s", protocol.ErrFinished, s.ID)
	}
	t := &turn{State: s.Clone(), env: env}
	var err error
	switch m := msg.(type) {
	case Back:
		err = t.back(m, from)
	case Play:
		err = t.play(m, r, audits)
	case Equivocate:
		err = t.equivocate(m, r, audits)
	default:
		err = fmt.Errorf("%w: unknown message %s", protocol.ErrInvalid, msg.Kind())
	}
	if err != nil {
		return nil, nil, err
	}
	return t.State, t.effects, nil
}

// Tick lets a block pass: who has thought too long loses. It returns s itself when nothing changes. Rule: spec/dispute.md §4, §6.
func Tick(s *State, audits Audits, env protocol.Env) (*State, []protocol.Effect) {
	if s.Ended || env.Height < s.Deadline() {
		return s, nil
	}
	t := &turn{State: s.Clone(), env: env}
	switch {
	case t.Lost != nil:
		t.decide(audits)
	case t.ToMove() == Defender:
		t.lose(fmt.Sprintf("the defender was silent when asked for %s", t.Game.Stage), false, audits)
	default:
		t.finish(bisect.Upheld, fmt.Sprintf("the challenger was silent when asked for a %s", t.Game.Stage), false)
	}
	return t.State, t.effects
}

// Moot ends a dispute over a claim that another has refuted: all bonds go back. Rule: spec/dispute.md §5.
func Moot(s *State, env protocol.Env) (*State, []protocol.Effect) {
	if s.Ended {
		return s, nil
	}
	t := &turn{State: s.Clone(), env: env}
	t.refund()
	t.close(bisect.Undecided, "the claim was refuted in another dispute", false)
	return t.State, t.effects
}

// turn is one transition.
type turn struct {
	*State
	env     protocol.Env
	effects []protocol.Effect
}

func (t *turn) emit(e protocol.Effect) { t.effects = append(t.effects, e) }

func (t *turn) event(kind string, pairs ...string) {
	attributes := []protocol.Attribute{{Name: "dispute", Value: t.ID.String()}}
	for i := 0; i+1 < len(pairs); i += 2 {
		attributes = append(attributes, protocol.Attribute{Name: pairs[i], Value: pairs[i+1]})
	}
	t.emit(protocol.Event{Type: "dispute." + kind, Attributes: attributes})
}

// back adds a backer, or to its bond. Effect: the amount is locked. Errors: ErrPhase once the defender has answered, since the answers tell
// who will win; ErrFull, ErrInvalid for the defender.
func (t *turn) back(m Back, from protocol.Account) error {
	if t.Turn > 0 || t.Lost != nil || !t.Second.IsZero() {
		return fmt.Errorf("%w: the defender has answered, or lost", protocol.ErrPhase)
	}
	if from == t.Claim.Defender {
		return fmt.Errorf("%w: the defender cannot back its challenger", protocol.ErrInvalid)
	}
	at := -1
	for i := range t.Backers {
		if t.Backers[i].Account == from {
			at = i
		}
	}
	switch {
	case at >= 0:
		t.Backers[at].Bond = t.Backers[at].Bond.Plus(m.Amount)
	case len(t.Backers) == MaxBackers:
		return fmt.Errorf("%w: %d backers", protocol.ErrFull, MaxBackers)
	default:
		t.Backers = append(t.Backers, Backer{from, m.Amount})
	}
	t.emit(protocol.Lock{From: from, Amount: m.Amount})
	return nil
}

// play makes a signed move. Errors: ErrPhase out of turn, ErrNotAssigned if the signature is not the player's, ErrInvalid if the
// game does not take the move.
func (t *turn) play(m Play, r Referee, audits Audits) error {
	if t.Lost != nil {
		return fmt.Errorf("%w: the defender has lost; the audit of the unit is awaited", protocol.ErrPhase)
	}
	side := t.ToMove()
	if m.Move.Turn != t.Turn || m.Move.Side != side {
		return fmt.Errorf("%w: turn %d of the %s, it is turn %d of the %s", protocol.ErrPhase, m.Move.Turn, m.Move.Side, t.Turn, side)
	}
	if !r.Signed(t.account(side), m.Move.Digest(), m.Signature) {
		return fmt.Errorf("%w: the move is not signed by the %s", protocol.ErrNotAssigned, side)
	}
	used := uint32(min(t.env.Height-t.Since, MaxClock))
	if used >= *t.clock(side) {
		return fmt.Errorf("%w: the clock of the %s has run out", protocol.ErrPhase, side)
	}
	asked := t.Game.Stage
	var err error
	if side == Challenger {
		err = t.Game.Choose(bisect.Choice{Part: int(m.Move.Choice), Shown: m.Move.Answer}, r)
	} else {
		err = t.Game.Answer(m.Move.Answer, r)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", protocol.ErrInvalid, err)
	}
	*t.clock(side) -= used
	t.Turn, t.Since = t.Turn+1, t.env.Height
	t.emit(protocol.Record{Value: Moved{
		Version: Version, Dispute: t.ID, Turn: t.Turn, Side: side, Asked: asked, Choice: m.Move.Choice, Bytes: uint32(len(m.Move.Answer)),
		Words: t.Game.Words(), Height: t.env.Height, Time: t.env.Time,
	}})
	t.event("moved", "turn", fmt.Sprint(t.Turn), "side", string(side))
	if t.Game.Stage != bisect.Over {
		return nil
	}
	if t.Game.Verdict == bisect.Refuted {
		t.lose(t.Game.Reason, true, audits)
		return nil
	}
	t.finish(t.Game.Verdict, t.Game.Reason, true)
	return nil
}

// equivocate ends the dispute against a side that has signed two moves for one turn. Error: ErrNotAssigned if it has not.
func (t *turn) equivocate(m Equivocate, r Referee, audits Audits) error {
	if t.Lost != nil {
		return fmt.Errorf("%w: the defender has lost; the audit of the unit is awaited", protocol.ErrPhase)
	}
	who := t.account(m.Side)
	if !r.Signed(who, m.digest(m.A), m.A.Signature) || !r.Signed(who, m.digest(m.B), m.B.Signature) {
		return fmt.Errorf("%w: the moves are not both signed by the %s", protocol.ErrNotAssigned, m.Side)
	}
	reason := fmt.Sprintf("the %s signed two moves for turn %d", m.Side, m.Turn)
	if m.Side == Defender {
		t.lose(reason, false, audits)
	} else {
		t.finish(bisect.Upheld, reason, false)
	}
	return nil
}

// finish ends the dispute, proven if the game itself has come to the verdict. A challenger that has won gets its bond back, its backers theirs, and the host slashes the defender; one
// that has lost pays half of all to the defender for its trouble, and half is burned. Rule: spec/dispute.md §5.
func (t *turn) finish(v bisect.Verdict, reason string, proven bool) {
	if v == bisect.Refuted {
		t.refund()
	} else {
		all := t.Claims()
		half := all.Part(1, 2)
		t.emit(protocol.Pay{To: t.account(Defender), Amount: half})
		t.emit(protocol.Burn{Amount: all.Minus(half)})
	}
	t.close(v, reason, proven)
}

func (t *turn) refund() {
	t.emit(protocol.Pay{To: t.Challenger, Amount: t.Bond, Back: true})
	for _, b := range t.Backers {
		t.emit(protocol.Pay{To: b.Account, Amount: b.Bond, Back: true})
	}
}

// close records the verdict.
func (t *turn) close(v bisect.Verdict, reason string, proven bool) {
	t.emit(protocol.Record{Value: Ruling{
		Version: Version, Dispute: t.ID, Claim: t.Claim, Second: t.Second, Challenger: t.Challenger, Bond: t.Bond, Verdict: v, Reason: reason, Proven: proven, Place: t.Game.Place(), Moves: t.Turn,
		Opened: t.Opened, Height: t.env.Height, Time: t.env.Time, Shares: t.shares(v),
	}})
	t.event("ended", "verdict", string(v), "reason", reason)
	t.Game.Stage, t.Game.Verdict, t.Game.Reason = bisect.Over, v, reason
	t.Game.Hashes, t.Game.Bytes, t.Game.Record = nil, nil, nil
	t.Ended, t.Lost = true, nil
}

// shares are the parts of the bounty: by bond.
func (t *turn) shares(v bisect.Verdict) []Backer {
	if v != bisect.Refuted {
		return nil
	}
	return append([]Backer{{t.Challenger, t.Bond}}, t.Backers...)
}

// Ruling is how a dispute ended: what stays of it.
type Ruling struct {
	Version    uint32           `json:"version"`
	Dispute    protocol.Hash    `json:"dispute"`
	Claim      Claim            `json:"claim"`
	Second     protocol.Account `json:"second,omitzero"` // the auditor that defended the claim after its worker had lost
	Challenger protocol.Account `json:"challenger"`
	Bond       money.Amount     `json:"bond"`
	Verdict    bisect.Verdict   `json:"verdict"` // empty if the claim was refuted elsewhere
	Reason     string           `json:"reason"`
	Proven     bool             `json:"proven"` // by what the defender has shown; otherwise somebody was silent or signed two moves
	Place      string           `json:"place"`  // where the game had come, in words
	Moves      uint32           `json:"moves"`
	Opened     protocol.Height  `json:"opened"`
	Height     protocol.Height  `json:"height"`
	Time       int64            `json:"time"`
	Shares     []Backer         `json:"shares"` // of a bounty, by bond, if the claim is refuted
}

// RecordKind implements protocol.Recorded.
func (Ruling) RecordKind() string { return "ruling" }

// RecordKey implements protocol.Recorded.
func (r Ruling) RecordKey() string {
	return fmt.Sprintf("%s/%012d/%s", r.Claim.Run, r.Height, r.Dispute)
}

// Moved is a move that counted: what stays of it. Turns count from 1.
type Moved struct {
	Version uint32          `json:"version"`
	Dispute protocol.Hash   `json:"dispute"`
	Turn    uint32          `json:"turn"`
	Side    Side            `json:"side"`
	Asked   bisect.Stage    `json:"asked"`
	Choice  uint32          `json:"choice"` // of the challenger
	Bytes   uint32          `json:"bytes"`  // of the defender's answer, of what the challenger shows
	Words   string          `json:"words"`  // how far the game had come after it
	Height  protocol.Height `json:"height"`
	Time    int64           `json:"time"`
}

// RecordKind implements protocol.Recorded.
func (Moved) RecordKind() string { return "move" }

// RecordKey implements protocol.Recorded.
func (m Moved) RecordKey() string { return fmt.Sprintf("%s/%06d", m.Dispute, m.Turn) }

// Bounty divides an amount among those who brought a claim down, by their bonds, rounded down; what is left over goes to the first.
func (r Ruling) Bounty(amount money.Amount) []Backer {
	var bonds money.Amount
	for _, b := range r.Shares {
		bonds = bonds.Plus(b.Bond)
	}
	rest := amount
	list := make([]Backer, len(r.Shares))
	for i, b := range r.Shares {
		part := amount.Share(b.Bond, bonds)
		list[i], rest = Backer{b.Account, part}, rest.Minus(part)
	}
	if len(list) > 0 {
		list[0].Bond = list[0].Bond.Plus(rest)
	}
	return list
}
