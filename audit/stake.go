package audit

import (
	"bytes"
	"maps"
	"math/big"
	"slices"
	"strconv"
)

// StakeTerms are who has staked at genesis, and the numbers of staking, which governance may change later.
type StakeTerms struct {
	Bonded, NotBonded Account  // pools: of validators that are in the set, and of all other stake
	Power             *big.Int // amut of a unit of voting power
	Unbonding         int64    // nanoseconds from leaving until the stake is free
	DoubleSign        *big.Int // lost by who signs two blocks at one height, of 10^18
	Downtime          *big.Int // and by who does not sign, of 10^18
	Validators        []Validator
	Delegations       []Delegation
	Leaving           []Leaving
	Moved             []Redelegation
	Set               []SetChange // who signs the first block, with which power
}

// Validator is a validator at genesis.
type Validator struct {
	Operator, Consensus Account // Consensus is the address of its key
	Tokens, Shares      *big.Int
	Bonded              bool
	Left, Ends          int64    // of one that is not bonded: block, and time (ns) until which it can be slashed
	Commission          *big.Int // of 10^18 that it earns
}

// Delegation is a part of a validator's stake, in shares of 10^-18.
type Delegation struct {
	Who, Validator Account
	Shares         *big.Int
}

// Leaving is stake that is on its way back to its owner.
type Leaving struct {
	Who, Validator   Account
	Height, Ends     int64 // block of the beginning; time of the end, ns
	Initial, Balance *big.Int
}

// Redelegation is stake that went from a validator to another, and still answers for the first.
type Redelegation struct {
	Who, From, To Account
	Height, Ends  int64
	Initial       *big.Int
	Shares        *big.Int // of To
}

// Misbehavior is evidence in a block that a validator signed two blocks at a height.
type Misbehavior struct {
	Consensus Account
	Height    int64
}

// SetChange is a change of the set of validators: a verdict.
type SetChange struct {
	Consensus Account
	Power     int64 // 0: it leaves
}

// delay is how many blocks after a change of the set who is in it signs.
const delay = 1

// one is 1 in decimals with 18 places. half is a half.
var one, half = big.NewInt(1_000_000_000_000_000_000), big.NewInt(500_000_000_000_000_000)

// validator is the money of a validator. Shares are decimals with 18 places.
type validator struct {
	tokens, shares *big.Int
	bonded         bool
	left, ends     int64
	parts          map[Account]*big.Int // shares of who staked
	commission     *big.Int
	income         income
}

// staking is all stake as these books know it. Rule: the modules staking and slashing of the Cosmos SDK, v0.54.
type staking struct {
	validators           map[Account]*validator
	keys                 map[Account]Account // consensus address -> operator
	leaving              []*Leaving
	moved                []*Redelegation
	unbonding            int64
	doubleSign, downtime *big.Int
}

func newStaking(t StakeTerms) staking {
	s := staking{validators: map[Account]*validator{}, keys: map[Account]Account{}, unbonding: t.Unbonding, doubleSign: orZero(t.DoubleSign), downtime: orZero(t.Downtime)}
	for _, v := range t.Validators {
		s.keys[v.Consensus] = v.Operator
		s.validators[v.Operator] = &validator{tokens: orZero(v.Tokens), shares: orZero(v.Shares), bonded: v.Bonded, left: v.Left, ends: v.Ends, parts: map[Account]*big.Int{}, commission: orZero(v.Commission), income: newIncome()}
	}
	for _, d := range t.Delegations {
		if v := s.validators[d.Validator]; v != nil {
			v.parts[d.Who] = orZero(d.Shares)
		}
	}
	for _, l := range t.Leaving {
		l.Initial, l.Balance = orZero(l.Initial), orZero(l.Balance)
		s.leaving = append(s.leaving, &l)
	}
	for _, r := range t.Moved {
		r.Initial, r.Shares = orZero(r.Initial), orZero(r.Shares)
		s.moved = append(s.moved, &r)
	}
	return s
}

func orZero(a *big.Int) *big.Int {
	if a == nil {
		return new(big.Int)
	}
	return new(big.Int).Set(a)
}

// pool is where a validator's stake lies.
func (b *Books) pool(v *validator) Account {
	if v.bonded {
		return b.genesis.Stake.Bonded
	}
	return b.genesis.Stake.NotBonded
}

