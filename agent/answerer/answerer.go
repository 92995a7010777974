// Package answerer owns the role that answers requests for models: it runs a model on the engine for whoever asked on the ledger, seals the
// answer, opens the seal when all seals are there, and calls the contract that waits for it. It keeps nothing on disk: salts follow from the
// machine's secret, and an answer is computed again, so a restarted answerer goes on where the killed one stood.
package answerer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/request"
)

// Ledger is the chain as an answerer sees it.
type Ledger interface {
	// Account is who signs.
	Account() protocol.Account
	// Wanted lists the requests that are not final.
	Wanted(ctx context.Context) ([]protocol.Hash, error)
	// Request returns a request; of its workers' answers it tells only whether there is one.
	Request(ctx context.Context, id protocol.Hash) (*request.Request, error)
	// Input is what the model is asked.
	Input(ctx context.Context, id protocol.Hash) ([]uint32, error)
	// Artifact is the model, if its bytes are on the ledger, else protocol.ErrNotFound.
	Artifact(ctx context.Context, model protocol.Hash) ([]byte, error)
	// Mine lists the requests in which this account has a seat or which it has made, also those that have ended, as long as they are kept.
	Mine(ctx context.Context) ([]protocol.Hash, error)
	// DeliveryCost is what calling back takes in gas, at most.
	DeliveryCost(ctx context.Context, r *request.Request) (money.Amount, error)
	// Seal, Open and Deliver send a transaction and return when a block has taken it. Deliver says why the contract's callback failed, if it did.
	Seal(ctx context.Context, id, seal protocol.Hash) error
	Open(ctx context.Context, id protocol.Hash, output []uint32, salt protocol.Hash) error
	Deliver(ctx context.Context, id protocol.Hash) (failure string, err error)
}

// Config says for what an answerer works.
type Config struct {
	Secret [32]byte                 // of the machine; salts follow from it
	Price  money.Amount             // the least for an answer
	Models map[protocol.Hash][]byte // graphs by id of the model; looked up, never walked over
	Ledger bool                     // serve every model whose bytes are on the ledger, too
	Tell   func(Event)              // nil for nobody
	Turn   time.Duration            // for how long each seat has a delivery to itself; 0 for Turn
	Now    func() time.Time         // nil for the machine's clock
}

// Turn is for how long each seat has a delivery to itself: long enough for a transaction to be in a block.
const Turn = 4 * time.Second

// Event is something that an answerer did.
type Event struct {
	Kind    string        `json:"event"` // "sealed", "opened", "delivered", "callback-failed", "passed"
	Request protocol.Hash `json:"request"`
	Model   protocol.Hash `json:"model"`
	Why     string        `json:"why,omitempty"` // of one that was passed over, or whose callback failed
	Price   money.Amount  `json:"price"`
}

// maxPrograms bounds the compiled models, maxTried how often a request is tried whose model or transaction fails.
const (
	maxPrograms = 8
	maxTried    = 3
)

// Answerer is the role. One goroutine owns it.
type Answerer struct {
	config   Config
	ledger   Ledger
	programs map[protocol.Hash]*program
	tried    map[protocol.Hash]int      // attempts that failed
	watched  map[protocol.Hash]*watched // whose contract is to be called back
	recalled bool                       // watched has what an earlier process left
	waits    bool
}

type program struct {
	exec          *exec.Program
	input, output graph.Value
}

