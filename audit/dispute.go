package audit

import "math/big"

// maxRise is how often an opener's bond can double. Rule: spec/dispute.md §2.
const maxRise = 10

// dispute is the money of a game about a claim. Rule: spec/dispute.md §2, §6.
type dispute struct {
	run        Hash
	unit       string
	challenger Account
	defender   Account
	second     Account // the auditor that defends in the defender's place; zero if none
	stakes     []stake // the opener's first
}

type stake struct {
	who  Account
	bond *big.Int
}

// dispute reads a message about a dispute. What decides one is announced as a verdict.
func (b *Books) dispute(m Message) {
	var body struct {
		Run     Hash
		Dispute Hash
		Amount  Coins
	}
	switch m.Kind {
	case "dispute/open":
		if b.decode(m, &body) {
			b.openDispute(m.From)
		}
	case "dispute/back":
		if !b.decode(m, &body) {
			return
		}
		d := b.disputes[body.Dispute]
		if d == nil || body.Amount.Int == nil {
			b.find("backing of "+m.From.String(), "of an open dispute", body.Dispute.String())
			return
		}
		b.move(m.From, b.genesis.Disputes, body.Amount.Int, "backing")
		for i := range d.stakes[1:] {
			if s := &d.stakes[i+1]; s.who == m.From {
				s.bond.Add(s.bond, body.Amount.Int)
				return
			}
		}
		d.stakes = append(d.stakes, stake{m.From, new(big.Int).Set(body.Amount.Int)})
	case "dispute/play", "dispute/equivocate": // move nothing by themselves
	default:
		b.find("message "+m.Kind, "known to this audit", "unknown")
	}
}

// openDispute locks the opener's bond, which doubles with each dispute that it has lost and is that much once more for each that it has open.
func (b *Books) openDispute(from Account) {
	e, ok := b.take("dispute.opened", "challenger", from.String())
	var id Hash
	d := &dispute{challenger: from, unit: e.Attributes["unit"]}
	if !ok || id.UnmarshalText([]byte(e.Attributes["dispute"])) != nil || d.run.UnmarshalText([]byte(e.Attributes["run"])) != nil ||
		d.defender.UnmarshalText([]byte(e.Attributes["defender"])) != nil || b.runs[d.run] == nil {
		b.find("dispute of "+from.String(), "announced, about a run that exists", "not")
		return
	}
	lost, times := b.lost[from], int64(1)
	for _, o := range b.disputes {
		if o.challenger == from {
			times++
		}
	}
	bond := new(big.Int).Mul(b.runs[d.run].price, big.NewInt(b.genesis.DisputePrices))
	if least := b.genesis.DisputeBond; least != nil && bond.Cmp(least) < 0 {
		bond.Set(least)
	}
	bond.Lsh(bond.Mul(bond, big.NewInt(times)), uint(min(lost, maxRise)))
	d.stakes = []stake{{from, bond}}
	b.disputes[id] = d
	b.because("bond of dispute %.8s about unit %s of run %.8s, doubled for each of the %d disputes that the opener has lost, %d times since it has %d open", id, d.unit, d.run, lost, times, times-1)
	b.move(from, b.genesis.Disputes, bond, "bond of a dispute")
}

// disputeCalled notes that the auditor who confirmed a claim defends it, and has what a challenger loses then.
func (b *Books) disputeCalled(e Event) {
	var id Hash
	if id.UnmarshalText([]byte(e.Attributes["dispute"])) != nil || b.disputes[id] == nil || b.disputes[id].second.UnmarshalText([]byte(e.Attributes["second"])) != nil {
		b.find("event "+e.Kind, "of an open dispute", e.Attributes["dispute"])
	}
}

// disputeEnded returns all bonds, or, if the claim stands, gives half to the defender and burns the rest.
func (b *Books) disputeEnded(e Event) {
	var id Hash
	if id.UnmarshalText([]byte(e.Attributes["dispute"])) != nil || b.disputes[id] == nil {
		b.find("event "+e.Kind, "of an open dispute", e.Attributes["dispute"])
		return
	}
	d := b.disputes[id]
	delete(b.disputes, id)
	if e.Attributes["verdict"] == "upheld" {
		b.lost[d.challenger]++
		all := new(big.Int)
		for _, s := range d.stakes {
			all.Add(all, s.bond)
		}
		half := part(all, 1, 2)
		b.because("the claim stood in dispute %.8s: half of the %s that were staked against it", id, all)
		won := d.defender
		if d.second != (Account{}) {
			won = d.second
		}
		b.move(b.genesis.Disputes, won, half, "half of lost bonds")
		b.move(b.genesis.Disputes, Account{}, minus(all, half), "burned")
		return
	}
	for _, s := range d.stakes {
		b.because("dispute %.8s has ended: %s", id, e.Attributes["verdict"])
		b.move(b.genesis.Disputes, s.who, s.bond, "bond of a dispute")
	}
	if e.Attributes["verdict"] == "refuted" {
		b.runs[d.run].refuted[d.defender.String()+"/"+d.unit] = d.stakes
	}
}

// bounties divides a bounty by bonds, rounded down; the rest goes to the opener.
func bounties(amount *big.Int, stakes []stake) []stake {
	all, rest := new(big.Int), new(big.Int).Set(amount)
	for _, s := range stakes {
		all.Add(all, s.bond)
	}
	var list []stake
	for _, s := range stakes {
		p := new(big.Int).Mul(amount, s.bond)
		p.Div(p, all)
		rest.Sub(rest, p)
		list = append(list, stake{s.who, p})
	}
	list[0].bond.Add(list[0].bond, rest)
	return list
}
