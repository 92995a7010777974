package audit

import (
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"testing"
)

func named(name string) (a Account) { copy(a[:], name); return a }

func id(name string) (h Hash) { copy(h[:], name); return h }

func balances(list map[string]int64) map[Account]*big.Int {
	out := map[Account]*big.Int{}
	for who, n := range list {
		out[named(who)] = big.NewInt(n)
	}
	return out
}

func open(list map[string]int64) *Books {
	return New(Genesis{Balances: balances(list), Work: named("work"), Registry: named("registry"), Fees: named("fees")})
}

// The design's vector: C has the parents A and B, A has the parent D; a million is paid for C.
func TestRoyalties(t *testing.T) {
	b := open(map[string]int64{"payer": 1_000_000})
	for child, parents := range map[string][]parent{"c": {{id("a"), 600_000}, {id("b"), 400_000}}, "a": {{id("d"), 1_000_000}}, "b": nil, "d": nil} {
		m := newModel()
		m.parents, m.holdings[named("owner of "+child)] = parents, &holding{ppm: whole, seen: new(big.Int), due: new(big.Int)}
		b.models[id(child)] = m
	}
	b.Explain()
	b.use(id("c"), named("payer"), big.NewInt(1_000_000))
	for _, m := range []string{"c", "a", "b", "d"} {
		b.claim(id(m), named("owner of "+m))
	}
	want := State{Balances: balances(map[string]int64{"owner of c": 700_000, "owner of a": 126_000, "owner of b": 120_000, "owner of d": 54_000})}
	for who, n := range want.Balances {
		if b.balances[who].Cmp(n) != 0 {
			t.Errorf("%s has %s, not %s", who, b.balances[who], n)
		}
	}
	if len(b.Findings()) > 0 {
		t.Error(b.Findings())
	}
	// What D's owner got is told down to the uses of C.
	last := b.Moves()[len(b.Moves())-1]
	var words []string
	for _, n := range last.Notes {
		words = append(words, n.Say(func(a *big.Int) string { return a.String() }))
	}
	told := strings.Join(words, "\n")
	for _, part := range []string{"all, of which 1000000 for 1 uses", "1000000 · 30 % · 600000 / 1,000,000", "180000 · 30 % · 1000000 / 1,000,000", "54000 · 1000000 / 1,000,000, rounded down at each touch, is 54000"} {
		if !strings.Contains(told, part) {
			t.Errorf("%q is not in\n%s", part, told)
		}
	}
}

func TestFees(t *testing.T) {
	base, tip := big.NewInt(1000), big.NewInt(5)
	for name, c := range map[string]struct {
		gas  Gas
		want int64
	}{
		"native":                     {Gas{Limit: 10, Used: 3, Fee: big.NewInt(20_000)}, 20_000},
		"native with a priority":     {Gas{Limit: 10, Used: 3, Fee: big.NewInt(20_000), Priority: tip}, 10_050},
		"native, offer below that":   {Gas{Limit: 10, Used: 3, Fee: big.NewInt(10_020), Priority: tip}, 10_020},
		"Ethereum":                   {Gas{Limit: 10, Used: 3, Cap: big.NewInt(2000), Priority: tip}, 3015},
		"Ethereum, cap below that":   {Gas{Limit: 10, Used: 3, Cap: big.NewInt(1002), Priority: tip}, 3006},
		"Ethereum, price of old":     {Gas{Limit: 10, Used: 3, Cap: big.NewInt(2000), Priority: big.NewInt(2000)}, 6000},
		"Ethereum, all gas was used": {Gas{Limit: 10, Used: 10, Cap: big.NewInt(2000), Priority: tip}, 10_050},
	} {
		b := open(map[string]int64{"payer": 1_000_000})
		b.Read(Block{Height: 1, BaseFee: base, Txs: []Tx{{Payer: named("payer"), Gas: &c.gas}}})
		if got := b.balances[named("fees")].Int64(); got != c.want {
			t.Errorf("%s: %d, not %d", name, got, c.want)
		}
	}
}

