package work

import (
	"encoding/json"
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/verify/trace"
)

// Msg is a message of this package. The kinds are CreateRun, Join, Ready, Leave, Commit, Reveal, AuditCommit, AuditReveal
// and Aggregate.
type Msg interface {
	protocol.Msg
	// Target is the run that the message is for; zero for CreateRun, which makes one.
	Target() protocol.Hash
}

// CreateRun makes a run and locks its budget. Rule: spec/work.md §3.
type CreateRun struct {
	Spec  Spec   `json:"spec"`
	Nonce uint64 `json:"nonce"` // the author's choice; the same Spec with another nonce is another run
}

// Join makes the sender a member from the next round on and locks its bond. Rule: spec/work.md §3.
type Join struct {
	Run      protocol.Hash `json:"run"`
	Role     Role          `json:"role"`
	Peer     string        `json:"peer"`
	Hire     *Hire         `json:"hire,omitempty"`     // of a provider in a run that hires through the market
	Newcomer bool          `json:"newcomer,omitempty"` // without bond and lease, in a calibration run
}

// Ready brings a member back that was away, from the next round on. Rule: spec/work.md §3.
type Ready struct {
	Run  protocol.Hash `json:"run"`
	Peer string        `json:"peer"` // its addresses now; empty leaves them as they are
}

// Leave gives the bond back, at once or when the open round closes. Rule: spec/work.md §3.
type Leave struct {
	Run protocol.Hash `json:"run"`
}

// Commit seals the result of a unit. Rule: spec/work.md §5.
type Commit struct {
	Run   protocol.Hash `json:"run"`
	Round uint32        `json:"round"`
	Unit  uint32        `json:"unit"`
	Seal  protocol.Hash `json:"seal"` // CommitSeal
}

// Reveal reveals what Commit sealed. Rule: spec/work.md §6.
type Reveal struct {
	Run    protocol.Hash `json:"run"`
	Round  uint32        `json:"round"`
	Unit   uint32        `json:"unit"`
	Result Result        `json:"result"`
	Salt   protocol.Hash `json:"salt"`
}

// AuditCommit seals a verifier's report of one audit pass. Rule: spec/work.md §7.
type AuditCommit struct {
	Run   protocol.Hash `json:"run"`
	Round uint32        `json:"round"`
	Pass  uint32        `json:"pass"`
	Seal  protocol.Hash `json:"seal"` // ReportSeal
}

// AuditReveal reveals what AuditCommit sealed. Rule: spec/work.md §7.
type AuditReveal struct {
	Run    protocol.Hash `json:"run"`
	Round  uint32        `json:"round"`
	Pass   uint32        `json:"pass"`
	Report Report        `json:"report"`
	Salt   protocol.Hash `json:"salt"`
}

// Aggregate names the aggregate that a verifier computed. Rule: spec/work.md §9.
type Aggregate struct {
	Run      protocol.Hash `json:"run"`
	Round    uint32        `json:"round"`
	Next     StateRef      `json:"next"`
	Rejected []uint32      `json:"rejected"` // admitted units that the aggregation rule left out, ascending
	Trace    protocol.Hash `json:"trace"`    // root of its execution as a program of one step: spec/dispute.md §7
}

// Report is what a verifier says about a round.
type Report struct {
	Available []bool   `json:"available"` // by unit index, one for each unit of the round: revealed, fetched, and valid in form
	Audits    Openings `json:"audits"`    // one for each unit that this verifier must audit in this pass, ascending
}

// Opening is a full re-execution of a unit. Who has not executed it cannot know the points.
type Opening struct {
	Unit    uint32        `json:"unit"`
	Points  Points        `json:"points"`  // state roots: start, 15 between, end
	Payload protocol.Hash `json:"payload"` // trace.PayloadRoot of the payload's bytes
	Detail  string        `json:"detail"`  // where it differs from the worker's payload; informational
}

// Openings is a list of openings, of which each takes far more memory than the least text that stands for one.
type Openings []Opening

// UnmarshalJSON refuses a list that is too long before it makes room for it.
func (o *Openings) UnmarshalJSON(data []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(data, &parts); err != nil {
		return err
	}
	if len(parts) > MaxUnits {
		return fmt.Errorf("%w: %d openings, allowed are %d", protocol.ErrTooLarge, len(parts), MaxUnits)
	}
	if parts == nil { // null stays null, so that a message has one JSON form
		*o = nil
		return nil
	}
	list := make(Openings, len(parts))
	for i, part := range parts {
		if err := protocol.DecodeJSON(part, MaxMessage, &list[i]); err != nil {
			return err
		}
	}
	*o = list
	return nil
}

// Points are the state roots of a unit's trace.
type Points [trace.Points]protocol.Hash

// UnmarshalJSON refuses lists of another length, which encoding/json would silently cut or fill.
func (p *Points) UnmarshalJSON(data []byte) error {
	var list []protocol.Hash
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	if len(list) != len(p) {
		return fmt.Errorf("%w: %d trace points, not %d", protocol.ErrInvalid, len(list), len(p))
	}
	copy(p[:], list)
	return nil
}

// Kinds on the wire.
func (CreateRun) Kind() string   { return "work/create-run" }
func (Join) Kind() string        { return "work/join" }
func (Ready) Kind() string       { return "work/ready" }
func (Leave) Kind() string       { return "work/leave" }
func (Commit) Kind() string      { return "work/commit" }
func (Reveal) Kind() string      { return "work/reveal" }
func (AuditCommit) Kind() string { return "work/audit-commit" }
func (AuditReveal) Kind() string { return "work/audit-reveal" }
func (Aggregate) Kind() string   { return "work/aggregate" }

// Runs that the messages are for.
func (CreateRun) Target() protocol.Hash     { return protocol.Hash{} }
func (m Join) Target() protocol.Hash        { return m.Run }
func (m Ready) Target() protocol.Hash       { return m.Run }
func (m Leave) Target() protocol.Hash       { return m.Run }
func (m Commit) Target() protocol.Hash      { return m.Run }
func (m Reveal) Target() protocol.Hash      { return m.Run }
func (m AuditCommit) Target() protocol.Hash { return m.Run }
func (m AuditReveal) Target() protocol.Hash { return m.Run }
func (m Aggregate) Target() protocol.Hash   { return m.Run }

// DecodeMsg reads a message of a kind from its JSON form, which has at most MaxMessage bytes and no unknown fields, and
// checks it. The error wraps protocol.ErrInvalid or ErrTooLarge.
func DecodeMsg(kind string, data []byte) (Msg, error) {
	switch kind {
	case CreateRun{}.Kind():
		return protocol.DecodeMsg[CreateRun](data, MaxMessage)
	case Join{}.Kind():
		return protocol.DecodeMsg[Join](data, MaxMessage)
	case Ready{}.Kind():
		return protocol.DecodeMsg[Ready](data, MaxMessage)
	case Leave{}.Kind():
		return protocol.DecodeMsg[Leave](data, MaxMessage)
	case Commit{}.Kind():
		return protocol.DecodeMsg[Commit](data, MaxMessage)
	case Reveal{}.Kind():
		return protocol.DecodeMsg[Reveal](data, MaxMessage)
	case AuditCommit{}.Kind():
		return protocol.DecodeMsg[AuditCommit](data, MaxMessage)
	case AuditReveal{}.Kind():
		return protocol.DecodeMsg[AuditReveal](data, MaxMessage)
	case Aggregate{}.Kind():
		return protocol.DecodeMsg[Aggregate](data, MaxMessage)
	}
	return nil, protocol.UnknownKind(kind)
}
