package audit

import (
	"math/big"
	"strconv"
)

// CommonsTerms are what these books need of the parameters of the commons. Rule: spec/commons.md §6.
type CommonsTerms struct {
	Escrow  Account // of votes and deposits
	Deposit *big.Int
	Waived  int // transactions of an account whose fee may be waived
}

// fund is the commons as these books know it: what was proposed, and what was minted. Outcomes of votes are verdicts; what they cost
// is computed here. Rule: spec/commons.md §1 to §5.
type fund struct {
	proposals        map[Hash]*proposal
	began            *big.Int // supply at genesis
	minted, promised *big.Int
	waived           map[Account]int
}

type proposal struct {
	who      Account
	deposit  *big.Int
	run      createRun
	stakes   map[Account]*big.Int
	open     bool
	promised bool // granted, and its run is not made yet
}

func newFund() fund {
	return fund{proposals: map[Hash]*proposal{}, began: new(big.Int), minted: new(big.Int), promised: new(big.Int), waived: map[Account]int{}}
}

// commons reads a message of the commons.
func (b *Books) commons(m Message) {
	switch m.Kind {
	case "commons/propose":
		b.propose(m)
	case "commons/vote":
		b.vote(m)
	default:
		b.find("message "+m.Kind, "known to this audit", "unknown")
	}
}

func (b *Books) propose(m Message) {
	e, ok := b.take("commons.proposed", "proposer", m.From.String())
	var id Hash
	o := &proposal{who: m.From, deposit: new(big.Int), stakes: map[Account]*big.Int{}, open: true}
	if !ok || id.UnmarshalText([]byte(e.Attributes["proposal"])) != nil || b.fund.proposals[id] != nil || !b.decode(m, &o.run) {
		b.find("proposal of "+m.From.String(), "announced, once", "not so")
		return
	}
	if d := b.genesis.Commons.Deposit; d != nil {
		o.deposit.Set(d)
	}
	b.fund.proposals[id] = o
	b.because("deposit of proposal %.8s", id)
	b.move(m.From, b.genesis.Commons.Escrow, o.deposit, "deposit of a proposal")
}

// vote locks or returns the difference to the stake of before.
func (b *Books) vote(m Message) {
	var body struct {
		Proposal Hash
		Amount   Coins
	}
	if !b.decode(m, &body) {
		return
	}
	o := b.fund.proposals[body.Proposal]
	if o == nil || body.Amount.Int == nil || !o.open && body.Amount.Sign() > 0 {
		b.find("vote of "+m.From.String(), "for an open proposal", body.Proposal.String())
		return
	}
	before := o.stakes[m.From]
	if before == nil {
		before = new(big.Int)
	}
	o.stakes[m.From] = body.Amount.Int
	b.because("stake behind proposal %.8s, now %s", body.Proposal, body.Amount)
	if d := minus(body.Amount.Int, before); d.Sign() > 0 {
		b.move(m.From, b.genesis.Commons.Escrow, d, "vote")
	} else {
		b.move(b.genesis.Commons.Escrow, m.From, d.Neg(d), "vote")
	}
}

// voted reads a verdict of the commons.
func (b *Books) voted(e Event) {
	if e.Kind == "commons.waived" {
		b.waived(e)
		return
	}
	var id Hash
	if id.UnmarshalText([]byte(e.Attributes["proposal"])) != nil || b.fund.proposals[id] == nil {
		b.find("event "+e.Kind, "of a proposal that exists", e.Attributes["proposal"])
		return
	}
	o := b.fund.proposals[id]
	switch e.Kind {
	case "commons.granted", "commons.lapsed", "commons.failed":
		if !o.open {
			b.find("proposal "+id.String(), "decided once", e.Kind)
			return
		}
		to := o.who
		if e.Attributes["deposit"] == "burned" {
			to = Account{}
		}
		b.because("proposal %.8s is decided", id)
		b.move(b.genesis.Commons.Escrow, to, o.deposit, "deposit of a proposal")
		o.open, o.promised = false, e.Kind == "commons.granted"
	case "commons.returned":
		var who Account
		if who.UnmarshalText([]byte(e.Attributes["voter"])) != nil || o.open || o.stakes[who] == nil {
			b.find("stake of "+e.Attributes["voter"], "behind a decided proposal", id.String())
			return
		}
		b.because("the vote on proposal %.8s is over", id)
		b.move(b.genesis.Commons.Escrow, who, o.stakes[who], "vote")
		o.stakes[who] = new(big.Int)
	}
}