// staking reads a message about stake.
func (b *Books) staking(m Message) {
	var body struct {
		Validator, To, Consensus Account
		Amount                   Coins
		Height                   int64
		Commission               *Coins // of 10^18
	}
	if !b.decode(m, &body) {
		return
	}
	s := &b.stake
	if m.Kind == "staking/create-validator" {
		body.Validator = m.From
		maps.DeleteFunc(s.keys, func(_, operator Account) bool { return operator == m.From }) // of one that was gone
		s.keys[body.Consensus] = m.From
		s.validators[m.From] = &validator{tokens: new(big.Int), shares: new(big.Int), parts: map[Account]*big.Int{}, commission: new(big.Int), income: newIncome()}
	}
	v := s.validators[body.Validator]
	if v != nil && body.Commission != nil {
		v.commission = orZero(body.Commission.Int)
	}
	if m.Kind == "staking/edit-validator" && v != nil {
		return
	}
	if v == nil || body.Amount.Int == nil {
		b.find("message "+m.Kind, "about a validator and an amount", body.Validator.String())
		return
	}
	switch m.Kind {
	case "staking/create-validator", "staking/delegate":
		if b.join(v, m.From, body.Amount.Int) != nil {
			b.move(m.From, b.pool(v), body.Amount.Int, "stake")
		}
	case "staking/undelegate":
		if amount := b.unbond(v, m.From, b.sharesFor(v, m.From, body.Amount.Int)); amount != nil {
			b.move(b.pool(v), b.genesis.Stake.NotBonded, amount, "stake that leaves")
			b.leave(Leaving{Who: m.From, Validator: body.Validator, Height: int64(b.height), Ends: b.now + s.unbonding, Initial: new(big.Int).Set(amount), Balance: amount})
		}
	case "staking/cancel":
		b.comeBack(v, body.Validator, m.From, body.Height, body.Amount.Int)
	case "staking/redelegate":
		b.redelegate(v, m.From, body.Validator, body.To, body.Amount.Int)
	default:
		b.find("message "+m.Kind, "known to this audit", "unknown")
	}
}

// join gives shares of a validator for an amount at the present rate, and returns them; nil if there is no rate.
func (b *Books) join(v *validator, who Account, amount *big.Int) *big.Int {
	shares := new(big.Int).Mul(amount, one)
	if v.shares.Sign() > 0 {
		if v.tokens.Sign() == 0 {
			b.find("stake of "+who.String(), "at a validator that has some", "at one that lost all")
			return nil
		}
		shares.Mul(v.shares, amount).Quo(shares, v.tokens)
	}
	if v.parts[who] == nil {
		v.income.enter(who)
	} else {
		b.payHolder(v, who)
	}
	v.tokens = new(big.Int).Add(v.tokens, amount)
	v.shares = new(big.Int).Add(v.shares, shares)
	v.parts[who] = new(big.Int).Add(orZero(v.parts[who]), shares)
	return shares
}

// sharesFor are the shares that an amount is worth, at most all that somebody has.
func (b *Books) sharesFor(v *validator, who Account, amount *big.Int) *big.Int {
	if v.tokens.Sign() == 0 {
		return new(big.Int)
	}
	shares := new(big.Int).Mul(v.shares, amount)
	return least(shares.Quo(shares, v.tokens), orZero(v.parts[who]))
}

// unbond takes shares out of a validator and returns what they are worth: the last ones all that is left.
func (b *Books) unbond(v *validator, who Account, shares *big.Int) *big.Int {
	mine := orZero(v.parts[who])
	if v.shares.Sign() == 0 || mine.Cmp(shares) < 0 {
		b.find("stake of "+who.String(), "at least "+shares.String()+" shares", mine.String())
		return nil
	}
	b.payHolder(v, who)
	left, amount := minus(v.shares, shares), new(big.Int).Set(v.tokens)
	if left.Sign() > 0 {
		amount.Mul(shares, v.tokens)
		amount.Mul(amount, one).Mul(amount, one).Quo(amount, v.shares)
		amount = chop(amount)
		amount.Quo(amount, one)
	}
	v.shares, v.tokens = left, minus(v.tokens, amount)
	if v.parts[who] = minus(mine, shares); v.parts[who].Sign() == 0 {
		delete(v.parts, who)
		b.gone(v, who)
	}
	return amount
}

// chop drops 18 decimal places and rounds to the nearest, a half to the even one.
func chop(a *big.Int) *big.Int {
	q, rest := new(big.Int).QuoRem(a, one, new(big.Int))
	if c := rest.Cmp(half); c > 0 || c == 0 && q.Bit(0) == 1 {
		q.Add(q, big.NewInt(1))
	}
	return q
}