// New makes an answerer.
func New(l Ledger, c Config) *Answerer {
	if c.Tell == nil {
		c.Tell = func(Event) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Turn == 0 {
		c.Turn = Turn
	}
	return &Answerer{config: c, ledger: l, programs: map[protocol.Hash]*program{}, tried: map[protocol.Hash]int{}, watched: map[protocol.Hash]*watched{}}
}

// Step looks at all requests once and does what is to be done. An error is about the ledger as a whole: what is wrong with one request is
// told and passed over.
func (a *Answerer) Step(ctx context.Context) error {
	if !a.recalled {
		if err := a.recall(ctx); err != nil {
			return err
		}
	}
	ids, err := a.ledger.Wanted(ctx)
	if err != nil {
		return err
	}
	a.waits = false
	for _, id := range ids {
		if err := a.look(ctx, id); err != nil {
			return err
		}
	}
	return a.deliveries(ctx, ids)
}

// Waits reports whether a request that this account answers waited, at the last Step, for blocks to pass and for nothing else.
func (a *Answerer) Waits() bool { return a.waits }

func (a *Answerer) look(ctx context.Context, id protocol.Hash) error {
	if a.tried[id] >= maxTried {
		return nil
	}
	r, err := a.ledger.Request(ctx, id)
	if errors.Is(err, protocol.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	seat := a.seat(r)
	if !r.Ask.Callback.IsZero() && (seat >= 0 || !r.Ask.DeliveryFee.IsZero()) {
		a.watch(id)
	}
	switch {
	case r.Status == request.Wanted && seat < 0 && r.Ask.Price.Compare(a.config.Price) >= 0:
		err = a.answer(ctx, r, "sealed")
	case r.Status == request.Sealed && seat >= 0 && r.Workers[seat].Answer.IsZero():
		err = a.answer(ctx, r, "opened")
	case r.Status == request.Window && seat >= 0:
		a.waits = true
	}
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	a.tried[id]++
	a.tell("passed", r, err.Error())
	return nil
}

// seat is the account's seat, or -1.
func (a *Answerer) seat(r *request.Request) int {
	return slices.IndexFunc(r.Workers, func(w request.Worker) bool { return w.Account == a.ledger.Account() })
}

func (a *Answerer) tell(kind string, r *request.Request, why string) {
	a.config.Tell(Event{Kind: kind, Request: r.ID, Model: r.Ask.Model, Why: why, Price: r.Ask.Price})
}

// answer computes the answer, and seals it or opens the seal.
func (a *Answerer) answer(ctx context.Context, r *request.Request, what string) error {
	p, err := a.program(ctx, r.Ask.Model)
	if errors.Is(err, errNotServed) {
		a.tried[r.ID] = maxTried
		return nil
	}
	if err != nil {
		return err
	}
	input, err := a.ledger.Input(ctx, r.ID)
	if err != nil {
		return err
	}
	output, err := p.run(input)
	if err != nil {
		return err
	}
	if what == "sealed" && r.Ask.Window == 0 { // who opens last calls back at once
		if err := a.affordable(ctx, r, true); err != nil {
			a.tried[r.ID] = maxTried
			return err
		}
	}
	salt := a.salt(r.ID)
	if what == "sealed" {
		err = a.ledger.Seal(ctx, r.ID, request.SealOf(r.ID, a.ledger.Account(), request.Digest(output), salt))
	} else {
		err = a.ledger.Open(ctx, r.ID, output, salt)
	}
	if err == nil {
		a.tell(what, r, "")
	}
	return err
}

// salt follows from the machine's secret and the request: nobody else knows it, and nothing need be kept.
func (a *Answerer) salt(id protocol.Hash) protocol.Hash {
	return new(protocol.Preimage).Bytes(a.config.Secret[:]).Hash(id).Digest("mutirao/answerer/salt")
}

var errNotServed = errors.New("the model is not served here")

// program compiles a model, or has it compiled.
func (a *Answerer) program(ctx context.Context, model protocol.Hash) (*program, error) {
	if p := a.programs[model]; p != nil {
		return p, nil
	}
	raw, ok := a.config.Models[model]
	if !ok {
		if !a.config.Ledger {
			return nil, errNotServed
		}
		var err error
		if raw, err = a.ledger.Artifact(ctx, model); errors.Is(err, protocol.ErrNotFound) {
			return nil, errNotServed
		} else if err != nil {
			return nil, err
		}
	}
	g, err := graph.Decode(raw)
	if err != nil {
		return nil, err
	}
	if len(g.Inputs) != 1 || len(g.Outputs) != 1 || g.Inputs[0].DType != tensor.Float32 || g.Outputs[0].DType != tensor.Float32 {
		return nil, fmt.Errorf("%w: a model that is asked has one input and one output of float32", protocol.ErrShape)
	}
	compiled, err := exec.Compile(g)
	if err != nil {
		return nil, err
	}
	if len(a.programs) == maxPrograms {
		clear(a.programs)
	}
	p := &program{compiled, g.Inputs[0], g.Outputs[0]}
	a.programs[model] = p
	return p, nil
}

// run computes the answer's bits, as every validator would: every NaN is 0x7FC00000.
func (p *program) run(input []uint32) ([]uint32, error) {
	if len(input) != p.input.Len() {
		return nil, fmt.Errorf("%w: %d numbers, the model takes %d", protocol.ErrShape, len(input), p.input.Len())
	}
	numbers := slices.Clone(input)
	for i, bits := range numbers {
		if bits&0x7FFF_FFFF > 0x7F80_0000 {
			numbers[i] = 0x7FC0_0000
		}
	}
	in, err := tensor.Decode(tensor.Float32, p.input.Shape, request.Bytes(numbers))
	if err != nil {
		return nil, err
	}
	out, err := p.exec.Run(map[string]*tensor.Tensor{p.input.Name: in})
	if err != nil {
		return nil, err
	}
	return request.Numbers(out[p.output.Name].Bytes()), nil
}
