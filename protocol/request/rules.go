package request

import (
	"fmt"
	"math"
	"slices"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// Create makes a request. number counts those of the sender. Effects: the cost is locked. Errors: ErrInvalid. Rule: spec/request.md §1.
func Create(a Ask, fee money.Amount, inputs int, from protocol.Account, number uint64, env protocol.Env) (*Request, []protocol.Effect, error) {
	if err := a.Check(); err != nil {
		return nil, nil, err
	}
	if from.IsZero() || inputs < 1 || inputs > MaxInput {
		return nil, nil, fmt.Errorf("%w: %d numbers from %s, allowed are 1 to %d", protocol.ErrInvalid, inputs, from, MaxInput)
	}
	r := &Request{ID: ID(from, number), From: from, Ask: a, Fee: fee, Inputs: inputs, Due: env.Height + protocol.Height(a.Blocks)}
	return r, []protocol.Effect{
		protocol.Lock{From: from, Amount: a.Cost(fee)},
		r.event("asked", "model", a.Model.String(), "from", from.String(), "cost", a.Cost(fee).String()),
	}, nil
}

// clone is a copy that shares nothing that changes.
func (r *Request) clone() *Request {
	c := *r
	c.Workers = slices.Clone(r.Workers)
	return &c
}

// seat is the index of a worker, or -1.
func (r *Request) seat(who protocol.Account) int {
	return slices.IndexFunc(r.Workers, func(w Worker) bool { return w.Account == who })
}

// Take seals an answer. The seat is the sender's until the request ends. Effects: its bond is locked. Errors: ErrPhase, ErrDuplicate,
// ErrInvalid. Rule: spec/request.md §3.
func Take(r *Request, seal protocol.Hash, from protocol.Account, env protocol.Env) (*Request, []protocol.Effect, error) {
	switch {
	case r.Status != Wanted || env.Height > r.Due:
		return nil, nil, fmt.Errorf("%w: request %s takes no seals: it is %s", protocol.ErrPhase, r.ID, r.Status)
	case r.seat(from) >= 0:
		return nil, nil, fmt.Errorf("%w: %s has sealed an answer", protocol.ErrDuplicate, from)
	case from.IsZero() || seal.IsZero():
		return nil, nil, fmt.Errorf("%w: no seal", protocol.ErrInvalid)
	}
	r = r.clone()
	r.Workers = append(r.Workers, Worker{Account: from, Seal: seal})
	effects := []protocol.Effect{protocol.Lock{From: from, Amount: r.Bond()}, r.event("sealed", "worker", from.String(), "bond", r.Bond().String())}
	if len(r.Workers) == int(r.Ask.Workers) {
		r.Status, r.Due = Sealed, env.Height+OpenBlocks
	}
	return r, effects, nil
}

// Open opens a seal. When it is the last one, the answers are compared: if all are equal, the window begins, or the request is
// answered if it has none; else it is contested. Errors: ErrPhase, ErrNotAssigned, ErrDuplicate, ErrSealMismatch, ErrTooLarge.
// Rule: spec/request.md §3, §4.
func Open(r *Request, output []uint32, salt protocol.Hash, from protocol.Account, env protocol.Env) (*Request, []protocol.Effect, error) {
	at := r.seat(from)
	switch {
	case r.Status != Sealed || env.Height > r.Due:
		return nil, nil, fmt.Errorf("%w: seals of request %s are not opened now: it is %s", protocol.ErrPhase, r.ID, r.Status)
	case at < 0:
		return nil, nil, fmt.Errorf("%w: %s has sealed nothing", protocol.ErrNotAssigned, from)
	case !r.Workers[at].Answer.IsZero():
		return nil, nil, fmt.Errorf("%w: the seal of %s is open", protocol.ErrDuplicate, from)
	case len(output) < 1 || len(output) > MaxOutput:
		return nil, nil, fmt.Errorf("%w: an answer of %d numbers, allowed are 1 to %d", protocol.ErrTooLarge, len(output), MaxOutput)
	case SealOf(r.ID, from, Digest(output), salt) != r.Workers[at].Seal:
		return nil, nil, fmt.Errorf("%w: request %s", protocol.ErrSealMismatch, r.ID)
	}
	r = r.clone()
	r.Workers[at].Answer = Digest(output)
	effects := []protocol.Effect{r.event("opened", "worker", from.String())}
	if slices.ContainsFunc(r.Workers, func(w Worker) bool { return w.Answer.IsZero() }) {
		return r, effects, nil
	}
	first := r.Workers[0].Answer
	if slices.ContainsFunc(r.Workers, func(w Worker) bool { return w.Answer != first }) {
		r.Status, r.Due = Contested, env.Height+ContestBlocks
		return r, append(effects, r.event("contested")), nil
	}
	r.Answer = first
	if r.Ask.Window > 0 {
		r.Status, r.Finality, r.Due = Window, WindowOpen, env.Height+protocol.Height(r.Ask.Window)
		return r, effects, nil
	}
	done, paid := answer(r, first, Sampled, protocol.Account{}, env)
	return done, append(effects, paid...), nil
}

// Replay ends a request with the answer that every validator has computed. by pays for the computation: it gets half of the bonds of those who
// sealed and opened another answer; the rest of them is burned. Errors: ErrPhase. Rule: spec/request.md §4.
func Replay(r *Request, output []uint32, by protocol.Account, env protocol.Env) (*Request, []protocol.Effect, error) {
	if r.Status.Final() {
		return nil, nil, fmt.Errorf("%w: request %s is %s", protocol.ErrPhase, r.ID, r.Status)
	}
	truth := Digest(output)
	how := Replayed
	if r.Status == Contested || r.Status == Window && r.Answer != truth {
		how = DisputeClosed
	}
	done, effects := answer(r.clone(), truth, how, by, env)
	return done, effects, nil
}

// answer makes r final. Who opened the right answer has its price and its bond, who opened another loses the bond, who opened none, because
// the time for it has not passed, has the bond back. What is left of the prices is the requester's.
func answer(r *Request, truth protocol.Hash, how Finality, by protocol.Account, env protocol.Env) (*Request, []protocol.Effect) {
	r.Answer, r.Finality = truth, how
	var effects []protocol.Effect
	left, lost := r.Ask.Price.Times(uint64(r.Ask.Workers)), money.Amount{}
	receipt := Receipt{Version: Version, Request: r.ID, Model: r.Ask.Model, From: r.From, Answer: truth, Finality: how.String(), Fee: r.Fee, DeliveryFee: r.Ask.DeliveryFee, Height: env.Height, Time: env.Time}
	for _, w := range r.Workers {
		switch {
		case w.Answer == truth:
			left = left.Minus(r.Ask.Price)
			effects = append(effects, protocol.Pay{To: w.Account, Amount: r.Ask.Price.Plus(r.Bond())})
			receipt.Paid = append(receipt.Paid, w.Account)
		case w.Answer.IsZero():
			effects = append(effects, protocol.Pay{To: w.Account, Amount: r.Bond()})
		default:
			lost = lost.Plus(r.Bond())
			receipt.Lost = append(receipt.Lost, w.Account)
		}
	}
	if !lost.IsZero() {
		bounty := lost.Part(1, 2)
		effects = append(effects, protocol.Pay{To: by, Amount: bounty}, protocol.Burn{Amount: lost.Minus(bounty)})
		receipt.Bounty = bounty
	}
	if !left.IsZero() {
		effects = append(effects, protocol.Pay{To: r.From, Amount: left})
	}
	receipt.Back = left
	return r.close(Answered, env), append(effects, protocol.Record{Value: receipt},
		r.event("answered", "finality", how.String(), "paid", texts(receipt.Paid), "lost", texts(receipt.Lost), "by", by.String()))
}

// Tick lets the time pass at the end of a block: it changes a request whose Due is over, and drops one that was kept long enough. It
// returns nil for one that is gone, and what goes back then. Rule: spec/request.md §6, §7.
func Tick(r *Request, env protocol.Env) (*Request, []protocol.Effect) {
	if env.Height < r.Due {
		return r, nil
	}
	switch r.Status {
	case Wanted, Contested:
		return refund(r.clone(), env)
	case Sealed:
		return late(r.clone(), env)
	case Window:
		return answer(r.clone(), r.Answer, Sampled, protocol.Account{}, env)
	}
	return nil, expire(r)
}

// expire is the end of what was kept: a fee that nobody has earned goes back.
func expire(r *Request) []protocol.Effect {
	left := r.Escrow()
	if left.IsZero() {
		return nil
	}
	return []protocol.Effect{protocol.Pay{To: r.From, Amount: left}, r.event("expired", "back", left.String())}
}

// refund gives everybody back what is theirs.
func refund(r *Request, env protocol.Env) (*Request, []protocol.Effect) {
	var effects []protocol.Effect
	for _, w := range r.Workers {
		effects = append(effects, protocol.Pay{To: w.Account, Amount: r.Bond()})
	}
	return r.back(effects, nil, env)
}

// late refunds a request of which a seal was not opened. Who did not open loses the bond: it pays those who did, as if there were an
// answer, as far as it goes, and the rest is burned.
func late(r *Request, env protocol.Env) (*Request, []protocol.Effect) {
	var effects []protocol.Effect
	var lost money.Amount
	var idle []protocol.Account
	opened := uint64(0)
	for _, w := range r.Workers {
		if w.Answer.IsZero() {
			lost, idle = lost.Plus(r.Bond()), append(idle, w.Account)
			continue
		}
		opened++
	}
	each := r.Ask.Price
	if opened > 0 && each.Times(opened).Compare(lost) > 0 {
		each = lost.Part(1, opened)
	}
	for _, w := range r.Workers {
		if !w.Answer.IsZero() {
			effects = append(effects, protocol.Pay{To: w.Account, Amount: r.Bond().Plus(each)})
		}
	}
	if rest := lost.Minus(each.Times(opened)); !rest.IsZero() {
		effects = append(effects, protocol.Burn{Amount: rest})
	}
	return r.back(effects, idle, env)
}

// back ends r without an answer.
func (r *Request) back(effects []protocol.Effect, idle []protocol.Account, env protocol.Env) (*Request, []protocol.Effect) {
	cost := r.Ask.Cost(r.Fee)
	receipt := Receipt{Version: Version, Request: r.ID, Model: r.Ask.Model, From: r.From, Finality: NoAnswer.String(), Lost: idle, Back: cost, Height: env.Height, Time: env.Time}
	r.Answer, r.Finality = protocol.Hash{}, NoAnswer
	return r.close(Refunded, env), append(effects, protocol.Pay{To: r.From, Amount: cost}, protocol.Record{Value: receipt},
		r.event("refunded", "lost", texts(idle)))
}

func (r *Request) close(s Status, env protocol.Env) *Request {
	r.Status, r.Due = s, env.Height+KeepBlocks
	return r
}

// Deliver marks the answer as delivered, before the host calls the contract: a callback that calls back finds it done. Undo with Failed.
// Effects: by, who has it called, gets the fee, once, whatever becomes of the call: it spends the gas in any case and cannot make the call
// fail. Errors: ErrPhase before the answer is final and if there is no contract to tell, ErrDuplicate. Rule: spec/request.md §7.
func Deliver(r *Request, by protocol.Account) (*Request, []protocol.Effect, error) {
	switch {
	case r.Status != Answered || r.Ask.Callback.IsZero():
		return nil, nil, fmt.Errorf("%w: request %s has nothing to deliver", protocol.ErrPhase, r.ID)
	case r.Delivered:
		return nil, nil, fmt.Errorf("%w: request %s is delivered", protocol.ErrDuplicate, r.ID)
	}
	var effects []protocol.Effect
	if fee := r.Escrow(); !fee.IsZero() {
		effects = append(effects, protocol.Pay{To: by, Amount: fee})
	}
	r = r.clone()
	r.Delivered = true
	if r.Attempts != math.MaxUint32 {
		r.Attempts++
	}
	return r, effects, nil
}

// Failed takes Deliver back: the callback has failed, and anybody may try again.
func Failed(r *Request) *Request {
	r = r.clone()
	r.Delivered = false
	return r
}

// Escrow is what the request holds of the module's money.
func (r *Request) Escrow() money.Amount {
	switch {
	case r.Status == Answered && r.Attempts == 0:
		return r.Ask.DeliveryFee
	case r.Status.Final():
		return money.Amount{}
	}
	return r.Ask.Cost(r.Fee).Plus(r.Bond().Times(uint64(len(r.Workers))))
}

// LockedBy is what of Escrow an account has locked.
func (r *Request) LockedBy(who protocol.Account) (sum money.Amount) {
	if r.Status.Final() {
		if r.From == who {
			sum = r.Escrow()
		}
		return sum
	}
	if r.From == who {
		sum = r.Ask.Cost(r.Fee)
	}
	if r.seat(who) >= 0 {
		sum = sum.Plus(r.Bond())
	}
	return sum
}

func (r *Request) event(kind string, pairs ...string) protocol.Event {
	e := protocol.Event{Type: "request." + kind, Attributes: []protocol.Attribute{{Name: "request", Value: r.ID.String()}}}
	for i := 0; i+1 < len(pairs); i += 2 {
		e.Attributes = append(e.Attributes, protocol.Attribute{Name: pairs[i], Value: pairs[i+1]})
	}
	return e
}
