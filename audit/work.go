package audit

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// run is the money of one training run: its unspent budget and its members' bonds. Rule: spec/work.md §3, §8, §10.
type run struct {
	author  Account
	ended   bool
	funded  *big.Int // of a run of the commons, in escrow and not spent; nil for others
	market  bool     // it hires its providers
	dataset Hash
	parents []parent
	budget  *big.Int
	price   *big.Int
	split   [2]int64 // parts of 10,000: provider, verifiers; the rest is burned
	fine    int64    // prices of a unit that an audit costs which is taken back
	vesting int      // rounds for which workers' pay is kept back
	done    int64    // rounds that admitted something
	bonds   map[string]*big.Int
	members map[Account]*member
	order   []Account          // of joining
	opened  map[string]bool    // "round/unit/account" with an accepted reveal, "round/account" with an accepted report or vote
	refuted map[string][]stake // "account/unit" of a claim that a dispute has refuted, with who staked on that
	pool    *big.Int           // of the round that is closing
	due     []duties           // of the round that is closing
	burn    *big.Int
}

type member struct {
	bond     *big.Int
	price    *big.Int // of its units
	newcomer bool     // it builds its bond from pay
	left     bool     // and needs none any more
	lease    *lease   // by which it was hired; nil otherwise
	earned   wages    // in the round that is closing, if pay is kept back
	kept     []wages  // of the last rounds and not paid, the oldest first
	units    int64
	duties   int64
	expelled bool
	provenBy Account
}

type duties struct {
	who Account
	n   int64
}

// Split and price come from the message that made the run.
type createRun struct {
	Spec struct {
		Dataset   Hash     `json:"dataset"`
		Rounds    int64    `json:"rounds"`
		MaxUnits  int64    `json:"max_units"`
		Parents   []parent `json:"parents"`
		Providers Coins    `json:"provider_bond"`
		Verifiers Coins    `json:"verifier_bond"`
		Price     struct {
			PerUnit Coins `json:"per_unit"`
		} `json:"price"`
		Market *struct{} `json:"market"`
		Split  struct {
			Provider  int64 `json:"provider"`
			Verifiers int64 `json:"verifiers"`
		} `json:"split"`
		Audit struct {
			Fine int64 `json:"fine_prices"`
		} `json:"audit"`
		Vesting struct {
			Rounds int `json:"rounds"`
		} `json:"vesting"`
	} `json:"spec"`
}

type parent struct {
	Model Hash  `json:"model"`
	PPM   int64 `json:"ppm"`
}

// work reads a message about a run.
func (b *Books) work(m Message) {
	if m.Kind == "work/create-run" {
		b.createRun(m)
		return
	}
	var body struct {
		Run      Hash   `json:"run"`
		Role     string `json:"role"`
		Round    int64  `json:"round"`
		Unit     int64  `json:"unit"`
		Newcomer bool   `json:"newcomer"`
		Hire     *struct {
			Lease Hash  `json:"lease"`
			Price int64 `json:"price"`
		} `json:"hire"`
	}
	if !b.decode(m, &body) {
		return
	}
	r := b.runs[body.Run]
	if r == nil {
		b.find("message "+m.Kind, "about a run that exists", body.Run.String())
		return
	}
	switch m.Kind {
	case "work/join":
		who := r.members[m.From]
		if who == nil {
			who = &member{bond: new(big.Int), earned: newWages()}
			r.members[m.From] = who
		}
		if r.bonds[body.Role] == nil {
			b.find("member "+m.From.String(), "provider or verifier", body.Role)
			return
		}
		who.bond, who.price = new(big.Int).Set(r.bonds[body.Role]), r.price
		if who.newcomer = body.Newcomer; who.newcomer {
			b.newcomer(m.From, r, who)
			return
		}
		if (body.Hire != nil) != (r.market && body.Role == "provider") {
			b.find("member "+m.From.String(), "hired if and only if the run hires", "not so")
		}
		if body.Hire != nil {
			who.price, who.lease = b.hired(m, r, body.Hire.Lease, body.Hire.Price), b.trade.leases[body.Hire.Lease]
		}
		b.because("bond of a %s in run %.8s", body.Role, body.Run)
		b.move(m.From, b.genesis.Work, who.bond, "bond")
	case "work/reveal":
		r.opened[fmt.Sprintf("%d/%d/%s", body.Round, body.Unit, m.From)] = true
	case "work/audit-reveal", "work/aggregate":
		r.opened[fmt.Sprintf("%d/%s", body.Round, m.From)] = true
	case "work/ready", "work/leave", "work/commit", "work/audit-commit": // move nothing by themselves
	default:
		b.find("message "+m.Kind, "known to this audit", "unknown")
	}
}

