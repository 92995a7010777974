package audit

import (
	"math/big"
	"testing"
)

// TestRequests plays three requests by the log: two workers agree, one lies and is replayed, one does not open. Who calls back has the fee, once;
// for the second request nobody does.
func TestRequests(t *testing.T) {
	b := New(Genesis{Balances: map[Account]*big.Int{named("asker"): big.NewInt(1000), named("w1"): big.NewInt(1000), named("w2"): big.NewInt(1000)},
		Work: named("work"), Registry: named("registry"), Fees: named("fees"), Requests: named("requests")})
	b.models[id("m")] = newModel()
	ask := func(r string) ContractAct {
		return ContractAct{Kind: ActAsk, Request: id(r), Model: id("m"), From: named("asker"), Parts: 2, Price: big.NewInt(100), Fee: big.NewInt(7), Delivery: big.NewInt(5)}
	}
	act := func(kind, r, who, answer string) ContractAct {
		return ContractAct{Kind: kind, Request: id(r), From: named(who), Answer: answer}
	}
	b.Read(Block{Height: 1, Txs: []Tx{{OK: true, Messages: []Message{{Kind: KindCall, Value: new(big.Int), Acts: []ContractAct{
		ask("a"), act(ActSeal, "a", "w1", ""), act(ActSeal, "a", "w2", ""), act(ActOpen, "a", "w1", "yes"), act(ActOpen, "a", "w2", "yes"), act(ActAnswer, "a", "w2", "yes"),
		act(ActCall, "a", "w2", ""), act(ActCall, "a", "w1", ""),
		ask("b"), act(ActSeal, "b", "w1", ""), act(ActSeal, "b", "w2", ""), act(ActOpen, "b", "w1", "yes"), act(ActOpen, "b", "w2", "no"), act(ActAnswer, "b", "w1", "yes"),
		ask("c"), act(ActSeal, "c", "w1", ""), act(ActSeal, "c", "w2", ""), act(ActOpen, "c", "w1", "yes"),
	}}}}}})
	b.Read(Block{Height: 2, End: []Event{
		{Kind: "request.refunded", Attributes: map[string]string{"request": id("c").String()}}, {Kind: "request.expired", Attributes: map[string]string{"request": id("b").String()}},
	}})
	// w1 was paid for a and b, got half of w2's bond of b, and w2's failure with c paid it, too.
	for who, want := range map[string]int64{"asker": 1000 - 207 - 5 - 107, "w1": 1000 + 100 + 100 + 100 + 100, "w2": 1000 + 100 + 5 - 200 - 200, "requests": 0, "registry": 14} {
		if got := b.Balance(named(who)).Int64(); got != want {
			t.Errorf("%s has %d, not %d", who, got, want)
		}
	}
	if len(b.Findings()) > 0 {
		t.Error(b.Findings())
	}
	b.Read(Block{Height: 3, End: []Event{{Kind: "request.refunded", Attributes: map[string]string{"request": id("c").String()}}}})
	if len(b.Findings()) != 1 {
		t.Errorf("a second end: %v", b.Findings())
	}
}