// Verdicts that no message backs, payments from an empty escrow and messages that nobody knows are findings by themselves.
func TestContradictions(t *testing.T) {
	run := `{"spec":{"rounds":1,"max_units":1,"provider_bond":"5","verifier_bond":"5","price":{"per_unit":"100"},"split":{"provider":9000,"verifiers":500}}}`
	r := id("run").String()
	created := Tx{
		ID: "1", OK: true, Messages: []Message{{From: named("author"), Kind: "work/create-run", Body: []byte(run)}},
		Events: []Event{{"work.run-created", map[string]string{"run": r, "author": named("author").String()}}},
	}
	worker := named("worker").String()
	for name, c := range map[string]struct {
		event Event
		want  string
	}{
		"a unit that nobody opened": {Event{"work.unit-closed", map[string]string{"run": r, "round": "1", "unit": "0", "worker": worker, "verdict": "verified"}}, "unit 0"},
		"a slash of a stranger":     {Event{"work.slashed", map[string]string{"run": r, "account": worker, "to": Account{}.String()}}, "slash of"},
		"a bond that is not there":  {Event{"work.member-left", map[string]string{"run": r, "account": worker}}, "bond of"},
	} {
		b := open(map[string]int64{"author": 100})
		b.Read(Block{Height: 1, Txs: []Tx{created}, End: []Event{c.event}})
		if list := b.Findings(); len(list) != 1 || !strings.HasPrefix(list[0].Subject, c.want) {
			t.Errorf("%s: %v", name, list)
		}
	}
	b := open(map[string]int64{"author": 99})
	b.Read(Block{Height: 1, Txs: []Tx{created, {ID: "2", OK: true, Messages: []Message{{Kind: "poetry/recite"}}}}})
	subjects := []string{}
	for _, f := range b.Findings() {
		subjects = append(subjects, f.Subject)
	}
	if !slices.Equal(subjects, []string{"balance " + named("author").String(), "message poetry/recite"}) {
		t.Error(subjects)
	}
}

// A log may come from a stranger's validator: whatever it says, reading it ends without a panic.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`[{"Height":1,"Txs":[{"OK":true,"Messages":[{"Kind":"work/create-run","Body":"e30="}],"Events":[{"Kind":"work.run-created","Attributes":{"run":"00","author":"0x"}}]}]}]`))
	seed, _ := json.Marshal([]Block{{Height: 1, Txs: []Tx{{OK: true, Messages: []Message{{Kind: "registry/use", Body: []byte(`{"fee":"1"}`)}, {Kind: KindSend}, {Kind: KindCall}}}}}})
	f.Add(seed)
	seed, _ = json.Marshal([]Block{{Height: 9, Time: 1, Begin: []Event{{"staking.slashed", map[string]string{"consensus": named("key").String(), "power": "9", "reason": "missing_signature"}}},
		Txs: []Tx{said("a", "staking/delegate", stakeText("op", "", "3")), said("a", "staking/redelegate", stakeText("op", "out", "1")), said("a", "gov/submit", `{"Amount":"1"}`)},
		End: []Event{{"gov.decided", map[string]string{"proposal": "1"}}}, Set: []SetChange{{named("key"), 0}}}})
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		var blocks []Block
		if json.Unmarshal(data, &blocks) != nil {
			return
		}
		b := staked()
		for _, block := range blocks {
			if block.BaseFee == nil {
				block.BaseFee = new(big.Int)
			}
			b.Read(block)
		}
		b.Compare(State{})
	})
}

// A deposited model costs its bytes, belongs to its author, and the deposit comes back once.
func TestDepositedModel(t *testing.T) {
	b := open(map[string]int64{"ana": 9_000_000_000_000})
	deposit := Tx{OK: true, Messages: []Message{{From: named("ana"), Kind: "registry/deposit-model", Body: []byte(`{"name":"m","artifact":"AAAA"}`)}},
		Events: []Event{{Kind: "registry.model-deposited", Attributes: map[string]string{"author": named("ana").String(), "model": id("m").String()}}}}
	withdraw := Tx{OK: true, Messages: []Message{{From: named("ana"), Kind: "registry/withdraw-model", Body: []byte(`{"model":"` + id("m").String() + `"}`)}}}
	for i, c := range []struct {
		tx   Tx
		want int64 // trillions that ana has
	}{{deposit, 6}, {withdraw, 9}, {deposit, 6}} {
		b.Read(Block{Height: uint64(i + 1), Txs: []Tx{c.tx}})
		if got := b.balances[named("ana")].Int64(); got != c.want*1_000_000_000_000 {
			t.Errorf("after step %d she has %d", i, got)
		}
	}
	if h := b.models[id("m")].holdings[named("ana")]; h.ppm != whole || len(b.Findings()) > 0 {
		t.Errorf("she holds %d: %v", h.ppm, b.Findings())
	}
	b.Read(Block{Height: 4, Txs: []Tx{deposit}})
	if len(b.Findings()) == 0 {
		t.Error("two deposits for one model are no finding")
	}
}