// leave adds stake that leaves, to what began at the same moment.
func (b *Books) leave(l Leaving) {
	for _, o := range b.stake.leaving {
		if o.Who == l.Who && o.Validator == l.Validator && o.Height == l.Height && o.Ends == l.Ends {
			o.Initial.Add(o.Initial, l.Initial)
			o.Balance.Add(o.Balance, l.Balance)
			return
		}
	}
	b.stake.leaving = append(b.stake.leaving, &l)
}

// comeBack stakes again what was leaving.
func (b *Books) comeBack(v *validator, at, who Account, height int64, amount *big.Int) {
	for i, l := range b.stake.leaving {
		if l.Who != who || l.Validator != at || l.Height != height {
			continue
		}
		if l.Balance.Cmp(amount) < 0 {
			break
		}
		if b.join(v, who, amount) != nil {
			b.move(b.genesis.Stake.NotBonded, b.pool(v), amount, "stake that stays")
		}
		l.Balance, l.Initial = minus(l.Balance, amount), minus(l.Initial, amount)
		if l.Balance.Sign() == 0 {
			b.stake.leaving = slices.Delete(b.stake.leaving, i, i+1)
		}
		return
	}
	b.find("stake of "+who.String(), "leaving since block "+strconv.FormatInt(height, 10), "not "+amount.String())
}

// redelegate moves stake from a validator to another. It answers for the first as long as if it had left.
func (b *Books) redelegate(from *validator, who, at, to Account, amount *big.Int) {
	v := b.stake.validators[to]
	if v == nil || v == from {
		b.find("stake of "+who.String(), "moved to another validator", to.String())
		return
	}
	amount = b.unbond(from, who, b.sharesFor(from, who, amount))
	if amount == nil {
		return
	}
	shares := b.join(v, who, amount)
	if shares == nil {
		return
	}
	b.move(b.pool(from), b.pool(v), amount, "stake that moves")
	r := &Redelegation{Who: who, From: at, To: to, Height: from.left, Ends: from.ends, Initial: amount, Shares: shares}
	if from.bonded {
		r.Height, r.Ends = int64(b.height), b.now+b.stake.unbonding
	}
	b.stake.moved = append(b.stake.moved, r)
}

// stakeVerdict reads what happens to stake before the transactions of a block: numbers that change, validators that are slashed.
func (b *Books) stakeVerdict(e Event, evidence []Misbehavior) {
	switch e.Kind {
	case "params.changed":
		n, err := strconv.ParseInt(e.Attributes["value"], 10, 64)
		if err != nil {
			b.find("event "+e.Kind, "a number", e.Attributes["value"])
			return
		}
		millionths := new(big.Int).Mul(big.NewInt(n), big.NewInt(1_000_000_000_000))
		switch e.Attributes["name"] {
		case "staking.unbonding_seconds":
			b.stake.unbonding = n * 1_000_000_000
		case "slashing.double_sign_ppm":
			b.stake.doubleSign = millionths
		case "slashing.downtime_ppm":
			b.stake.downtime = millionths
		}
	case "staking.slashed":
		b.punish(e, evidence)
	}
}

// punish burns what a validator loses: a part of what its power was when it did wrong, of all stake that was behind it then.
func (b *Books) punish(e Event, evidence []Misbehavior) {
	var consensus Account
	power, err := strconv.ParseInt(e.Attributes["power"], 10, 64)
	v := (*validator)(nil)
	if consensus.UnmarshalText([]byte(e.Attributes["consensus"])) == nil {
		v = b.stake.validators[b.stake.keys[consensus]]
	}
	if v == nil || err != nil || power < 0 {
		b.find("slash of "+e.Attributes["consensus"], "of a validator", e.Attributes["power"])
		return
	}
	fraction, since, proven := b.stake.downtime, int64(b.height)-1-delay, e.Attributes["reason"] == "missing_signature"
	if e.Attributes["reason"] == "double_sign" {
		fraction = b.stake.doubleSign
		if i := slices.IndexFunc(evidence, func(m Misbehavior) bool { return m.Consensus == consensus }); i >= 0 {
			since, proven = evidence[i].Height-delay, true
		}
	}
	if !proven {
		b.find("slash of validator "+consensus.String(), "with evidence in the block", e.Attributes["reason"])
		return
	}
	rest := cut(new(big.Int).Mul(big.NewInt(power), orZero(b.genesis.Stake.Power)), fraction)
	rest.Sub(rest, b.punishLeaving(b.stake.keys[consensus], since, fraction))
	rest.Sub(rest, b.punishMoved(b.stake.keys[consensus], since, fraction))
	if rest = least(rest, v.tokens); rest.Sign() > 0 {
		b.because("the validator lost %s of 10^18 of a power of %d: %s", fraction, power, e.Attributes["reason"])
		b.move(b.pool(v), Account{}, new(big.Int).Set(rest), "slash of a validator")
		v.tokens = minus(v.tokens, rest)
	}
}

