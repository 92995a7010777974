package commons

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
)

var (
	treasury = protocol.Account{1}
	ana      = protocol.Account{2}
	params   = func() Params {
		p := DefaultParams(treasury)
		p.StepBlocks, p.VoteSteps, p.SwingSteps, p.EpochBlocks, p.WindowEpochs = 10, 20, 5, 100, 3
		return p
	}()
)

func at(h uint64) protocol.Env { return protocol.Env{Height: protocol.Height(h)} }

// propose is a message that asks for so many MUT.
func propose(asked uint64, nonce uint64) Propose {
	s := work.DefaultSpec()
	h := protocol.Hash{1}
	s.Name, s.Dataset, s.Program, s.InferenceProgram, s.Params = "n", h, h, h, []string{"w"}
	s.Initial = work.StateRef{Model: h, Outer: h, Blob: h}
	s.Rounds, s.Steps, s.MaxUnits = 1, 1, 1
	s.Price.PerUnit, s.ProviderBond, s.VerifierBond = money.MUT(asked), money.MUT(1), money.MUT(1)
	s.Market = &work.Market{Class: market.Class{Resource: "cpu", Region: "eu", Tier: market.Audited}}
	return Propose{Spec: s, Nonce: nonce, Purpose: "for all", Providers: 1, Tenors: 1}
}

// Vectors of spec/commons.md §3: conviction of a stake of a million, from nothing and, once it has grown to that, without a stake.
func TestConvictionHalvesInSixteenSteps(t *testing.T) {
	up, down := money.Amount{}, money.New(1_000_000)
	for step := 1; step <= 160; step++ {
		up, down = grow(up, money.New(1_000_000)), grow(down, money.Amount{})
		if want, ok := map[int][2]string{1: {"42396", "957603"}, 16: {"499986", "499994"}, 32: {"749978", "249990"}, 160: {"998994", "965"}}[step]; ok {
			if up.String() != want[0] || down.String() != want[1] {
				t.Errorf("after %d steps %s and %s, want %v", step, up, down, want)
			}
		}
	}
	// It never passes its stake, from wherever it comes: no sequence of steps makes more conviction than there are coins.
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		y, x := money.New(r.Uint64()>>1), money.New(r.Uint64()>>1)
		for range 50 {
			next := grow(y, x)
			if y.Compare(x) <= 0 && next.Compare(x) > 0 || y.Compare(x) > 0 && next.Compare(y) > 0 {
				t.Fatalf("from %s to %s with a stake of %s", y, next, x)
			}
			y = next
		}
	}
}

// Vectors of spec/commons.md §3: what an ask needs of an electorate of 1,000,000, of a budget of 1,000 of which 200 may be asked.
func TestNeedsRiseWithTheShareAsked(t *testing.T) {
	p := DefaultParams(treasury)
	for asked, want := range map[uint64]string{0: "100000", 20: "123457", 100: "400001", 180: "10000200", 199: "4001600480"} {
		if got, ok := p.Needs(money.New(asked), money.New(1000), money.New(1_000_000)); !ok || got.String() != want {
			t.Errorf("%d needs %s, %v, want %s", asked, got, ok, want)
		}
	}
	for _, asked := range []uint64{200, 1000, 5000} {
		if _, ok := p.Needs(money.New(asked), money.New(1000), money.New(1_000_000)); ok {
			t.Errorf("%d of a budget of 1000 can pass", asked)
		}
	}
	if _, ok := p.Needs(money.Amount{}, money.Amount{}, money.New(1)); ok {
		t.Error("an ask of an empty budget can pass")
	}
}

