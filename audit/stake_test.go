package audit

import (
	"fmt"
	"math/big"
	"testing"
)

// staked is a book with one validator in the set, whose stake of 300 is its operator's, and one outside.
func staked() *Books {
	shares := func(n int64) *big.Int { return new(big.Int).Mul(big.NewInt(n), one) }
	g := Genesis{Balances: balances(map[string]int64{"bonded": 300, "free": 50, "ana": 1000, "bia": 1000, "deposits": 7}), Fees: named("fees")}
	g.Stake = StakeTerms{
		Bonded: named("bonded"), NotBonded: named("free"), Power: big.NewInt(1), Unbonding: 100,
		DoubleSign: new(big.Int).Quo(one, big.NewInt(3)), Downtime: new(big.Int).Quo(one, big.NewInt(10)),
		Validators: []Validator{
			{Operator: named("op"), Consensus: named("key"), Tokens: big.NewInt(300), Shares: shares(300), Bonded: true},
			{Operator: named("out"), Consensus: named("other key"), Tokens: big.NewInt(50), Shares: shares(50)},
		},
		Delegations: []Delegation{{named("op"), named("op"), shares(300)}, {named("out"), named("out"), shares(50)}},
	}
	g.Govern = GovernTerms{Escrow: named("deposits"), CancelRatio: half, Next: 1}
	return New(g)
}

// said is a transaction of one message.
func said(who, kind, body string) Tx {
	return Tx{OK: true, Messages: []Message{{From: named(who), Kind: kind, Body: []byte(body)}}}
}

func stakeText(validator, to, amount string) string {
	return fmt.Sprintf(`{"Validator":%q,"To":%q,"Amount":%q}`, named(validator).String(), named(to).String(), amount)
}

func expectBalances(t *testing.T, b *Books, when string, want map[string]int64) {
	t.Helper()
	for who, n := range want {
		if got := b.Balance(named(who)); got.Cmp(big.NewInt(n)) != 0 {
			t.Errorf("%s %s has %s, not %d", when, who, got, n)
		}
	}
	if len(b.Findings()) > 0 {
		t.Errorf("%s: %v", when, b.Findings())
	}
}

// Stake moves between pools as its validator joins and leaves the set; a slash takes of what left or moved after the deed, and of nothing
// that left before; what has left comes back at its time.
func TestStake(t *testing.T) {
	b := staked()
	slash := func(reason string) []Event {
		return []Event{{"staking.slashed", map[string]string{"consensus": named("key").String(), "power": "600", "reason": reason}}}
	}
	b.Read(Block{Height: 10, Time: 10, Txs: []Tx{said("bia", "staking/delegate", stakeText("op", "", "300")), said("bia", "staking/undelegate", stakeText("op", "", "60"))}})
	expectBalances(t, b, "after a delegation", map[string]int64{"bia": 700, "bonded": 540, "free": 110})
	b.Read(Block{Height: 20, Time: 20, Txs: []Tx{said("bia", "staking/undelegate", stakeText("op", "", "60")), said("bia", "staking/redelegate", stakeText("op", "out", "90"))}})
	expectBalances(t, b, "after a move", map[string]int64{"bonded": 390, "free": 260})
	// Two blocks at height 16. A third is a little less in decimals: 199 of 600 are lost, of which 19 of the 60 that left at 20, 29 of the 90
	// that moved then, and the other 151 of what stayed.
	b.Read(Block{Height: 22, Time: 22, Begin: slash("double_sign"), Evidence: []Misbehavior{{named("key"), 16}}, Set: []SetChange{{named("key"), 0}}})
	expectBalances(t, b, "after two blocks at one height", map[string]int64{"bonded": 0, "free": 451})
	if v := b.stakes(); v[named("op")].Int64() != 239 || v[named("out")].Int64() != 111 {
		t.Errorf("the validators have %v", v)
	}
	b.Read(Block{Height: 30, Time: 110, Set: []SetChange{{named("other key"), 111}}})
	expectBalances(t, b, "after the first has left", map[string]int64{"bia": 760, "bonded": 111, "free": 280})
	b.Read(Block{Height: 31, Time: 120})
	expectBalances(t, b, "after the second has left", map[string]int64{"bia": 801, "free": 239})
}

// A slash that no evidence in its block backs is a finding, and so is stake that nobody has.
func TestStakeContradictions(t *testing.T) {
	for name, block := range map[string]Block{
		"no evidence":       {Begin: []Event{{"staking.slashed", map[string]string{"consensus": named("key").String(), "power": "300", "reason": "double_sign"}}}},
		"a stranger":        {Begin: []Event{{"staking.slashed", map[string]string{"consensus": named("nobody").String(), "power": "300", "reason": "missing_signature"}}}},
		"a stranger's seat": {Set: []SetChange{{named("nobody"), 5}}},
		"a stranger's vote": {End: []Event{{"gov.decided", map[string]string{"proposal": "7", "result": "proposal_passed"}}}},
		"no such validator": {Txs: []Tx{said("bia", "staking/delegate", stakeText("nobody", "", "5"))}},
		"nothing leaves":    {Txs: []Tx{said("bia", "staking/cancel", stakeText("op", "", "5"))}},
	} {
		b := staked()
		block.Height = 5
		b.Read(block)
		if len(b.Findings()) != 1 {
			t.Errorf("%s: %v", name, b.Findings())
		}
	}
}

// Deposits come back, are burned, or are kept in part when the author withdraws; an accepted proposal acts.
func TestDeposits(t *testing.T) {
	for result, want := range map[string]map[string]int64{
		"proposal_passed":             {"ana": 1007, "bia": 1000, "deposits": 0},
		"proposal_rejected":           {"ana": 1000, "bia": 1000, "deposits": 7},
		"burned":                      {"ana": 900, "bia": 993, "deposits": 7},
		"expedited_proposal_rejected": {"ana": 900, "bia": 993, "deposits": 114},
		"withdrawn":                   {"ana": 950, "bia": 997, "deposits": 7}, // half of 100 and of 7 is kept, rounded down
	} {
		b := staked()
		gift := `[{"From":"` + named("deposits").String() + `","To":"` + named("ana").String() + `","Kind":"bank/send","Value":7}]`
		if result != "proposal_passed" {
			gift = "[]"
		}
		b.Read(Block{Height: 1, Txs: []Tx{said("ana", "gov/submit", `{"Amount":"100","Messages":`+gift+`}`), said("bia", "gov/deposit", `{"Proposal":1,"Amount":"7"}`)}})
		if result == "withdrawn" {
			b.Read(Block{Height: 2, Txs: []Tx{said("ana", "gov/cancel", `{"Proposal":1}`)}})
		} else {
			b.Read(Block{Height: 2, End: []Event{{"gov.decided", map[string]string{"proposal": "1", "result": result, "burned": fmt.Sprint(result == "burned")}}}})
		}
		expectBalances(t, b, result, want)
	}
}
