package app_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"

	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/fault"
	"github.com/mutirao/mutirao/chain/x/dispute"
	"github.com/mutirao/mutirao/chain/x/dispute/disputepb"
	"github.com/mutirao/mutirao/chain/x/work"
	"github.com/mutirao/mutirao/protocol"
	rulesof "github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
	rules "github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/bisect"
	"github.com/mutirao/mutirao/verify/bisect/bisecttest"
	"github.com/mutirao/mutirao/verify/split/splittest"
)

// toyPrograms knows the toy unit, of whose recipe nothing but its bytes matters.
type toyPrograms struct{ *bisecttest.Toy }

const toyRecipe = "the toy"

func (toyPrograms) Effort([]byte) uint64 { return 2 }

func (p toyPrograms) Source(recipe []byte, size, count uint64, shard protocol.Hash, steps int) (bisect.Source, error) {
	if string(recipe) != toyRecipe || size == 0 || count == 0 || shard.IsZero() || steps != bisecttest.Steps {
		return nil, fmt.Errorf("a unit of recipe %q", recipe)
	}
	return p.Toy, nil
}

func (toyPrograms) Aggregate([]byte, uint64, uint64, int) (protocol.Hash, error) {
	return hashOf(20), nil
}

func (p toyPrograms) Fold([]byte, uint64, uint64, protocol.Hash, []protocol.Hash) (bisect.Source, error) {
	return p.Toy, nil
}

var plain = splittest.One("MatMul", nil, splittest.F(3, 70), splittest.F(70, 2))

// court is a chain with a run whose only worker has claimed an execution of the toy unit, in the phase of audits.
type court struct {
	*story
	claimed, truth *bisecttest.Toy
	accusers       []person
}

func newCourt(t *testing.T, f bisecttest.Fault) *court {
	t.Helper()
	truth := bisecttest.New(t, plain, bisecttest.Fault{}, -1)
	c := &court{story: &story{author: newPerson(t, 1), provider: newPerson(t, 2), verifier: newPerson(t, 3)}, truth: truth, claimed: truth}
	if f.Kind != "" {
		c.claimed = bisecttest.New(t, plain, f, -1)
	}
	c.accusers = []person{newPerson(t, 4), newPerson(t, 5), newPerson(t, 6)}
	c.chain = newChainOf(t, toyPrograms{truth}, append([]person{c.author, c.provider, c.verifier}, c.accusers...)...)
	claim := c.claimed.Terms(t)
	data := registry.RegisterDataset{Root: claim.Dataset, Blob: hashOf(2), Schema: hashOf(3), Records: uint64(claim.Records), RecordSize: 8, Name: "toys", Licence: "CC0-1.0"}
	spec := rules.DefaultSpec()
	spec.Name, spec.Dataset, spec.Program, spec.InferenceProgram, spec.Params = "toy", registry.DatasetID(c.author.Account(), data), claim.Program, hashOf(4), params
	spec.Recipe, spec.Initial = []byte(toyRecipe), rules.StateRef{Model: claim.Model, Outer: hashOf(6), Blob: hashOf(7)}
	spec.Rounds, spec.Steps, spec.MaxUnits = 1, uint32(claim.Steps), 1
	spec.Windows.AuditCommit = 10_000 // nothing of the run changes by itself while a dispute is played
	spec.Price.PerUnit, spec.ProviderBond, spec.VerifierBond = money.MUT(1), money.MUT(50), money.MUT(50)
	create := rules.CreateRun{Spec: spec}
	c.run = rules.RunID(c.author.Account(), create)
	c.must(c.author, data, create)
	c.must(c.provider, rules.Join{Run: c.run, Role: rules.Provider, Peer: "p"})
	c.must(c.verifier, rules.Join{Run: c.run, Role: rules.Verifier, Peer: "v"})
	u := c.in(rules.PhaseCompute).Round.Units[0]
	result := rules.Result{Payload: rules.PayloadRef{Root: claim.Payload, Blob: hashOf(11), Size: 100}, Trace: claim.Trace}
	c.must(c.provider, rules.Commit{Run: c.run, Round: 1, Seal: rules.CommitSeal(c.run, 1, 0, u.Shard, c.provider.Account(), result, hashOf(12))})
	c.must(c.provider, rules.Reveal{Run: c.run, Round: 1, Result: result, Salt: hashOf(12)})
	c.in(rules.PhaseAuditCommit)
	return c
}