// grantedRun makes the run of a proposal that was granted: the treasury's money as far as it reaches, the rest promised.
func (b *Books) grantedRun(e Event) {
	var id Hash
	if id.UnmarshalText([]byte(e.Attributes["run"])) != nil {
		return
	}
	o := b.fund.proposals[id]
	if o == nil || !o.promised || b.runs[id] != nil {
		b.find("run "+id.String(), "of a granted proposal", e.Attributes["author"])
		return
	}
	o.promised = false
	r := b.newRun(id, b.genesis.Market.Treasury, o.run)
	if r == nil {
		return
	}
	has := b.balances[b.genesis.Market.Treasury]
	if has == nil {
		has = new(big.Int)
	}
	r.funded = new(big.Int).Set(least(r.budget, has))
	b.fund.promised.Add(b.fund.promised, minus(r.budget, r.funded))
	b.bounded("a grant")
	b.because("run %.8s of the commons may spend %s", id, r.budget)
	b.move(b.genesis.Market.Treasury, b.genesis.Work, r.funded, "budget")
}

// spend takes a part of a run's budget that is paid out now. What the treasury did not give for it is minted.
func (b *Books) spend(r *run, amount *big.Int) {
	if r.funded == nil {
		return
	}
	given := least(amount, r.funded)
	fresh := minus(amount, given)
	r.funded = minus(r.funded, given)
	b.fund.promised = minus(b.fund.promised, fresh)
	b.mint(b.genesis.Work, fresh, "minted for work")
}

// unspent is what goes back to the author when a run ends. A promise that was not spent is none any more.
func (b *Books) unspent(r *run) *big.Int {
	if r.funded == nil {
		return r.budget
	}
	b.fund.promised = minus(b.fund.promised, minus(r.budget, r.funded))
	return r.funded
}

// mint makes coins. Rule: spec/commons.md §5.
func (b *Books) mint(to Account, amount *big.Int, why string) {
	notes := b.notes
	b.notes = nil
	if amount.Sign() == 0 {
		return
	}
	b.fund.minted.Add(b.fund.minted, amount)
	b.supply.Add(b.supply, amount)
	b.add(to, amount)
	b.moves = append(b.moves, Move{Tx: b.tx, To: to, Amount: new(big.Int).Set(amount), Why: why, Notes: notes})
	b.bounded("minting")
}

// bounded checks that what was minted and promised is not more than what was burned: supply and promises together are not more than
// the supply at genesis.
func (b *Books) bounded(after string) {
	if sum := new(big.Int).Add(b.supply, b.fund.promised); sum.Cmp(b.fund.began) > 0 {
		b.find("supply and promises after "+after, "at most "+digits(b.fund.began), digits(sum))
	}
}

// waived counts transactions that cost nothing.
func (b *Books) waived(e Event) {
	var who Account
	if who.UnmarshalText([]byte(e.Attributes["account"])) != nil {
		return
	}
	if b.fund.waived[who]++; b.fund.waived[who] > b.genesis.Commons.Waived {
		b.find("free transactions of "+who.String(), "at most "+strconv.Itoa(b.genesis.Commons.Waived), strconv.Itoa(b.fund.waived[who]))
	}
}

// newcomer makes a member without a bond. The price of its units is a verdict, as prices of the market are. Rule: spec/work.md §14.
func (b *Books) newcomer(who Account, r *run, m *member) {
	e, ok := b.take("work.member-hired", "account", who.String())
	price, err := ParseCoins(e.Attributes["price"])
	if !ok || err != nil || price.Cmp(r.price) > 0 {
		b.find("newcomer "+who.String(), "at a price that the run has locked", e.Attributes["price"])
		price = new(big.Int)
	}
	m.bond, m.price, m.left = new(big.Int), price, false
}

// earnIn adds a fifth of a newcomer's pay to its bond, until that has its size, and returns the rest.
func (b *Books) earnIn(r *run, m *member, pay *big.Int) *big.Int {
	if m == nil || !m.newcomer || m.left {
		return pay
	}
	missing := minus(r.bonds["provider"], m.bond)
	bond := least(part(pay, 1, 5), missing)
	if bond.Sign() < 0 {
		return pay
	}
	b.because("a fifth of a newcomer's pay builds its bond: %s", bond)
	m.bond = new(big.Int).Add(m.bond, bond)
	return minus(pay, bond)
}