// An upload locks what all its bytes cost; its model takes the deposit over, and it comes back once: by withdrawal, abortion or expiry.
func TestUpload(t *testing.T) {
	const ana = "ana"
	b := open(map[string]int64{ana: 9_000_000_000_000})
	tx := func(kind, body string, events ...Event) Block {
		return Block{Txs: []Tx{{OK: true, Messages: []Message{{From: named(ana), Kind: "registry/" + kind, Body: []byte(body)}}, Events: events}}}
	}
	event := func(kind string) Event {
		return Event{Kind: "registry." + kind, Attributes: map[string]string{"owner": named(ana).String(), "author": named(ana).String(), "upload": id("u").String(), "model": id("m").String()}}
	}
	opened := tx("open-upload", `{"name":"m","size":4}`, event("upload-opened"))
	ofUpload, chunk := `{"upload":"`+id("u").String()+`"}`, `{"upload":"`+id("u").String()+`","index":0,"data":"AAAA"}`
	for i, c := range []struct {
		block Block
		want  int64 // trillions that ana has
	}{
		{opened, 5}, {tx("abort-upload", ofUpload, event("upload-aborted")), 9},
		{opened, 5}, {Block{End: []Event{event("upload-expired")}}, 9},
		{opened, 5}, {tx("add-chunk", chunk), 5}, {tx("add-chunk", chunk, event("upload-finished")), 5},
		{tx("withdraw-model", `{"model":"`+id("m").String()+`"}`), 9},
	} {
		c.block.Height = uint64(i + 1)
		b.Read(c.block)
		if got := b.balances[named(ana)].Int64(); got != c.want*1_000_000_000_000 {
			t.Errorf("after step %d she has %d", i, got)
		}
	}
	if len(b.Findings()) > 0 {
		t.Error(b.Findings())
	}
	opened.Height = 20
	b.Read(opened)
	deposit := func(trillions int64) State {
		return State{Uploads: map[Hash]*big.Int{id("u"): big.NewInt(trillions * 1_000_000_000_000)}}
	}
	wrong, right := len(b.Compare(deposit(3))), len(b.Compare(deposit(4)))
	if wrong != right+1 {
		t.Errorf("%d differences with another deposit, %d with the same", wrong, right)
	}
	b.Read(tx("abort-upload", ofUpload, event("upload-aborted")))
	b.Read(tx("abort-upload", ofUpload))
	b.Read(Block{End: []Event{event("upload-expired")}})
	b.Read(tx("add-chunk", chunk, event("upload-finished")))
	if len(b.Findings()) != 3 {
		t.Errorf("what is not open: %v", b.Findings())
	}
}

// What contracts do to a model counts in the order in which they did it: parts that moved earn for whoever holds them.
func TestContractsActs(t *testing.T) {
	b := open(map[string]int64{"desk": 4_000_000})
	b.models[id("m")] = newModel()
	b.models[id("m")].holdings[named("ana")] = &holding{ppm: whole, seen: new(big.Int), due: new(big.Int)}
	use := ContractAct{Kind: ActUse, Model: id("m"), From: named("desk"), Fee: big.NewInt(1_000_000)}
	claim := func(who string) ContractAct { return ContractAct{Kind: ActClaim, Model: id("m"), To: named(who)} }
	b.Read(Block{Height: 1, Txs: []Tx{{OK: true, Messages: []Message{{From: named("ana"), To: named("desk"), Kind: KindCall, Value: new(big.Int), Acts: []ContractAct{
		use, {Kind: ActMove, Model: id("m"), From: named("ana"), To: named("bia"), Parts: 250_000}, use, claim("ana"), claim("bia"), use, claim("bia"),
	}}}}}})
	for who, want := range map[string]int64{"ana": 1_750_000, "bia": 500_000, "desk": 1_000_000} {
		if got := b.balances[named(who)].Int64(); got != want {
			t.Errorf("%s has %d, not %d", who, got, want)
		}
	}
	if len(b.Findings()) > 0 {
		t.Error(b.Findings())
	}
	b.Read(Block{Height: 2, Txs: []Tx{{OK: true, Messages: []Message{{Kind: KindCall, Value: new(big.Int), Acts: []ContractAct{
		{Kind: ActMove, Model: id("m"), From: named("bia"), To: named("ana"), Parts: 250_001}}}}}}})
	if len(b.Findings()) != 1 {
		t.Error("more parts than somebody has were moved without a finding")
	}
}
