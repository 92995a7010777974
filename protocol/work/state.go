package work

import (
	"slices"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// State is everything about one run while it lasts: its terms, its members, its money and the round that is open.
// What is final leaves it as records. It is JSON without maps, so its bytes are deterministic. Rule: spec/work.md §3.
type State struct {
	ID       protocol.Hash    `json:"id"`
	Author   protocol.Account `json:"author"`
	Spec     Spec             `json:"spec"`
	Created  protocol.Height  `json:"created"`
	Phase    Phase            `json:"phase"`
	Deadline protocol.Height  `json:"deadline"` // the phase ends in this block at the latest; 0 when the run has ended
	Opened   uint32           `json:"opened"`   // rounds opened so far; the number of the last one
	Done     uint32           `json:"done"`     // rounds that admitted something
	Repeats  uint32           `json:"repeats"`  // rounds in a row that admitted nothing
	Beacon   protocol.Hash    `json:"beacon"`   // randomness of the round that is open or opens next
	Current  StateRef         `json:"current"`  // the public state after Done rounds
	Tokens   uint64           `json:"tokens"`   // of all admitted units
	Budget   money.Amount     `json:"budget"`   // locked by the author and not spent
	Returned uint32           `json:"returned"` // bonds paid back, which numbers their receipts
	Members  []Member         `json:"members"`  // in the order in which they joined
	Round    *Round           `json:"round,omitempty"`
}

// Role is what a member does in a run.
type Role string

// The roles.
const (
	Provider Role = "provider" // computes units
	Verifier Role = "verifier" // recomputes, disputes, aggregates
)

// Status is where a member stands.
type Status string

// The statuses of a member.
const (
	Active   Status = "active"   // takes part from the next round that opens, and in the open one if it was there
	Away     Status = "away"     // missed a duty; Ready brings it back
	Left     Status = "left"     // took its bond and went; its verified work still counts for shares
	Expelled Status = "expelled" // slashed; never comes back
)

// Member is an account that takes part in a run.
type Member struct {
	Account  protocol.Account `json:"account"`
	Role     Role             `json:"role"`
	Peer     string           `json:"peer"`              // where it serves blobs, in the data network's terms
	Bond     money.Amount     `json:"bond"`              // in escrow
	Price    money.Amount     `json:"price,omitzero"`    // of its units, in a run that hires through the market
	Lease    protocol.Hash    `json:"lease,omitzero"`    // by which it was hired there
	Newcomer bool             `json:"newcomer,omitzero"` // it builds its bond from pay
	Status   Status           `json:"status"`
	Leaving  bool             `json:"leaving"` // gets its bond back when the open round closes
	Joined   protocol.Height  `json:"joined"`
	Misses   uint32           `json:"misses"`         // duties missed and not yet forgiven
	Benched  uint32           `json:"benched"`        // number of the last round that it must sit out
	Clean    uint32           `json:"clean"`          // admitted units since the last doubt
	Units    uint32           `json:"units"`          // admitted units in all: the measure of its share
	Duties   uint32           `json:"duties"`         // verifier's duties that were paid
	Kept     Kept             `json:"kept,omitempty"` // worker's pay of the last rounds, in escrow
}

// Round is the round that is open. Numbers count every round that opened, also those that admitted nothing.
type Round struct {
	Number     uint32          `json:"number"`
	Opened     protocol.Height `json:"opened"`
	Beacon     protocol.Hash   `json:"beacon"`         // of the assignment
	Draw       protocol.Hash   `json:"draw"`           // of audits: known once the reveals are in
	Until      protocol.Height `json:"until,omitzero"` // the last block in which claims are open to dispute whatever else is done
	Pass       uint32          `json:"pass"`           // audit pass, from 1; 0 before
	Votes      uint32          `json:"votes"`          // how often the verifiers were asked for the aggregate
	Stands     protocol.Height `json:"stands"`         // the first block in which the round can close on an aggregate
	Resume     Phase           `json:"resume"`         // what a pause interrupted; empty otherwise
	Units      []Unit          `json:"units"`
	Seats      []Seat          `json:"seats"` // the verifiers of this round
	Reassigned []Reassignment  `json:"reassigned"`
	Slashes    []Slash         `json:"slashes"`
}

// UnitStatus is where a unit stands; when the round closes it is the unit's verdict.
type UnitStatus string

// The statuses of a unit.
const (
	Assigned    UnitStatus = "assigned"
	Committed   UnitStatus = "committed"
	Revealed    UnitStatus = "revealed"    // as a verdict: admitted without an audit
	Verified    UnitStatus = "verified"    // an auditor found the same result
	Disputed    UnitStatus = "disputed"    // an auditor found another result, and must dispute it
	Missed      UnitStatus = "missed"      // never sealed, or never opened
	Wrong       UnitStatus = "wrong"       // refuted in a dispute; the worker was slashed
	Void        UnitStatus = "void"        // could not be judged; nobody is to blame
	Unavailable UnitStatus = "unavailable" // at most half of the verifiers could fetch the payload
	Rejected    UnitStatus = "rejected"    // left out of the aggregate by its rule
)

// Unit is one unit of work: a pure function of public state that one worker computes.
type Unit struct {
	Index   uint32           `json:"index"`
	Attempt uint32           `json:"attempt"` // 0, or 1 after a reassignment
	Worker  protocol.Account `json:"worker"`
	Shard   protocol.Hash    `json:"shard"` // seed of the data order and of all randomness of the unit
	Status  UnitStatus       `json:"status"`
	Seal    protocol.Hash    `json:"seal"`
	Result  Result           `json:"result"`
	Salt    protocol.Hash    `json:"salt"`
	Audited bool             `json:"audited"` // drawn for an audit
	Auditor protocol.Account `json:"auditor"`
	Drawn   uint32           `json:"drawn,omitzero"`    // the audit pass in which Auditor was drawn
	Finding *Finding         `json:"finding,omitempty"` // the auditor's
	Games   uint32           `json:"games"`             // disputes that are open over it
	Backed  bool             `json:"backed"`            // its auditor has opened one of them
}

// Result is what a worker claims to have computed. It is final when revealed.
type Result struct {
	Payload PayloadRef    `json:"payload"`
	Trace   protocol.Hash `json:"trace"` // trace root: 17 state roots and the payload root
}

// PayloadRef names the bytes of a payload.
type PayloadRef struct {
	Root protocol.Hash `json:"root"` // trace.PayloadRoot of the bytes
	Blob protocol.Hash `json:"blob"` // content address under which peers serve them
	Size uint64        `json:"size"` // bytes
}

// Finding is what a verifier found when it recomputed a unit.
type Finding struct {
	Digest protocol.Hash `json:"digest"` // of the points, the payload and the tokens: equal findings have equal digests
	Agrees bool          `json:"agrees"` // with the worker's claim
	Detail string        `json:"detail"` // the verifier's remark: where it differs
}

// Seat is a verifier's place in the open round.
type Seat struct {
	Account   protocol.Account `json:"account"`
	Present   bool             `json:"present"`   // false after a miss: it no longer counts
	Seal      protocol.Hash    `json:"seal"`      // of its report in this pass; zero if none
	Reported  uint32           `json:"reported"`  // the last pass in which it opened a report; 0 if none
	Available []bool           `json:"available"` // by unit index, from its last report
	Vote      *Vote            `json:"vote,omitempty"`
	Games     uint32           `json:"games"`  // disputes that are open over its vote
	Duties    uint32           `json:"duties"` // done in this round and to be paid
}

// Vote is what a verifier claims to have computed as the aggregate.
type Vote struct {
	Next     StateRef      `json:"next"`
	Rejected []uint32      `json:"rejected"` // units that the aggregation rule left out, ascending
	Trace    protocol.Hash `json:"trace"`    // root of the execution, by which the vote can be disputed
}

// Equal reports whether two votes name the same.
func (v Vote) Equal(w Vote) bool {
	return v.Next == w.Next && v.Trace == w.Trace && slices.Equal(v.Rejected, w.Rejected)
}

func (v Vote) clone() *Vote {
	v.Rejected = slices.Clone(v.Rejected)
	return &v
}

// Reassignment notes that a unit went to another worker inside the round.
type Reassignment struct {
	Unit uint32           `json:"unit"`
	From protocol.Account `json:"from"`
	To   protocol.Account `json:"to"`
}

// Slash notes that a member lost its bond.
type Slash struct {
	Account protocol.Account `json:"account"`
	Role    Role             `json:"role"`
	Unit    uint32           `json:"unit"`
	Amount  money.Amount     `json:"amount"`
	To      protocol.Account `json:"to"` // receives Bounty; zero if all is burned
	Bounty  money.Amount     `json:"bounty"`
	Burned  money.Amount     `json:"burned"`
	Kept    money.Amount     `json:"kept,omitzero"` // pay that was kept back, burned as well
	Detail  string           `json:"detail"`        // where the wrong result differs, in the words of who found it
}

// Claims is the money that the state owes to somebody: the unspent budget, all bonds and the pay that is kept back. It equals the run's escrow.
func (s *State) Claims() money.Amount {
	sum := s.Budget
	for i := range s.Members {
		sum = sum.Plus(s.Members[i].Bond).Plus(s.Members[i].Kept.Sum())
	}
	return sum
}

// Member returns a copy of the record of an account.
func (s *State) Member(who protocol.Account) (Member, bool) {
	if m := s.member(who); m != nil {
		return *m, true
	}
	return Member{}, false
}

func (s *State) member(who protocol.Account) *Member {
	for i := range s.Members {
		if s.Members[i].Account == who {
			return &s.Members[i]
		}
	}
	return nil
}

// Peers returns the addresses of all members that have one and have not left, in the order in which they joined.
func (s *State) Peers() []string {
	var list []string
	for i := range s.Members {
		if m := &s.Members[i]; m.Peer != "" && (m.Status == Active || m.Status == Away) {
			list = append(list, m.Peer)
		}
	}
	return list
}

// Admitted returns the units that enter the aggregate unless its rule rejects them, ascending. It is empty before the
// aggregate phase.
func (s *State) Admitted() []uint32 {
	if s.Round == nil || !s.Round.aggregating(s.Phase) {
		return nil
	}
	var list []uint32
	for i := range s.Round.Units {
		if s.Round.Units[i].admissible() {
			list = append(list, s.Round.Units[i].Index)
		}
	}
	return list
}

func (r *Round) aggregating(p Phase) bool {
	return p == PhaseAggregate || p == PhaseContest || (p == PhasePaused && r.Resume == PhaseAggregate)
}

// Opened reports whether the worker has opened its seal: then Result and Salt are known.
func (u *Unit) Opened() bool {
	return u.Status != Assigned && u.Status != Committed && u.Status != Missed
}

func (u *Unit) admissible() bool { return u.Status == Revealed || u.Status == Verified }

func (r *Round) seat(who protocol.Account) *Seat {
	for i := range r.Seats {
		if r.Seats[i].Account == who {
			return &r.Seats[i]
		}
	}
	return nil
}

func (r *Round) present() int {
	n := 0
	for i := range r.Seats {
		if r.Seats[i].Present {
			n++
		}
	}
	return n
}

// Clone returns an independent copy. Only the Spec's slices are shared; nothing ever writes to them.
func (s *State) Clone() *State {
	c := *s
	c.Members = slices.Clone(s.Members)
	if s.Round != nil {
		r := *s.Round
		r.Units = slices.Clone(r.Units)
		for i := range r.Units {
			u := &r.Units[i]
			u.Finding = u.Finding.clone()
		}
		r.Seats = slices.Clone(r.Seats)
		for i := range r.Seats {
			s := &r.Seats[i]
			s.Available = slices.Clone(s.Available)
			if s.Vote != nil {
				s.Vote = s.Vote.clone()
			}
		}
		r.Reassigned = slices.Clone(r.Reassigned)
		r.Slashes = slices.Clone(r.Slashes)
		c.Round = &r
	}
	return &c
}

func (f *Finding) clone() *Finding {
	if f == nil {
		return nil
	}
	c := *f
	return &c
}