func (b *Books) createRun(m Message) {
	var body createRun
	e, ok := b.take("work.run-created", "author", m.From.String())
	var id Hash
	if !ok || id.UnmarshalText([]byte(e.Attributes["run"])) != nil || !b.decode(m, &body) {
		b.find("run of "+m.From.String(), "announced", "not announced")
		return
	}
	if r := b.newRun(id, m.From, body); r != nil {
		b.because("budget of run %.8s: %d rounds of at most %d units at %s or less", id, body.Spec.Rounds, body.Spec.MaxUnits, r.price)
		b.move(m.From, b.genesis.Work, r.budget, "budget")
	}
}

// newRun makes a run whose budget is not locked yet.
func (b *Books) newRun(id Hash, author Account, body createRun) *run {
	s := body.Spec
	if s.Price.PerUnit.Int == nil || s.Providers.Int == nil || s.Verifiers.Int == nil {
		b.find("run "+id.String(), "with a price and bonds", "without")
		return nil
	}
	r := &run{
		market: s.Market != nil, author: author, dataset: s.Dataset, parents: s.Parents, price: s.Price.PerUnit.Int, split: [2]int64{s.Split.Provider, s.Split.Verifiers}, fine: s.Audit.Fine, vesting: s.Vesting.Rounds,
		bonds:   map[string]*big.Int{"provider": s.Providers.Int, "verifier": s.Verifiers.Int},
		members: map[Account]*member{}, opened: map[string]bool{}, refuted: map[string][]stake{}, pool: new(big.Int), burn: new(big.Int),
	}
	r.budget = new(big.Int).Mul(r.price, new(big.Int).Mul(big.NewInt(s.Rounds), big.NewInt(s.MaxUnits)))
	b.runs[id] = r
	return r
}

// verdict reads an event. Those that decide about no money are passed over.
func (b *Books) verdict(e Event) {
	if strings.HasPrefix(e.Kind, "market.") {
		b.traded(e)
		return
	}
	if strings.HasPrefix(e.Kind, "commons.") {
		b.voted(e)
		return
	}
	switch e.Kind {
	case "work.run-created":
		b.grantedRun(e) // by no message
		return
	case "gov.decided":
		b.governed(e)
		return
	case "request.answered", "request.refunded", "request.expired":
		b.requestVerdict(e)
		return
	case "dispute.called":
		b.disputeCalled(e)
		return
	case "dispute.ended":
		b.disputeEnded(e)
		return
	case "voucher.channel-ended":
		b.channelEnded(e)
		return
	case "registry.upload-expired":
		b.uploadExpired(e)
		return
	}
	var id Hash
	if id.UnmarshalText([]byte(e.Attributes["run"])) != nil || b.runs[id] == nil {
		return
	}
	r := b.runs[id]
	account := func(name string) (a Account) {
		if a.UnmarshalText([]byte(e.Attributes[name])) != nil {
			b.find("event "+e.Kind, "an account in "+name, e.Attributes[name])
		}
		return a
	}
	number := func(name string) int64 {
		n, err := strconv.ParseInt(e.Attributes[name], 10, 64)
		if err != nil {
			b.find("event "+e.Kind, "a number in "+name, e.Attributes[name])
		}
		return n
	}
	switch e.Kind {
	case "work.unit-reassigned":
		from := account("from")
		b.because("a unit of run %.8s that it did not begin in time went to another member", id)
		b.nothing(from, "unit")
		b.expect(Receipt{Owner: id, Kind: "unit", To: from, Amount: "0"})
	case "work.unit-closed":
		b.unitClosed(id, r, number("round"), number("unit"), account("worker"), e.Attributes["verdict"])
	case "work.duties-done":
		r.due = append(r.due, duties{account("account"), number("duties")})
	case "work.round-closed":
		b.roundClosed(id, r, number("round"), number("done"))
	case "work.slashed":
		b.slashed(id, r, account("account"), account("to"), e.Attributes["unit"])
	case "work.fined":
		b.fined(r, account("account"))
	case "work.member-left":
		b.left(id, r, account("account"))
	case "work.run-ended":
		if !r.ended {
			r.ended, b.trade.ended = true, append(b.trade.ended, id)
		}
		b.payAllKept(id, r)
		if r.budget.Sign() > 0 {
			b.because("budget of run %.8s that was not spent", id)
			b.pay(id, "refund", r.author, b.unspent(r))
			r.budget = new(big.Int)
		}
	}
}