func TestVotesAreLockedAndComeBack(t *testing.T) {
	m := propose(1, 0)
	o, effects, err := Put(m, ana, params, at(5))
	if err != nil || effects[0] != (protocol.Lock{From: ana, Amount: params.Deposit}) || o.Ends != 205 || o.ID != work.RunID(treasury, m.Run()) {
		t.Fatal(o, effects, err)
	}
	o, s, effects, _ := Cast(Vote{o.ID, money.MUT(8)}, o, Stake{}, ana)
	if effects[0] != (protocol.Lock{From: ana, Amount: money.MUT(8)}) || s.Amount != money.MUT(8) {
		t.Error(effects)
	}
	for range 200 {
		o = o.Step(money.MUT(100), money.MUT(10), params, at(10))
	}
	full := o.Conviction
	if o, _, effects, _ = Cast(Vote{o.ID, money.MUT(3)}, o, s, ana); effects[0] != (protocol.Pay{To: ana, Amount: money.MUT(5), Back: true}) || o.Conviction != money.MUT(3) || full.Compare(o.Conviction) < 0 {
		t.Errorf("%v: conviction must leave with its stake: %s", effects, o.Conviction)
	}
	o.Status = Lapsed
	if _, _, _, err := Cast(Vote{o.ID, money.MUT(4)}, o, s, ana); !errors.Is(err, protocol.ErrPhase) {
		t.Error(err)
	}
	s.Amount = money.MUT(3)
	if o, effects = Return(o, s); effects[0] != (protocol.Pay{To: ana, Amount: money.MUT(3), Back: true}) || !o.Stake.IsZero() {
		t.Error(o.Stake, effects)
	}
}

// A proposal whose outcome changes late is voted on for longer, so that others can answer.
func TestALateSwingExtendsTheVote(t *testing.T) {
	o, _, _ := Put(propose(1, 0), ana, params, at(0))
	vote := func(h uint64, amount uint64) {
		o, _, _, _ = Cast(Vote{o.ID, money.MUT(amount)}, o, Stake{Amount: o.Stake}, ana)
		o = o.Step(money.MUT(100), money.MUT(10), params, at(h))
	}
	var due bool
	for h := uint64(9); h < 180; h += 10 {
		vote(h, 0)
		if o, due = o.Extend(params, at(h)); due {
			t.Fatalf("decided in block %d", h)
		}
	}
	vote(189, 1000) // 42 MUT of conviction at once, and 1.2 are needed
	if !o.Passing || o.Flipped != 189 {
		t.Fatalf("passing %v since %d, needs %s of %s", o.Passing, o.Flipped, o.Needed, o.Conviction)
	}
	vote(209, 1000)
	if o, due = o.Extend(params, at(209)); due || o.Ends != 259 || o.Extensions != 1 {
		t.Fatalf("due %v, ends in block %d after %d extensions", due, o.Ends, o.Extensions)
	}
	vote(249, 0) // its friends leave: a swing, too
	if o, due = o.Extend(params, at(259)); due || o.Passing || o.Extensions != 2 {
		t.Fatalf("due %v, passing %v", due, o.Passing)
	}
	if o, due = o.Extend(params, at(309)); !due {
		t.Error("a quiet vote must end")
	}
	o.Extensions, o.Flipped, o.Ends = params.MaxExtensions, 309, 309
	if _, due = o.Extend(params, at(309)); !due {
		t.Error("extensions must end")
	}
}

func TestDepositOfAProposalThatNobodyWants(t *testing.T) {
	o, _, _ := Put(propose(1, 0), ana, params, at(0))
	b := OpenBudget(money.MUT(1000), params, at(0))
	after, _, job, effects := Decide(o, b, money.MUT(100), money.MUT(10), params, at(300))
	if after.Status != Lapsed || job != nil || effects[0] != (protocol.Burn{Amount: params.Deposit}) {
		t.Error(after.Status, effects)
	}
	o.Stake, o.Conviction = money.MUT(1), money.MUT(1).Part(2, 10) // a sixth of the 1.23 that are needed
	if after, _, _, effects = Decide(o, b, money.MUT(100), money.MUT(10), params, at(300)); after.Status != Lapsed || effects[0] != (protocol.Pay{To: ana, Amount: params.Deposit, Back: true}) {
		t.Error(after.Status, effects)
	}
}