// cut is a fraction of an amount, rounded down.
func cut(amount, fraction *big.Int) *big.Int {
	c := new(big.Int).Mul(amount, fraction)
	return c.Quo(c, one)
}

// punishLeaving burns of stake that left a validator since a block. It returns what that should have been, also where less was left.
func (b *Books) punishLeaving(at Account, since int64, fraction *big.Int) *big.Int {
	sum := new(big.Int)
	for _, l := range b.stake.leaving {
		if l.Validator == at && l.Height >= since && l.Ends > b.now {
			lost := cut(l.Initial, fraction)
			sum.Add(sum, lost)
			b.burnLeaving(l, lost)
		}
	}
	return sum
}

// burnLeaving burns at most what is there, and returns it.
func (b *Books) burnLeaving(l *Leaving, lost *big.Int) *big.Int {
	lost = new(big.Int).Set(least(lost, l.Balance))
	l.Balance = minus(l.Balance, lost)
	b.move(b.genesis.Stake.NotBonded, Account{}, lost, "slash of stake that leaves")
	return lost
}

// punishMoved burns of stake that went to other validators since a block: first what leaves there, then what is staked.
func (b *Books) punishMoved(from Account, since int64, fraction *big.Int) *big.Int {
	sum := new(big.Int)
	var list []*Redelegation
	for _, r := range b.stake.moved {
		if r.From == from && r.Height >= since && r.Ends > b.now {
			list = append(list, r)
		}
	}
	slices.SortStableFunc(list, func(x, y *Redelegation) int {
		if c := bytes.Compare(x.Who[:], y.Who[:]); c != 0 {
			return c
		}
		return bytes.Compare(x.To[:], y.To[:])
	})
	for _, r := range list {
		lost := cut(r.Initial, fraction)
		sum.Add(sum, lost)
		for _, l := range b.stake.leaving {
			if l.Who == r.Who && l.Validator == r.To && l.Height >= since && l.Ends > b.now {
				lost = minus(lost, b.burnLeaving(l, lost))
			}
		}
		v := b.stake.validators[r.To]
		shares := chop(new(big.Int).Mul(fraction, r.Shares))
		if v == nil || lost.Sign() == 0 || shares.Sign() == 0 || v.parts[r.Who] == nil {
			continue
		}
		if amount := b.unbond(v, r.Who, least(shares, v.parts[r.Who])); amount != nil {
			b.move(b.pool(v), Account{}, amount, "slash of stake that moved")
		}
	}
	return sum
}

// stakeEnds closes a block: the set changes, with it the pool of a validator's stake; what has left long enough is free.
func (b *Books) stakeEnds(changes []SetChange) {
	s, pools := &b.stake, b.genesis.Stake
	b.signing.coming = append(b.signing.coming, changed{b.height, changes})
	for _, c := range changes {
		v := s.validators[s.keys[c.Consensus]]
		switch {
		case v == nil:
			b.find("power of "+c.Consensus.String(), "of a validator", strconv.FormatInt(c.Power, 10))
		case c.Power > 0 && !v.bonded:
			v.bonded = true
			b.move(pools.NotBonded, pools.Bonded, v.tokens, "stake of a validator that joins the set")
		case c.Power == 0 && v.bonded:
			v.bonded, v.left, v.ends = false, int64(b.height), b.now+s.unbonding
			b.move(pools.Bonded, pools.NotBonded, v.tokens, "stake of a validator that leaves the set")
		}
	}
	s.leaving = slices.DeleteFunc(s.leaving, func(l *Leaving) bool {
		if l.Ends > b.now {
			return false
		}
		b.move(pools.NotBonded, l.Who, l.Balance, "stake that has left")
		return true
	})
	s.moved = slices.DeleteFunc(s.moved, func(r *Redelegation) bool { return r.Ends <= b.now })
}

// stakes are the tokens of validators, by operator.
func (b *Books) stakes() map[Account]*big.Int {
	out := map[Account]*big.Int{}
	for who, v := range b.stake.validators {
		out[who] = v.tokens
	}
	return out
}
