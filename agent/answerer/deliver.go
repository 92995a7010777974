package answerer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/request"
)

// watched is a request whose contract is to be called back.
type watched struct {
	since time.Time // when this process first saw it answered; zero before
	tried int
}

func (a *Answerer) watch(id protocol.Hash) {
	if a.watched[id] == nil {
		a.watched[id] = &watched{}
	}
}

// recall finds what an earlier process of this account left undelivered.
func (a *Answerer) recall(ctx context.Context) error {
	ids, err := a.ledger.Mine(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		a.watch(id)
	}
	a.recalled = true
	return nil
}

// deliveries has the contracts called whose answers are final. open are the requests that are not.
func (a *Answerer) deliveries(ctx context.Context, open []protocol.Hash) error {
	for id, w := range a.watched { // the order does not matter: each is a transaction of its own
		if slices.Contains(open, id) {
			continue
		}
		if err := a.deliver(ctx, id, w); err != nil {
			return err
		}
	}
	return nil
}

// deliver calls back for one request whose window closed by itself. The seats take turns, in their order, and who has none comes last; so
// one transaction does, and a machine that is gone delays it by a turn. A callback that failed is left to whoever repairs it.
func (a *Answerer) deliver(ctx context.Context, id protocol.Hash, w *watched) error {
	r, err := a.ledger.Request(ctx, id)
	switch {
	case errors.Is(err, protocol.ErrNotFound):
		delete(a.watched, id)
		return nil
	case err != nil:
		return err
	case !r.Status.Final(): // it was made after the list
		return nil
	case r.Status != request.Answered || r.Delivered || r.Attempts > 0 || r.Ask.Callback.IsZero():
		delete(a.watched, id)
		return nil
	}
	now, turn := a.config.Now(), a.seat(r)
	if turn < 0 {
		turn = len(r.Workers)
	}
	if w.since.IsZero() {
		w.since = now
	}
	if now.Sub(w.since) < time.Duration(turn)*a.config.Turn {
		return nil
	}
	if err := a.affordable(ctx, r, turn < len(r.Workers)); err != nil {
		delete(a.watched, id)
		a.tell("passed", r, err.Error())
		return nil
	}
	failure, err := a.ledger.Deliver(ctx, id)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		if w.tried++; w.tried >= maxTried {
			delete(a.watched, id)
			a.tell("passed", r, err.Error())
		}
		return nil // the next Step sees whether somebody else was faster
	case failure != "":
		a.tell("callback-failed", r, failure)
	default:
		a.tell("delivered", r, "")
	}
	delete(a.watched, id)
	return nil
}

var errDear = errors.New("calling back costs more than it brings")

// affordable reports whether calling back costs no more than the request pays this account: the fee for it, and the price of a seat.
func (a *Answerer) affordable(ctx context.Context, r *request.Request, seated bool) error {
	if r.Ask.Callback.IsZero() {
		return nil
	}
	cost, err := a.ledger.DeliveryCost(ctx, r)
	if err != nil {
		return err
	}
	worth := r.Ask.DeliveryFee
	if seated {
		worth = worth.Plus(r.Ask.Price)
	}
	if cost.Compare(worth) > 0 {
		return fmt.Errorf("%w: up to %s of gas, for %s", errDear, cost.Coins(), worth.Coins())
	}
	return nil
}
