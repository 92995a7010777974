package dispute

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/verify/bisect"
)

// Msg is a message of this package. The kinds are Open, Back, Play and Equivocate.
type Msg interface {
	protocol.Msg
	// Target is the dispute that the message is for; zero for Open, which makes one.
	Target() protocol.Hash
}

// Open challenges the claim of a unit's worker, or a verifier's vote for an aggregate. Anyone may. Rule: spec/dispute.md §2, §7.
type Open struct {
	Run   protocol.Hash `json:"run"`
	Round uint32        `json:"round"`
	Unit  uint32        `json:"unit"`  // or work.VoteUnit
	Nonce uint64        `json:"nonce"` // the opener's choice; a second dispute over one claim needs another
}

// Back adds the sender's money to the challenger's side. Rule: spec/dispute.md §2.
type Back struct {
	Dispute protocol.Hash `json:"dispute"`
	Amount  money.Amount  `json:"amount"`
}

// Play makes a move. Whoever sends it, the signature says whose move it is. Rule: spec/dispute.md §3.
type Play struct {
	Move      Move   `json:"move"`
	Signature []byte `json:"signature"`
}

// Equivocate proves that a side has signed two different moves for one turn. Rule: spec/dispute.md §3.
type Equivocate struct {
	Dispute protocol.Hash `json:"dispute"`
	Turn    uint32        `json:"turn"`
	Side    Side          `json:"side"`
	A       Signed        `json:"a"`
	B       Signed        `json:"b"`
}

// Signed is the part in which two moves for one turn differ, with the player's signature of the whole.
type Signed struct {
	Answer    protocol.Hash `json:"answer"` // AnswerHash of the move's
	Choice    uint32        `json:"choice"`
	Signature []byte        `json:"signature"`
}

// Move is an answer of the defender or a choice of the challenger.
type Move struct {
	Dispute protocol.Hash `json:"dispute"`
	Turn    uint32        `json:"turn"`
	Side    Side          `json:"side"`
	Answer  []byte        `json:"answer"` // of the defender; what the challenger shows beside its choice
	Choice  uint32        `json:"choice"` // of the challenger
}

// Digest is what the player signs. It differs for any two different moves.
func (m Move) Digest() protocol.Hash {
	return moveDigest(m.Dispute, m.Turn, m.Side, AnswerHash(m.Answer), m.Choice)
}

// AnswerHash stands for an answer in what is signed, so that evidence about two answers is small.
func AnswerHash(answer []byte) protocol.Hash {
	return new(protocol.Preimage).Bytes(answer).Digest("mutirao/dispute/answer")
}

func moveDigest(dispute protocol.Hash, turn uint32, side Side, answer protocol.Hash, choice uint32) protocol.Hash {
	p := new(protocol.Preimage).Hash(dispute).Uint32(turn).Text(string(side)).Hash(answer).Uint32(choice)
	return p.Digest("mutirao/dispute/move")
}

// Equivocation is the evidence that two signed moves are. They must be for one turn of one side.
func Equivocation(a, b Play) Equivocate {
	part := func(p Play) Signed { return Signed{AnswerHash(p.Move.Answer), p.Move.Choice, p.Signature} }
	return Equivocate{Dispute: a.Move.Dispute, Turn: a.Move.Turn, Side: a.Move.Side, A: part(a), B: part(b)}
}

// digest is what the player signed.
func (m Equivocate) digest(s Signed) protocol.Hash {
	return moveDigest(m.Dispute, m.Turn, m.Side, s.Answer, s.Choice)
}

func (m Move) check() error {
	switch {
	case m.Dispute.IsZero():
		return fmt.Errorf("%w: dispute is missing", protocol.ErrInvalid)
	case m.Side != Defender && m.Side != Challenger:
		return fmt.Errorf("%w: side %.20q", protocol.ErrInvalid, m.Side)
	case len(m.Answer) > bisect.MaxAnswer:
		return fmt.Errorf("%w: an answer of %d bytes, allowed are %d", protocol.ErrTooLarge, len(m.Answer), bisect.MaxAnswer)
	case m.Side == Defender && m.Choice != 0:
		return fmt.Errorf("%w: a choice is the challenger's", protocol.ErrInvalid)
	}
	return nil
}

func checkSignature(b []byte) error {
	if len(b) == 0 || len(b) > MaxSignature {
		return fmt.Errorf("%w: a signature of %d bytes, allowed are 1 to %d", protocol.ErrInvalid, len(b), MaxSignature)
	}
	return nil
}

// Check validates the form.
func (m Open) Check() error {
	if m.Run.IsZero() {
		return fmt.Errorf("%w: run is missing", protocol.ErrInvalid)
	}
	return nil
}

// Check validates the form.
func (m Back) Check() error {
	if m.Dispute.IsZero() {
		return fmt.Errorf("%w: dispute is missing", protocol.ErrInvalid)
	}
	if m.Amount.IsZero() || m.Amount.BitLen() > amountBits {
		return fmt.Errorf("%w: amount is %s", protocol.ErrInvalid, m.Amount)
	}
	return nil
}

// Check validates the form.
func (m Play) Check() error {
	if err := checkSignature(m.Signature); err != nil {
		return err
	}
	return m.Move.check()
}

// Check validates the form.
func (m Equivocate) Check() error {
	switch {
	case m.Dispute.IsZero():
		return fmt.Errorf("%w: dispute is missing", protocol.ErrInvalid)
	case m.Side != Defender && m.Side != Challenger:
		return fmt.Errorf("%w: side %.20q", protocol.ErrInvalid, m.Side)
	case m.A.Answer == m.B.Answer && m.A.Choice == m.B.Choice:
		return fmt.Errorf("%w: the moves are one", protocol.ErrInvalid)
	}
	if err := checkSignature(m.A.Signature); err != nil {
		return err
	}
	return checkSignature(m.B.Signature)
}

// Kinds on the wire.
func (Open) Kind() string       { return "dispute/open" }
func (Back) Kind() string       { return "dispute/back" }
func (Play) Kind() string       { return "dispute/play" }
func (Equivocate) Kind() string { return "dispute/equivocate" }

// Disputes that the messages are for.
func (Open) Target() protocol.Hash         { return protocol.Hash{} }
func (m Back) Target() protocol.Hash       { return m.Dispute }
func (m Play) Target() protocol.Hash       { return m.Move.Dispute }
func (m Equivocate) Target() protocol.Hash { return m.Dispute }

// DecodeMsg reads a message of a kind from its JSON form, which has at most MaxMessage bytes and no unknown fields, and checks
// it. The error wraps protocol.ErrInvalid or ErrTooLarge.
func DecodeMsg(kind string, data []byte) (Msg, error) {
	switch kind {
	case Open{}.Kind():
		return protocol.DecodeMsg[Open](data, MaxMessage)
	case Back{}.Kind():
		return protocol.DecodeMsg[Back](data, MaxMessage)
	case Play{}.Kind():
		return protocol.DecodeMsg[Play](data, MaxMessage)
	case Equivocate{}.Kind():
		return protocol.DecodeMsg[Equivocate](data, MaxMessage)
	}
	return nil, protocol.UnknownKind(kind)
}
