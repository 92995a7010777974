// Package request owns the rules by which somebody asks for the answer of a model that is too large to run inside a transaction:
// escrow, machines that answer under seal, agreement by equal bits, a window in which every validator may be made to compute the
// answer, refunds, and what each answer is worth. Like package work it is pure: a rule takes a request, a message and the environment
// and returns a new request and effects. It runs no model and calls no contract: that is for the host.
// It imports protocol and protocol/money. Source: spec/request.md, which the comments cite by section.
package request

import (
	"encoding/binary"
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// Version numbers the rules in this package. It is in every receipt.
const Version = 1

// Bounds. Rule: spec/request.md §1.
const (
	MaxWorkers     = 7
	MaxInput       = 16_384 // numbers
	MaxOutput      = 1_024  // numbers
	MaxBlocks      = 100_000
	MaxWindow      = 100_000
	MaxCallbackGas = 5_000_000
	OpenBlocks     = 20     // to open the seals, once there are enough
	ContestBlocks  = 100    // to replay a request whose workers disagree
	KeepBlocks     = 50_000 // an answer stays in the state for so long after it is final
	BondFactor     = 2      // of the price: what each worker locks
	priceBits      = 128
)

// Status is where a request stands.
type Status uint8

// The statuses. Rule: spec/request.md §2.
const (
	Wanted    Status = iota // seals are taken
	Sealed                  // all seals are there and are being opened
	Contested               // the opened answers differ
	Window                  // they are equal, and may still be replayed
	Answered                // final
	Refunded                // final: there is no answer
)

var statusNames = [...]string{"wanted", "sealed", "contested", "window", "answered", "refunded"}

func (s Status) String() string { return statusNames[s] }

// Final reports whether nothing can change any more but the delivery.
func (s Status) Final() bool { return s == Answered || s == Refunded }

// Finality says what an answer is worth. Contracts see the number.
type Finality uint8

// The finalities. Rule: spec/request.md §5.
const (
	NoAnswer      Finality = iota // there is none yet, or never
	WindowOpen                    // so many machines agree, and the window in which it can be replayed is open
	Sampled                       // so many machines agreed, and nobody had it replayed while the window was open
	DisputeClosed                 // the machines disagreed, or a replay disagreed with them: every validator has computed it
	Replayed                      // every validator has computed it, and it is what the machines said, if they had said anything
)

var finalityNames = [...]string{"no answer", "window open", "sampled", "dispute closed", "replayed in consensus"}

func (f Finality) String() string { return finalityNames[f] }

// Ask is what a requester wants. Rule: spec/request.md §1.
type Ask struct {
	Model       protocol.Hash    `json:"model"`
	Workers     uint8            `json:"workers"`      // whose bits must be equal
	Price       money.Amount     `json:"price"`        // for each worker
	Blocks      uint64           `json:"blocks"`       // until which seals are taken
	Window      uint64           `json:"window"`       // blocks in which an answer may still be replayed; 0 makes it final at once
	Callback    protocol.Account `json:"callback"`     // contract that is told; zero for none
	CallbackGas uint64           `json:"callback_gas"` // which the callback may use
	DeliveryFee money.Amount     `json:"delivery_fee"` // of who first calls back; 0 for nothing
}

// Worker is a seat of a request.
type Worker struct {
	Account protocol.Account `json:"account"`
	Seal    protocol.Hash    `json:"seal"`
	Answer  protocol.Hash    `json:"answer"` // digest of what it opened; zero until then
}

// Request is a request with all that the rules know of it. Its input and answer, which may be long, are the host's to keep.
type Request struct {
	ID        protocol.Hash    `json:"id"`
	From      protocol.Account `json:"from"`
	Ask       Ask              `json:"ask"`
	Fee       money.Amount     `json:"fee"`    // of the model's holders, if there is an answer
	Inputs    int              `json:"inputs"` // numbers
	Status    Status           `json:"status"`
	Workers   []Worker         `json:"workers,omitempty"`
	Answer    protocol.Hash    `json:"answer"` // digest of the answer, once there is one
	Finality  Finality         `json:"finality"`
	Due       protocol.Height  `json:"due"` // the block at whose end the request changes by itself
	Delivered bool             `json:"delivered,omitempty"`
	Attempts  uint32           `json:"attempts,omitempty"` // calls back, also those that failed
}

// Check validates ranges. The error wraps protocol.ErrInvalid.
func (a Ask) Check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", protocol.ErrInvalid, fmt.Sprintf(format, args...))
	}
	switch {
	case a.Workers < 1 || a.Workers > MaxWorkers:
		return bad("%d workers, allowed are 1 to %d", a.Workers, MaxWorkers)
	case a.Price.IsZero() || a.Price.BitLen() > priceBits:
		return bad("a price of %s, allowed are 1 to 2^%d-1", a.Price, priceBits)
	case a.Blocks < 1 || a.Blocks > MaxBlocks:
		return bad("%d blocks, allowed are 1 to %d", a.Blocks, MaxBlocks)
	case a.Window > MaxWindow:
		return bad("a window of %d blocks, allowed are %d", a.Window, MaxWindow)
	case a.CallbackGas > MaxCallbackGas || a.Callback.IsZero() != (a.CallbackGas == 0):
		return bad("%d gas for a callback to %s, allowed are %d for one", a.CallbackGas, a.Callback, MaxCallbackGas)
	case a.DeliveryFee.BitLen() > priceBits || a.Callback.IsZero() && !a.DeliveryFee.IsZero():
		return bad("%s for calling back to %s, allowed are 0 to 2^%d-1, and nothing without a callback", a.DeliveryFee, a.Callback, priceBits)
	}
	return nil
}

// Cost is what the requester locks: every worker's price, the fee of the model, and what delivering costs.
func (a Ask) Cost(fee money.Amount) money.Amount {
	return a.Price.Times(uint64(a.Workers)).Plus(fee).Plus(a.DeliveryFee)
}

// Bond is what each worker locks.
func (r *Request) Bond() money.Amount { return r.Ask.Price.Times(BondFactor) }

// ID names the request that an account makes as its number-th.
func ID(from protocol.Account, number uint64) protocol.Hash {
	return new(protocol.Preimage).Account(from).Uint64(number).Digest("mutirao/request/id")
}

// Digest is that of an answer: numbers as the bits of float32.
func Digest(output []uint32) protocol.Hash {
	return new(protocol.Preimage).Bytes(Bytes(output)).Digest("mutirao/request/answer")
}

// SealOf is what a worker commits to before it opens its answer: nobody can use another's seal, and nobody sees the answer in it.
func SealOf(id protocol.Hash, worker protocol.Account, answer, salt protocol.Hash) protocol.Hash {
	return new(protocol.Preimage).Hash(id).Account(worker).Hash(answer).Hash(salt).Digest("mutirao/request/seal")
}

// Bytes are the little-endian bytes of numbers.
func Bytes(numbers []uint32) []byte {
	raw := make([]byte, 0, 4*len(numbers))
	for _, v := range numbers {
		raw = binary.LittleEndian.AppendUint32(raw, v)
	}
	return raw
}

// Numbers is the inverse of Bytes.
func Numbers(raw []byte) []uint32 {
	out := make([]uint32, 0, len(raw)/4)
	for ; len(raw) >= 4; raw = raw[4:] {
		out = append(out, binary.LittleEndian.Uint32(raw))
	}
	return out
}