// What is burned may be minted in the window, once.
func TestBudgetIsWhatWasBurnedInTheWindow(t *testing.T) {
	b := OpenBudget(money.MUT(100), params, at(0))
	burned := func(h, supply uint64) { b = b.Note(money.MUT(supply), params, at(h)) }
	free := func(want uint64) {
		t.Helper()
		if b.Free() != money.MUT(want) {
			t.Errorf("free are %s, want %d MUT", b.Free().Coins(), want)
		}
	}
	burned(50, 90)
	free(10)
	burned(150, 85) // epoch 1
	free(15)
	b = b.promise(money.MUT(4)) // of the oldest
	free(11)
	b = b.mint(money.MUT(3))
	burned(299, 88) // what was minted is not burned
	free(11)
	burned(300, 88) // epoch 3: the 6 of epoch 0 that are left expire
	free(5)
	b = b.release(money.MUT(1))
	free(6)
	burned(400, 88) // the 5 of epoch 1 expire
	free(1)
	burned(9_999, 88)
	free(0)
	burned(9_999, 99) // coins from nowhere, as a development chain makes
	free(0)
	burned(9_999, 87)
	free(1)
	if b.Minted != money.MUT(3) || b.Expired != money.MUT(12) || b.Burned != money.MUT(16) || !b.Promised.IsZero() {
		t.Errorf("%+v", b)
	}
}

// A job's money: the treasury's first, the rest minted as it is spent, and what is not spent not minted.
func TestAJobMintsWhatItSpends(t *testing.T) {
	o, _, _ := Put(propose(10, 0), ana, params, at(0))
	o.Stake, o.Conviction = money.MUT(900), money.MUT(900)
	b := OpenBudget(money.MUT(1000), params, at(0)).Note(money.MUT(900), params, at(1))
	o, b, job, _ := Decide(o, b, money.MUT(4), money.MUT(10), params, at(300))
	if o.Status != Granted || job.Funded != money.MUT(4) || job.Promised != money.MUT(6) || b.Free() != money.MUT(94) {
		t.Fatal(o.Status, job, b)
	}
	j := *job
	settle := func(left uint64, ended bool, in ...protocol.Effect) (money.Amount, []protocol.Effect) {
		var minted money.Amount
		var out []protocol.Effect
		j, b, minted, out = Settle(j, b, money.MUT(left), ended, in, params)
		return minted, out
	}
	if minted, out := settle(10, false, protocol.Lock{From: treasury, Amount: money.MUT(10)}); !minted.IsZero() || out[0] != (protocol.Lock{From: treasury, Amount: money.MUT(4)}) {
		t.Error(minted, out)
	}
	if minted, out := settle(7, false, protocol.Pay{To: ana, Amount: money.MUT(2)}, protocol.Burn{Amount: money.MUT(1)}); !minted.IsZero() || len(out) != 2 || j.Funded != money.MUT(1) {
		t.Error(minted, out, j)
	}
	if minted, _ := settle(4, false, protocol.Pay{To: ana, Amount: money.MUT(3)}); minted != money.MUT(2) {
		t.Error(minted, j)
	}
	refund := protocol.Record{Value: work.Receipt{Kind: work.ForRefund, Gross: money.MUT(3), Amount: money.MUT(3)}}
	minted, out := settle(0, true, protocol.Pay{To: ana, Amount: money.MUT(1)}, refund, protocol.Pay{To: treasury, Amount: money.MUT(3)})
	if minted != money.MUT(1) || len(out) != 2 || !out[1].(protocol.Record).Value.(work.Receipt).Amount.IsZero() {
		t.Error(minted, out)
	}
	if j.Minted != money.MUT(3) || j.Spent != money.MUT(7) || b.Minted != money.MUT(3) || !b.Promised.IsZero() || b.Free() != money.MUT(97) {
		t.Errorf("%+v %+v", j, b)
	}
}

