// Package protocol owns the words that all rules of the network share: accounts, hashes, heights, the environment in which
// a rule runs, the effects that it asks its host to carry out, and the stable code of each error. The rules themselves are
// in the packages below it: work (training runs), registry (datasets, models, uses), money (amounts). They are state
// machines in integers: no I/O, no clock, no float, no goroutine, and nothing that depends on the order of a map.
// This package imports protocol/money and verify/merkle only. Source: spec/work.md and spec/registry.md.
package protocol

import "github.com/mutirao/mutirao/verify/merkle"

// Hash is a SHA-256 value: an id, a root or a seal. The zero value stands for "none".
type Hash = merkle.Hash

// Height is the number of a block.
type Height uint64

// Env is what a rule may know besides its state and its message. It is the same on every node.
type Env struct {
	Height Height // the block that is being executed
	Time   int64  // that block's time, seconds since 1970; recorded, never decided upon
}

// Msg is a signed request to change the ledger. The host authenticates the sender and passes it beside the message.
// Messages are values, never pointers.
type Msg interface {
	// Kind is the stable name of the message on the wire, such as "work/commit".
	Kind() string
	// Check validates the form alone: sizes, ranges, text. It never panics; its error has the code of ErrInvalid.
	Check() error
}
