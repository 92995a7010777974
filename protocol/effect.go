package protocol

import "github.com/mutirao/mutirao/protocol/money"

// Effect is something that a rule asks its host to do. The host carries the effects of one rule out in their order and
// either all of them or, when a Lock finds too little money, none and not the new state either.
// The kinds are Lock, Pay, Burn, Record and Event.
type Effect interface{ effect() }

// Lock moves Amount from From's balance into the module's escrow.
type Lock struct {
	From   Account
	Amount money.Amount
	Job    bool // it pays for a job of From's: counted, and nothing else
}

// Pay moves Amount from the module's escrow to To's balance.
type Pay struct {
	To     Account
	Amount money.Amount
	Back   bool // To had locked it: returned, not earned. Rule: spec/commons.md §7
}

// Burn destroys Amount of the module's escrow.
type Burn struct{ Amount money.Amount }

// Record asks the host to keep Value for good, outside of the state, under its kind and key.
type Record struct{ Value Recorded }

// Event tells whoever listens that something happened. It changes nothing.
type Event struct {
	Type       string
	Attributes []Attribute // in a fixed order for each type
}

// Attribute is a named value of an Event.
type Attribute struct{ Name, Value string }

// Recorded is a value that leaves the state when it is final. Its JSON form is deterministic.
type Recorded interface {
	// RecordKind is "receipt" or "summary" (package work) or "use" (package registry).
	RecordKind() string
	// RecordKey is unique within the kind and sorts in the order of time within one run or model.
	RecordKey() string
}

func (Lock) effect()   {}
func (Pay) effect()    {}
func (Burn) effect()   {}
func (Record) effect() {}
func (Event) effect()  {}