// unitClosed pays an admitted unit: its price leaves the budget, the worker has its part, at once or when it is not kept back any more, the
// verifiers' part waits for the duties, the rest is burned.
func (b *Books) unitClosed(id Hash, r *run, round, unit int64, worker Account, verdict string) {
	if verdict != "revealed" && verdict != "verified" {
		b.because("unit %d of round %d of run %.8s: %s; its price stays in the run's budget", unit, round, id, verdict)
		b.nothing(worker, "unit")
		b.expect(Receipt{Owner: id, Kind: "unit", To: worker, Amount: "0"})
		return
	}
	who := r.members[worker]
	if who == nil || !r.opened[fmt.Sprintf("%d/%d/%s", round, unit, worker)] {
		b.find(fmt.Sprintf("unit %d of round %d of run %s", unit, round, id), "opened by "+worker.String(), "never opened")
		return
	}
	provider, pool := part(who.price, r.split[0], 10_000), part(who.price, r.split[1], 10_000)
	r.budget.Sub(r.budget, who.price)
	b.spend(r, who.price)
	r.pool.Add(r.pool, pool)
	r.burn.Add(r.burn, minus(minus(who.price, provider), pool))
	who.units++
	b.because("unit %d of round %d of run %.8s: %s", unit, round, id, verdict)
	b.hireNote(r, who)
	b.because("of the price the worker has %d of 10,000, which is %s; the verifiers' part is %s, and %s are burned", r.split[0], provider, pool, minus(minus(who.price, provider), pool))
	if r.vesting > 0 {
		b.because("the worker's part is kept back for %d rounds", r.vesting)
		who.earned.amount.Add(who.earned.amount, provider)
		who.earned.notes = append(who.earned.notes, b.notes...)
		b.nothing(worker, "unit")
		b.expect(Receipt{Owner: id, Kind: "unit", To: worker, Amount: "0"})
		return
	}
	b.pay(id, "unit", worker, b.earnIn(r, who, provider))
}

// hireNote says where the price of a member's units comes from.
func (b *Books) hireNote(r *run, who *member) {
	if l := who.lease; l != nil {
		b.because("its price is %s, at which the member was hired through the market; the run would have paid %s", who.price, r.price)
		return
	}
	b.because("its price is %s, that of every unit of the run", who.price)
}

