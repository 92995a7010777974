package protocol

import (
	"errors"

	"github.com/mutirao/mutirao/protocol/money"
)

// The errors of the rules. Callers use errors.Is; each has one code that never changes meaning (see Code).
var (
	ErrInvalid      = errors.New("invalid message")                              // form: a size, a range, a text
	ErrNotFound     = errors.New("not found")                                    // no such run, dataset, model
	ErrExists       = errors.New("exists already")                               // same id or same member twice
	ErrInsufficient = errors.New("insufficient balance")                         // a Lock found too little money
	ErrOverflow     = money.ErrRange                                             // arithmetic left 0..2^256-1
	ErrPhase        = errors.New("not in this phase")                            // right message, wrong time
	ErrRound        = errors.New("not the current round")                        // round or unit index does not match
	ErrNotMember    = errors.New("not a member of the run")                      // sender never joined, or left
	ErrNotAssigned  = errors.New("not assigned to the sender")                   // somebody else's unit or duty
	ErrDuplicate    = errors.New("already submitted")                            // the duty is done
	ErrSealMismatch = errors.New("content does not match the seal")              // reveal does not open the commitment
	ErrFull         = errors.New("no place left")                                // a bound on members is reached
	ErrExpelled     = errors.New("expelled from the run")                        // slashed members never come back
	ErrBenched      = errors.New("benched after a miss")                         // Ready before the bench ends
	ErrNotAway      = errors.New("not away")                                     // Ready of an active member
	ErrFinished     = errors.New("the run has ended")                            // nothing can change any more
	ErrNotFinished  = errors.New("the run has not finished")                     // a model before its run's end
	ErrArtifact     = errors.New("artifact does not belong to the run")          // program or weights differ
	ErrTooLarge     = errors.New("over the size limit")                          // bytes, elements or operations
	ErrShape        = errors.New("input or output is not of the required shape") // of a model to be published
)

// codes holds every sentinel at the index that is its code less one. Append only: codes are on the wire.
var codes = []error{
	ErrInvalid, ErrNotFound, ErrExists, ErrInsufficient, ErrOverflow, ErrPhase, ErrRound, ErrNotMember, ErrNotAssigned,
	ErrDuplicate, ErrSealMismatch, ErrFull, ErrExpelled, ErrBenched, ErrNotAway, ErrFinished, ErrNotFinished, ErrArtifact,
	ErrTooLarge, ErrShape,
}

// CodeUnknown is the code of an error that is none of the sentinels: a fault of the host, not an answer of a rule.
const CodeUnknown = 1<<32 - 1

// Code returns 0 for nil, the stable code of the sentinel that err wraps, or CodeUnknown. Where err wraps several, the
// smallest code counts.
func Code(err error) uint32 {
	if err == nil {
		return 0
	}
	for i, sentinel := range codes {
		if errors.Is(err, sentinel) {
			return uint32(i) + 1
		}
	}
	return CodeUnknown
}

// FromCode returns the sentinel of a code, or nil for 0 and for codes that this version does not know.
func FromCode(code uint32) error {
	if code == 0 || uint64(code) > uint64(len(codes)) {
		return nil
	}
	return codes[code-1]
}