// open opens a dispute and returns its id.
func (c *court) open(from person) protocol.Hash {
	c.t.Helper()
	before := c.disputes()
	c.must(from, rulesof.Open{Run: c.run, Round: 1})
	for _, d := range c.disputes() {
		if !slices.ContainsFunc(before, func(b *rulesof.State) bool { return b.ID == d.ID }) {
			return d.ID
		}
	}
	c.t.Fatal("no dispute is open")
	return protocol.Hash{}
}

func (c *court) disputes() (list []*rulesof.State) {
	c.t.Helper()
	var answer disputepb.OpenResponse
	c.query("/mutirao.dispute.v1.Query/Open", &disputepb.OpenRequest{Run: c.run[:]}, &answer)
	for _, raw := range answer.Json {
		s := new(rulesof.State)
		if err := json.Unmarshal(raw, s); err != nil {
			c.t.Fatal(err)
		}
		list = append(list, s)
	}
	return list
}

func (c *court) query(path string, request interface{ Marshal() ([]byte, error) }, answer interface{ Unmarshal([]byte) error }) {
	c.t.Helper()
	data, err := request.Marshal()
	if err != nil {
		c.t.Fatal(err)
	}
	r, err := c.app.Query(c.t.Context(), &abci.RequestQuery{Path: path, Data: data})
	if err != nil || r.Code != 0 {
		c.t.Fatalf("%s: %v, %s", path, err, r.Log)
	}
	if err := answer.Unmarshal(r.Value); err != nil {
		c.t.Fatal(err)
	}
}

func recordsOf[R protocol.Recorded](c *court, owner protocol.Hash) (list []R) {
	c.t.Helper()
	var kind R
	var answer disputepb.RecordsResponse
	c.query("/mutirao.dispute.v1.Query/Records", &disputepb.RecordsRequest{Owner: owner[:], Kind: kind.RecordKind()}, &answer)
	for _, r := range answer.Records {
		var v R
		if err := json.Unmarshal(r.Json, &v); err != nil {
			c.t.Fatal(err)
		}
		list = append(list, v)
	}
	return list
}