// roundClosed divides the verifiers' part by duties and burns what is left. In a round that admitted something, pay that was kept back comes
// one round nearer.
func (b *Books) roundClosed(id Hash, r *run, round, done int64) {
	if done > r.done && r.vesting > 0 {
		b.vest(id, r)
	}
	r.done = done
	all := int64(0)
	for _, d := range r.due {
		all += d.n
	}
	left := new(big.Int).Set(r.pool)
	for _, d := range r.due {
		who := r.members[d.who]
		if who == nil || d.n <= 0 || !r.opened[fmt.Sprintf("%d/%s", round, d.who)] {
			b.find(fmt.Sprintf("duties of %s in round %d of run %s", d.who, round, id), "a report, finding or vote", "none")
			continue
		}
		amount := part(r.pool, d.n, all)
		left.Sub(left, amount)
		who.duties += d.n
		b.because("round %d of run %.8s: %d of the %d duties that verifiers did; they share %s, the verifiers' part of the units that counted", round, id, d.n, all, r.pool)
		b.because("%s · %d / %d, rounded down, is %s", r.pool, d.n, all, amount)
		b.pay(id, "duties", d.who, amount)
	}
	b.move(b.genesis.Work, Account{}, left.Add(left, r.burn), "burned")
	r.pool, r.burn, r.due = new(big.Int), new(big.Int), nil
}

// slashed takes a bond: half to who proved the fault, the rest is burned; all of it if nobody did. Who has won a dispute shares with
// its backers.
func (b *Books) slashed(id Hash, r *run, who, to Account, unit string) {
	m := r.members[who]
	if m == nil || m.expelled {
		b.find("slash of "+who.String(), "a member with a bond", "none")
		return
	}
	bounty := new(big.Int)
	if to != (Account{}) {
		bounty = part(m.bond, 1, 2)
		payees := []stake{{to, bounty}}
		if won := r.refuted[who.String()+"/"+unit]; len(won) > 0 {
			payees = bounties(bounty, won)
			delete(r.refuted, who.String()+"/"+unit)
		}
		for _, p := range payees {
			b.because("%s was proven wrong over unit %s of run %.8s and lost its bond of %s; half of it is for who proved it", who, unit, id, m.bond)
			if len(payees) > 1 {
				b.because("the opener of the dispute and its backers share %s by what they staked, which is %s here", bounty, p.bond)
			}
			b.pay(id, "bounty", p.who, p.bond)
		}
	}
	b.move(b.genesis.Work, Account{}, minus(m.bond, bounty), "burned")
	b.move(b.genesis.Work, Account{}, m.keptPay(), "burned")
	m.bond, m.kept, m.expelled, m.provenBy = new(big.Int), nil, true, to
}

// fined burns the fine for an audit that is taken back, at most the bond. Who has nothing left is expelled.
func (b *Books) fined(r *run, who Account) {
	m := r.members[who]
	if m == nil || m.bond.Sign() == 0 {
		b.find("fine of "+who.String(), "a member with a bond", "none")
		return
	}
	fine := new(big.Int).Mul(r.price, big.NewInt(r.fine))
	if fine.Cmp(m.bond) > 0 {
		fine.Set(m.bond)
	}
	m.bond = minus(m.bond, fine)
	m.expelled = m.bond.Sign() == 0
	b.move(b.genesis.Work, Account{}, fine, "burned")
}

func (b *Books) left(id Hash, r *run, who Account) {
	m := r.members[who]
	if m == nil || m.bond.Sign() == 0 && !m.newcomer {
		b.find("bond of "+who.String(), "in escrow", "none")
		return
	}
	b.because("bond in run %.8s, which it has left or which has ended", id)
	b.pay(id, "bond", who, m.bond)
	m.bond, m.left = new(big.Int), true
}

// pay moves coins out of the escrow of runs and expects a receipt.
func (b *Books) pay(id Hash, kind string, to Account, amount *big.Int) {
	b.move(b.genesis.Work, to, amount, kind)
	b.expect(Receipt{Owner: id, Kind: kind, To: to, Amount: amount.String()})
}

func (b *Books) decode(m Message, body any) bool {
	if err := json.Unmarshal(m.Body, body); err != nil {
		b.find("message "+m.Kind, "readable", err.Error())
		return false
	}
	return true
}
