package audit

import (
	"math/big"
	"strings"
)

// bondFactor times the price is what each worker of a request locks. Rule: spec/request.md §3.
const bondFactor = 2

// asked is a request of which something is in escrow.
type asked struct {
	model      Hash
	from       Account
	workers    int64
	price, fee *big.Int
	delivery   *big.Int // of who first calls back
	seats      []seat
	ended      bool // with an answer: what is left is delivery
}

// seat is a worker; answer is the digest of what it opened, "" until then.
type seat struct {
	who    Account
	answer string
}

func (a *asked) bond() *big.Int { return new(big.Int).Mul(a.price, big.NewInt(bondFactor)) }

func (a *asked) cost() *big.Int {
	c := new(big.Int).Mul(a.price, big.NewInt(a.workers))
	return c.Add(c.Add(c, a.fee), a.delivery)
}

// request reads what a call did to a request: the log of the precompile, in its order. Rule: spec/request.md.
func (b *Books) request(act ContractAct) {
	if act.Kind == ActAsk {
		a := &asked{model: act.Model, from: act.From, workers: act.Parts, price: act.Price, fee: act.Fee, delivery: act.Delivery}
		b.asked[act.Request] = a
		b.move(a.from, b.genesis.Requests, a.cost(), "request for a model")
		return
	}
	a := b.asked[act.Request]
	if act.Kind == ActCall {
		if a != nil && a.ended { // else it is not the first call, or there is nothing to get
			b.move(b.genesis.Requests, act.From, a.delivery, "delivery of an answer")
			delete(b.asked, act.Request)
		}
		return
	}
	if a == nil || a.ended {
		b.find("request "+act.Request.String(), "open", "unknown")
		return
	}
	switch act.Kind {
	case ActSeal:
		a.seats = append(a.seats, seat{who: act.From})
		b.move(act.From, b.genesis.Requests, a.bond(), "bond of an answer")
	case ActOpen:
		for i := range a.seats {
			if a.seats[i].who == act.From {
				a.seats[i].answer = act.Answer
			}
		}
	case ActAnswer:
		b.answered(act.Request, a, act.Answer, act.From)
	}
}

// requestVerdict reads what became of a request at the end of a block.
func (b *Books) requestVerdict(e Event) {
	var id Hash
	a := (*asked)(nil)
	if id.UnmarshalText([]byte(e.Attributes["request"])) == nil {
		a = b.asked[id]
	}
	switch kind := strings.TrimPrefix(e.Kind, "request."); {
	case kind == "expired" && a != nil && a.ended:
		b.move(b.genesis.Requests, a.from, a.delivery, "refund of a delivery fee")
		delete(b.asked, id)
	case a == nil || a.ended:
		b.find("end of request "+e.Attributes["request"], "of an open one", "unknown")
	case kind == "answered" && len(a.seats) > 0: // the window has closed: all of them opened the same
		b.answered(id, a, a.seats[0].answer, Account{})
	case kind == "refunded":
		b.refunded(id, a)
	}
}

// answered pays who opened the truth, gives half of the bonds of the others to by, and hands the model its fee. Rule: spec/request.md §4.
func (b *Books) answered(id Hash, a *asked, truth string, by Account) {
	escrow := b.genesis.Requests
	left, lost := new(big.Int).Mul(a.price, big.NewInt(a.workers)), new(big.Int)
	for _, s := range a.seats {
		switch s.answer {
		case truth:
			left.Sub(left, a.price)
			b.move(escrow, s.who, new(big.Int).Add(a.price, a.bond()), "answer to a request")
		case "":
			b.move(escrow, s.who, a.bond(), "bond of an answer")
		default:
			lost.Add(lost, a.bond())
		}
	}
	bounty := new(big.Int).Rsh(lost, 1)
	b.move(escrow, by, bounty, "bounty of a replay")
	b.move(escrow, Account{}, minus(lost, bounty), "bond of a wrong answer")
	b.move(escrow, a.from, left, "refund of a request")
	b.use(a.model, escrow, a.fee)
	if a.ended = a.delivery.Sign() > 0; !a.ended {
		delete(b.asked, id)
	}
}

// refunded ends a request without an answer. Who sealed and did not open pays those who did. Rule: spec/request.md §6.
func (b *Books) refunded(id Hash, a *asked) {
	escrow := b.genesis.Requests
	opened, lost := int64(0), new(big.Int)
	for _, s := range a.seats {
		if s.answer != "" {
			opened++
		} else if int64(len(a.seats)) == a.workers {
			lost.Add(lost, a.bond())
		}
	}
	each := new(big.Int)
	if lost.Sign() > 0 && opened > 0 {
		each = least(new(big.Int).Set(a.price), new(big.Int).Div(lost, big.NewInt(opened)))
	}
	for _, s := range a.seats {
		switch {
		case s.answer != "":
			b.move(escrow, s.who, new(big.Int).Add(a.bond(), each), "bond of an answer")
		case lost.Sign() == 0:
			b.move(escrow, s.who, a.bond(), "bond of an answer")
		}
	}
	b.move(escrow, Account{}, minus(lost, new(big.Int).Mul(each, big.NewInt(opened))), "bond of a seal that was not opened")
	b.move(escrow, a.from, a.cost(), "refund of a request")
	delete(b.asked, id)
}
