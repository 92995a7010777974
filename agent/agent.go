// Package agent owns what all long-running roles share: the small interfaces through which they know the ledger and their
// peers, the identity that their secrets derive from, and the loop that asks the ledger what is due and does it. The roles
// are in the packages below it: provider computes units, verifier recomputes and aggregates, trainer registers and publishes.
//
// A role is a function of the ledger's state: Step says what to send now, and asking twice does no harm. It keeps nothing
// that it could not compute again, so a role that was killed goes on where the ledger stands. This package imports no
// network and no chain; node and sim bring those.
package agent

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/work"
)

// Blobs stores and finds bytes by content address. What Get returns has been checked against the id.
type Blobs interface {
	// Put keeps data and serves it to peers.
	Put(ctx context.Context, data []byte) (protocol.Hash, error)
	// GetAtMost returns the bytes of id from here or from a peer; it keeps asking until ctx ends. With a ctx that has
	// ended it returns what is kept here. More than max bytes are refused before they take memory or disk: who names a
	// blob on the ledger need not have told its size.
	GetAtMost(ctx context.Context, id protocol.Hash, max int64) ([]byte, error)
	// Remove forgets the bytes of id, to make room. It is no error if they are not here.
	Remove(id protocol.Hash) error
	// SetPeers replaces the addresses at which Get asks.
	SetPeers(addresses []string)
}

// Ledger is what a role needs of the ledger. Submit signs with the identity that the ledger client holds; an error of a rule
// wraps its sentinel in package protocol.
type Ledger interface {
	Height(ctx context.Context) (protocol.Height, error)
	// Next waits for a block above after and returns the newest height.
	Next(ctx context.Context, after protocol.Height) (protocol.Height, error)
	Run(ctx context.Context, id protocol.Hash) (*work.State, error)
	Dataset(ctx context.Context, id protocol.Hash) (registry.Dataset, error)
	Submit(ctx context.Context, msgs ...protocol.Msg) error
}

// Court is what a role needs of the ledger to play disputes.
type Court interface {
	// Disputes lists the open disputes about a run.
	Disputes(ctx context.Context, run protocol.Hash) ([]*dispute.State, error)
	// Sign signs a move of the identity that the ledger client holds.
	Sign(digest protocol.Hash) ([]byte, error)
}

// Identity is an account and a secret known to its owner only.
type Identity struct {
	Account protocol.Account
	Secret  [32]byte
}

// Salt derives the salt of a seal: HMAC-SHA-256 of the secret over purpose, run, round and index, so that a restarted
// role opens what it sealed before.
func (id Identity) Salt(purpose string, run protocol.Hash, round, index uint32) protocol.Hash {
	mac := hmac.New(sha256.New, id.Secret[:])
	mac.Write([]byte(purpose))
	mac.Write(run[:])
	mac.Write(binary.BigEndian.AppendUint32(nil, round))
	mac.Write(binary.BigEndian.AppendUint32(nil, index))
	return protocol.Hash(mac.Sum(nil))
}

// News is something that a role did or noticed, for whoever watches it.
type News struct {
	Name   string // one of the constants below
	Round  uint32
	Unit   uint32
	Detail string
}

// Names of news.
const (
	Joined    = "joined"    // the ledger accepted the role
	Started   = "started"   // a unit's computation began
	Sealed    = "sealed"    // a result was sealed on the ledger
	Revealed  = "revealed"  // a result was revealed
	Derived   = "derived"   // this machine computed the aggregate itself; Detail is the model root
	Disagreed = "disagreed" // a recomputation differs; Detail says where
	Moved     = "moved"     // a move in a dispute; Detail says which was asked for
	Refused   = "refused"   // the ledger refused a message; Detail says why
	Trouble   = "trouble"   // something failed and will be tried again
	Ended     = "ended"     // the run has ended
)

// Observer receives news; nil is allowed where one is taken.
type Observer func(News)

// Tell passes n on if somebody listens.
func (o Observer) Tell(n News) {
	if o != nil {
		o(n)
	}
}