// TestSelfDealingNeverPays: somebody owns everything that the design could pay: every vote, every proposal, every worker and
// verifier of every job, the pool of validators, and computing costs it nothing. It deals with itself as it likes, to burn and so to
// make budget, and takes the whole budget each time. In 1,000 random lives it never has more than it began with.
func TestSelfDealingNeverPays(t *testing.T) {
	p := params
	p.AskPPM, p.BasePPM, p.ElectoratePPM = PPM, 1, 1
	for seed := range uint64(1000) {
		r := rand.New(rand.NewPCG(seed, 1))
		own, trove := money.MUT(1000), money.Amount{}
		minted := money.Amount{}
		b := OpenBudget(own, p, at(0))
		check := func(what string, inFlight money.Amount) {
			if sum := own.Plus(trove).Plus(inFlight); sum.Compare(money.MUT(1000)) > 0 {
				t.Fatalf("seed %d: after %s it has %s", seed, what, sum.Coins())
			}
			if minted.Compare(b.Burned) > 0 {
				t.Fatalf("seed %d: minted %s, burned %s", seed, minted, b.Burned)
			}
		}
		for life := range uint64(60) {
			env := at(life * (1 + r.Uint64N(50)))
			cost := own.Part(r.Uint64N(1000), 1000) // a lease or run of its own: 92 and 2 % are its own, 1 % the treasury's, the rest burned
			parts := r.Uint64N(10_000)              // the author of a run chooses the split
			tithe := cost.Part(parts, 10_000).Part(1, 100)
			own = own.Minus(cost.Part(parts, 10_000))
			trove = trove.Plus(tithe)
			b = b.Note(own.Plus(trove), p, env)
			check("a deal with itself", money.Amount{})
			asked := trove.Plus(b.Free())
			if asked = asked.Part(999_000, PPM); asked.IsZero() {
				continue
			}
			o := Proposal{ID: protocol.Hash{byte(life)}, Proposer: ana, Asked: asked, Stake: own, Conviction: own}
			o, next, job, _ := Decide(o, b, trove, money.New(1), p, env)
			if b = next; job == nil {
				continue
			}
			trove = trove.Minus(job.Funded)
			j, escrow := *job, job.Funded
			for left := j.Left; !j.Ended; {
				spent := left.Part(r.Uint64N(1001), 1000)
				left = left.Minus(spent)
				ends := r.Uint64N(4) == 0
				effects := []protocol.Effect{protocol.Pay{To: ana, Amount: spent}}
				if ends {
					effects = append(effects, protocol.Pay{To: treasury, Amount: left})
					left = money.Amount{}
				}
				var fresh money.Amount
				j, b, fresh, effects = Settle(j, b, left, ends, effects, p)
				escrow, minted = escrow.Plus(fresh), minted.Plus(fresh)
				for _, e := range effects {
					f := e.(protocol.Pay)
					escrow = escrow.Minus(f.Amount)
					if f.To == treasury {
						trove = trove.Plus(f.Amount)
					} else {
						own = own.Plus(f.Amount)
					}
				}
				check(fmt.Sprintf("a job of %s", asked.Coins()), escrow)
			}
			if !escrow.IsZero() {
				t.Fatalf("seed %d: a job left %s in escrow", seed, escrow)
			}
		}
		if b.Burned != b.Minted.Plus(b.Expired).Plus(b.Free()) || !b.Promised.IsZero() {
			t.Fatalf("seed %d: the books do not add up: %+v", seed, b)
		}
	}
}

func TestAJobBidsForWhatItLacks(t *testing.T) {
	h := Hire{Class: market.Class{Resource: "cpu"}, Providers: 3, Tenors: 2, Limit: 7}
	run := &work.State{ID: protocol.Hash{9}, Phase: work.PhaseGather, Spec: work.Spec{Market: &work.Market{Class: h.Class}},
		Members: []work.Member{{Account: ana, Role: work.Provider, Status: work.Active}, {Account: treasury, Role: work.Provider, Status: work.Away}}}
	leases := []market.Lease{{Provider: ana, Units: 1, Status: market.Running}, {Provider: protocol.Account{7}, Units: 1, Status: market.Offered}, {Provider: protocol.Account{8}, Units: 1, Status: market.Closed}}
	terms, ok := h.Wants(run, leases)
	if !ok || terms.Alternatives[0].Units != 1 || !terms.Metered || terms.Job != run.ID || terms.Alternatives[0].Limit != 7 {
		t.Errorf("%v %+v", ok, terms)
	}
	leases[2].Status = market.Offered
	if _, ok = h.Wants(run, leases); ok {
		t.Error("it has all that it wants")
	}
	run.Phase = work.PhaseFinished
	if _, ok = h.Wants(run, nil); ok {
		t.Error("a run that has ended bids")
	}
}

func FuzzDecodeMsg(f *testing.F) {
	f.Add("commons/vote", []byte(`{"proposal":"00","amount":"1"}`))
	f.Add("commons/propose", []byte(`{"spec":{"name":"n"},"purpose":"p","providers":1,"tenors":1}`))
	f.Fuzz(func(t *testing.T, kind string, data []byte) {
		m, err := DecodeMsg(kind, data)
		if err != nil {
			return
		}
		if o, ok := m.(Propose); ok {
			if _, _, err := Put(o, ana, params, at(1)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