// dispute is an open dispute, or nil.
func (c *court) dispute(id protocol.Hash) *rulesof.State {
	c.t.Helper()
	s, err := c.app.Dispute.Dispute(c.context(), id, escrow.Free)
	if errors.Is(err, protocol.ErrFinished) {
		return nil
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

func (c *court) player(side rulesof.Side, d *rulesof.State) person {
	if side == rulesof.Defender {
		return c.provider
	}
	for _, a := range c.accusers {
		if a.Account() == d.Challenger {
			return a
		}
	}
	c.t.Fatal("nobody has opened the dispute")
	return person{}
}

// move is the signed move of the side whose move it is.
func (c *court) move(d *rulesof.State) (rulesof.Play, person) {
	c.t.Helper()
	m := rulesof.Move{Dispute: d.ID, Turn: d.Turn, Side: d.ToMove()}
	if m.Side == rulesof.Challenger {
		choice, _, err := bisect.Challenge(d.Game, c.truth)
		if err != nil {
			c.t.Fatal(err)
		}
		m.Choice, m.Answer = uint32(choice.Part), choice.Shown
	} else {
		var err error
		if m.Answer, err = bisect.Defend(d.Game, c.claimed); err != nil {
			c.t.Fatal(err)
		}
	}
	who := c.player(m.Side, d)
	return signed(c.t, who, m), who
}

func signed(t testing.TB, who person, m rulesof.Move) rulesof.Play {
	t.Helper()
	s, err := who.Sign(m.Digest())
	if err != nil {
		t.Fatal(err)
	}
	return rulesof.Play{Move: m, Signature: s}
}

// spend submits a message and returns its gas.
func (c *court) spend(from person, m protocol.Msg) (uint64, error) {
	c.t.Helper()
	wrapped, _, err := client.Wrap(from.Account(), m)
	if err != nil {
		c.t.Fatal(err)
	}
	r := c.native(from, 20_000_000, wrapped)
	return uint64(r.GasUsed), fault.FromABCI(r.Codespace, r.Code, r.Log)
}

// TestLiarLosesOnTheChain disputes a lie twice at once. The validator is stopped and started in the middle of the games; the first to
// win takes the bounty, with its backer, and the other gets its bond back.
func TestLiarLosesOnTheChain(t *testing.T) {
	c := newCourt(t, bisecttest.Fault{Kind: "flip", Step: 15, Value: bisecttest.New(t, plain, bisecttest.Fault{}, -1).Inputs(), Element: 3})
	a, b, friend := c.accusers[0], c.accusers[1], c.accusers[2]
	first, second := c.open(a), c.open(b)
	c.moved()
	if err := c.submit(a, rulesof.Open{Run: c.run, Round: 1}); !errors.Is(err, protocol.ErrExists) {
		t.Errorf("the same dispute again: %v", err)
	}
	c.must(friend, rulesof.Back{Dispute: first, Amount: money.MUT(24)})
	var gas, bytes uint64
	for turn := 0; c.dispute(first) != nil; turn++ {
		if turn == 4 {
			if err := c.app.Close(); err != nil {
				t.Fatal(err)
			}
			c.chain.open()
			c.block()
		}
		if turn%3 == 0 {
			m, who := c.move(c.dispute(second))
			c.must(who, m)
		}
		m, _ := c.move(c.dispute(first))
		spent, err := c.spend(friend, m) // anybody can carry a signed move
		if err != nil {
			t.Fatal(err)
		}
		gas, bytes = gas+spent, bytes+uint64(len(m.Move.Answer))
		if turn == 0 {
			if err := c.submit(friend, rulesof.Back{Dispute: first, Amount: money.MUT(1)}); !errors.Is(err, protocol.ErrPhase) {
				t.Errorf("a backer after the first answer: %v", err)
			}
		}
	}
	rulings, moves := recordsOf[rulesof.Ruling](c, c.run), recordsOf[rulesof.Moved](c, first)
	if len(rulings) != 2 || len(c.disputes()) != 0 {
		t.Fatalf("%d rulings, %d disputes are open", len(rulings), len(c.disputes()))
	}
	won := rulings[slices.IndexFunc(rulings, func(r rulesof.Ruling) bool { return r.Dispute == first })]
	if won.Verdict != bisect.Refuted || int(won.Moves) != len(moves) {
		t.Errorf("%s after %d moves, %d recorded: %s", won.Verdict, won.Moves, len(moves), won.Reason)
	}
	t.Logf("%d moves, %d bytes, %d gas; %s: %s", won.Moves, bytes, gas, won.Place, won.Reason)
	s := c.state()
	if m, _ := s.Member(c.provider.Account()); m.Status != rules.Expelled || !m.Bond.IsZero() {
		t.Errorf("the liar is %s with a bond of %s", m.Status, m.Bond.Coins())
	}
	// Bounty 25: a quarter for the 8 MUT of the opener, the rest for the 24 of its friend. The other has what it had.
	for who, earned := range map[person]string{a: "6.25 MUT", friend: "18.75 MUT", b: "0 MUT"} {
		c.hasAbout(who, wealth.Plus(parseMUT(t, earned)))
	}
	c.drained()
}

func parseMUT(t testing.TB, text string) money.Amount {
	t.Helper()
	a, err := money.ParseMUT(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// hasAbout: an account has an amount, but for the gas of its transactions.
func (c *court) hasAbout(who person, want money.Amount) {
	c.t.Helper()
	has := c.balance(who.Account())
	if has.Compare(want) > 0 || want.Minus(has).Compare(parseMUT(c.t, "0.01 MUT")) > 0 {
		c.t.Errorf("%s has %s, want %s less gas", who.Account(), has.Coins(), want.Coins())
	}
}

// drained: the escrow of disputes is empty, that of the work equals what the run owes.
func (c *court) drained() {
	c.t.Helper()
	for module, owed := range map[string]money.Amount{dispute.ModuleName: {}, work.ModuleName: c.state().Claims()} {
		var account protocol.Account
		copy(account[:], authtypes.NewModuleAddress(module))
		if left := c.balance(account); left != owed {
			c.t.Errorf("escrow of %s holds %s, owes %s", module, left.Coins(), owed.Coins())
		}
	}
}

// TestAccuserLosesOnTheChain: half of its bond goes to the worker, half is burned, and its next one is twice as large.
func TestAccuserLosesOnTheChain(t *testing.T) {
	c := newCourt(t, bisecttest.Fault{})
	a := c.accusers[0]
	before := c.supply()
	id := c.open(a)
	for c.dispute(id) != nil {
		m, who := c.move(c.dispute(id))
		c.must(who, m)
	}
	c.hasAbout(a, wealth.Minus(money.MUT(8)))
	c.hasAbout(c.provider, wealth.Minus(money.MUT(50)).Plus(money.MUT(4)))
	if before.Minus(c.supply()) != money.MUT(4) {
		t.Errorf("burned %s", before.Minus(c.supply()).Coins())
	}
	c.must(a, rulesof.Open{Run: c.run, Round: 1, Nonce: 1})
	if again := c.disputes()[0]; again.Bond != money.MUT(16) {
		t.Errorf("the second bond is %s", again.Bond.Coins())
	}
}

// TestSilenceLosesOnTheChain lets each side fall silent.
func TestSilenceLosesOnTheChain(t *testing.T) {
	for moves, want := range []bisect.Verdict{bisect.Refuted, bisect.Upheld} {
		c := newCourt(t, bisecttest.Fault{})
		id := c.open(c.accusers[0])
		for range moves {
			m, who := c.move(c.dispute(id))
			c.must(who, m)
		}
		deadline := c.dispute(id).Deadline()
		for protocol.Height(c.height) < deadline {
			if c.dispute(id) == nil {
				t.Fatalf("ended in block %d, before its clock in %d", c.height, deadline)
			}
			c.block()
		}
		if c.dispute(id) != nil {
			t.Fatal("the clock has run out and nothing happens")
		}
		if r := recordsOf[rulesof.Ruling](c, c.run)[0]; r.Verdict != want || r.Height != deadline {
			t.Errorf("%d moves: %s in block %d", moves, r.Verdict, r.Height)
		}
		c.drained()
	}
}

// TestHostileMoves sends what strangers may send at every turn of a game. Nothing changes but what the sender has.
func TestHostileMoves(t *testing.T) {
	c := newCourt(t, bisecttest.Fault{Kind: "payload", Element: 2600})
	id := c.open(c.accusers[0])
	stranger := c.accusers[2]
	var last *rulesof.Play
	for c.dispute(id) != nil {
		d := c.dispute(id)
		due, who := c.move(d)
		for name, m := range c.hostile(due, last, who, stranger) {
			before := c.everything(id, stranger)
			gas, err := c.spend(stranger, m)
			if err == nil || protocol.Code(err) == protocol.CodeUnknown {
				t.Errorf("turn %d, %s: %v", d.Turn, name, err)
			}
			if gas < escrow.GasPerMessage {
				t.Errorf("turn %d, %s: %d gas", d.Turn, name, gas)
			}
			if after := c.everything(id, stranger); !bytes.Equal(before, after) {
				t.Errorf("turn %d, %s changes\n%s\nto\n%s", d.Turn, name, before, after)
			}
		}
		c.must(who, due)
		last = &due
	}
	if r := recordsOf[rulesof.Ruling](c, c.run)[0]; r.Verdict != bisect.Refuted {
		t.Errorf("%s: %s", r.Verdict, r.Reason)
	}
	if err := c.submit(stranger, *last); !errors.Is(err, protocol.ErrFinished) {
		t.Errorf("a move after the end: %v", err)
	}
}

// hostile are messages that must change nothing, by name.
func (c *court) hostile(due rulesof.Play, last *rulesof.Play, who, stranger person) map[string]protocol.Msg {
	altered := func(change func(*rulesof.Move)) rulesof.Play {
		m := due.Move
		change(&m)
		return signed(c.t, who, m)
	}
	forged := due
	forged.Signature = bytes.Repeat([]byte{1}, 65)
	short := due
	short.Signature = due.Signature[:64]
	list := map[string]protocol.Msg{
		"signed by a stranger":      signed(c.t, stranger, due.Move),
		"a forged signature":        forged,
		"a short signature":         short,
		"a turn too early":          altered(func(m *rulesof.Move) { m.Turn++ }),
		"evidence of one move":      rulesof.Equivocation(due, rulesof.Play{Move: rulesof.Move{Dispute: due.Move.Dispute, Turn: due.Move.Turn, Side: due.Move.Side, Choice: 99}, Signature: due.Signature}),
		"evidence by a stranger":    rulesof.Equivocation(signed(c.t, stranger, due.Move), altered(func(m *rulesof.Move) { m.Turn = due.Move.Turn })),
		"a dispute of nobody":       rulesof.Back{Dispute: hashOf(99), Amount: money.MUT(1)},
		"a claim that is not there": rulesof.Open{Run: c.run, Round: 1, Unit: 7},
	}
	if last != nil {
		list["a move again"] = *last
		list["a backer too late"] = rulesof.Back{Dispute: due.Move.Dispute, Amount: money.MUT(1)}
	}
	if due.Move.Side == rulesof.Challenger {
		list["a choice out of range"] = altered(func(m *rulesof.Move) { m.Choice = 1 << 31 })
		return list
	}
	list["an empty answer"] = altered(func(m *rulesof.Move) { m.Answer = nil })
	list["half an answer"] = altered(func(m *rulesof.Move) { m.Answer = m.Answer[:len(m.Answer)/2] })
	list["an answer and more"] = altered(func(m *rulesof.Move) { m.Answer = append(slices.Clone(m.Answer), 0) })
	list["a flipped bit"] = altered(func(m *rulesof.Move) { m.Answer = slices.Clone(m.Answer); m.Answer[len(m.Answer)/2] ^= 4 })
	list["a huge answer"] = altered(func(m *rulesof.Move) { m.Answer = make([]byte, bisect.MaxAnswer) })
	return list
}

// everything is the dispute, the run and what all but one person have.
func (c *court) everything(id protocol.Hash, but person) []byte {
	c.t.Helper()
	list := []any{c.dispute(id), c.state(), c.supply()}
	for _, p := range append([]person{c.author, c.provider, c.verifier}, c.accusers...) {
		if p != but {
			list = append(list, c.balance(p.Account()))
		}
	}
	raw, err := json.Marshal(list)
	if err != nil {
		c.t.Fatal(err)
	}
	return raw
}

// TestEquivocationOnTheChain: two signed moves for one turn end the dispute, whoever shows them.
func TestEquivocationOnTheChain(t *testing.T) {
	c := newCourt(t, bisecttest.Fault{})
	id := c.open(c.accusers[0])
	a, who := c.move(c.dispute(id))
	c.must(who, a)
	other := a.Move
	other.Answer = append(slices.Clone(other.Answer), 1)
	c.must(c.accusers[2], rulesof.Equivocation(a, signed(t, who, other)))
	if r := recordsOf[rulesof.Ruling](c, c.run)[0]; c.dispute(id) != nil || r.Verdict != bisect.Refuted {
		t.Errorf("%s: %s", r.Verdict, r.Reason)
	}
}

// TestHugeMessages are refused before they are decoded, for the gas of their bytes.
func TestHugeMessages(t *testing.T) {
	c := newCourt(t, bisecttest.Fault{})
	who := c.accusers[0].Account()
	for kind, body := range map[string][]byte{
		"dispute/play":    bytes.Repeat([]byte(" "), rulesof.MaxMessage+1),
		"dispute/open":    []byte(`{"run":"00"}`),
		"dispute/back":    []byte(`{"extra":1}`),
		"dispute/nothing": []byte("{}"),
	} {
		r := c.native(c.accusers[0], 20_000_000, sdk.Msg(&disputepb.MsgExecute{From: who.String(), Kind: kind, Body: body}))
		err := fault.FromABCI(r.Codespace, r.Code, r.Log)
		if protocol.Code(err) == protocol.CodeUnknown || err == nil || uint64(r.GasUsed) < escrow.GasPerByte*uint64(len(body)) {
			t.Errorf("%s: %d gas, %v", kind, r.GasUsed, err)
		}
	}
}

// TestNoProgramsNoDisputes: a chain whose validators know no units refuses, as it does for a run whose recipe they cannot read.
func TestNoProgramsNoDisputes(t *testing.T) {
	c := newCourt(t, bisecttest.Fault{})
	if err := c.app.Close(); err != nil {
		t.Fatal(err)
	}
	c.programs = nil
	c.chain.open()
	c.block()
	if err := c.submit(c.accusers[0], rulesof.Open{Run: c.run, Round: 1}); !errors.Is(err, protocol.ErrInvalid) {
		t.Errorf("a dispute without a referee: %v", err)
	}
	c.hasAbout(c.accusers[0], wealth)
}
