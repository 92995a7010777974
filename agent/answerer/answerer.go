// Package answerer owns the role that answers requests for models: it runs a model on the engine for whoever asked on the ledger, seals the
// answer, opens the seal when all seals are there, and has the answer delivered. It keeps nothing on disk: salts follow from the
// machine's secret, and an answer is computed again, so a restarted answerer goes on where the killed one stood.
package answerer

import (
	"context"
	"errors"
	"fmt"
	"slices"

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
	// Seal, Open and Deliver send a transaction and return when a block has taken it.
	Seal(ctx context.Context, id, seal protocol.Hash) error
	Open(ctx context.Context, id protocol.Hash, output []uint32, salt protocol.Hash) error
	Deliver(ctx context.Context, id protocol.Hash) error
}

// Config says for what an answerer works.
type Config struct {
	Secret [32]byte                 // of the machine; salts follow from it
	Price  money.Amount             // the least for an answer
	Models map[protocol.Hash][]byte // graphs by id of the model; looked up, never walked over
	Ledger bool                     // serve every model whose bytes are on the ledger, too
	Tell   func(Event)              // nil for nobody
}

// Event is something that an answerer did.
type Event struct {
	Kind    string        `json:"event"` // "sealed", "opened", "delivered", "passed"
	Request protocol.Hash `json:"request"`
	Model   protocol.Hash `json:"model"`
	Why     string        `json:"why,omitempty"` // of one that was passed over
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
	tried    map[protocol.Hash]int              // attempts that failed
	mine     map[protocol.Hash]*request.Request // in which this account has a seat
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
	return &Answerer{config: c, ledger: l, programs: map[protocol.Hash]*program{}, tried: map[protocol.Hash]int{}, mine: map[protocol.Hash]*request.Request{}}
}

// Step looks at all requests once and does what is to be done. An error is about the ledger as a whole: what is wrong with one request is
// told and passed over.
func (a *Answerer) Step(ctx context.Context) error {
	ids, err := a.ledger.Wanted(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := a.look(ctx, id); err != nil {
			return err
		}
	}
	for id := range a.mine { // the order does not matter: each is a transaction of its own
		if slices.Contains(ids, id) {
			continue
		}
		if err := a.deliver(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

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
	seat := slices.IndexFunc(r.Workers, func(w request.Worker) bool { return w.Account == a.ledger.Account() })
	if seat >= 0 {
		a.mine[id] = r
	}
	switch {
	case r.Status == request.Wanted && seat < 0 && r.Ask.Price.Compare(a.config.Price) >= 0:
		err = a.answer(ctx, r, "sealed")
	case r.Status == request.Sealed && seat >= 0 && r.Workers[seat].Answer.IsZero():
		err = a.answer(ctx, r, "opened")
	}
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	a.tried[id]++
	a.config.Tell(Event{Kind: "passed", Request: id, Model: r.Ask.Model, Why: err.Error(), Price: r.Ask.Price})
	return nil
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
	salt := a.salt(r.ID)
	if what == "sealed" {
		err = a.ledger.Seal(ctx, r.ID, request.SealOf(r.ID, a.ledger.Account(), request.Digest(output), salt))
	} else {
		err = a.ledger.Open(ctx, r.ID, output, salt)
	}
	if err == nil {
		a.mine[r.ID] = r
		a.config.Tell(Event{Kind: what, Request: r.ID, Model: r.Ask.Model, Price: r.Ask.Price})
	}
	return err
}

// salt follows from the machine's secret and the request: nobody else knows it, and nothing need be kept.
func (a *Answerer) salt(id protocol.Hash) protocol.Hash {
	return new(protocol.Preimage).Bytes(a.config.Secret[:]).Hash(id).Digest("mutirao/answerer/salt")
}

// deliver has a final answer delivered whose callback was not called, because its window closed by itself, or failed. It tries once.
func (a *Answerer) deliver(ctx context.Context, id protocol.Hash) error {
	delete(a.mine, id)
	r, err := a.ledger.Request(ctx, id)
	switch {
	case errors.Is(err, protocol.ErrNotFound):
		return nil
	case err != nil:
		return err
	case r.Status != request.Answered || r.Delivered || r.Ask.Callback.IsZero():
		return nil
	}
	if err := a.ledger.Deliver(ctx, id); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		a.config.Tell(Event{Kind: "passed", Request: id, Model: r.Ask.Model, Why: err.Error(), Price: r.Ask.Price})
		return nil
	}
	a.config.Tell(Event{Kind: "delivered", Request: id, Model: r.Ask.Model, Price: r.Ask.Price})
	return nil
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
