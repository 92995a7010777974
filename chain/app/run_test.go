package app_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/genesis"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/x/work"
	"github.com/mutirao/mutirao/chain/x/work/workpb"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
	rules "github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/trace"
)

// params are the trained tensors of the test's model, ascending.
var params = []string{"bias", "weight"}

// artifact is a logistic regression on two features.
func artifact(t testing.TB) *graph.Graph {
	t.Helper()
	b := graph.NewBuilder("risk")
	x := b.Input("features", tensor.Float32, 1, 2)
	bias := b.Initializer("bias", tensor.FromFloat32([]float32{-0.125}, 1))
	weight := b.Initializer("weight", tensor.FromFloat32([]float32{0.3, -0.7}, 2, 1))
	b.Output("probability", b.Op("Sigmoid", nil, b.Op("Add", nil, b.Op("MatMul", nil, x, weight), bias)))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// story is a chain on which one provider and one verifier have completed a run of one round.
type story struct {
	*chain
	author, provider, verifier person
	run                        protocol.Hash
	artifact                   []byte
	weights                    []trace.Entry
}

func (s *story) must(from person, msgs ...protocol.Msg) {
	s.t.Helper()
	if err := s.submit(from, msgs...); err != nil {
		s.t.Fatal(err)
	}
}

func (s *story) state() *rules.State {
	s.t.Helper()
	state, err := s.app.Work.Run(s.context(), s.run, escrow.Free)
	if err != nil {
		s.t.Fatal(err)
	}
	return state
}

func (s *story) in(phase rules.Phase) *rules.State {
	s.t.Helper()
	state := s.state()
	if state.Phase != phase {
		s.t.Fatalf("run is in phase %s, want %s", state.Phase, phase)
	}
	return state
}

func hashOf(b byte) protocol.Hash { return protocol.Hash{31: b} }

// finishRun plays the run through the chain's transactions.
func finishRun(t testing.TB) *story {
	t.Helper()
	return finishRunWith(t, func(*genesis.Spec) {})
}

// finishRunWith does it on a chain whose genesis is edited.
func finishRunWith(t testing.TB, edit func(*genesis.Spec)) *story {
	t.Helper()
	s := &story{author: newPerson(t, 1), provider: newPerson(t, 2), verifier: newPerson(t, 3)}
	s.chain = newChainWith(t, nil, edit, s.author, s.provider, s.verifier)

	dataset := registry.RegisterDataset{Root: hashOf(1), Blob: hashOf(2), Schema: hashOf(3), Records: 10, RecordSize: 8,
		Name: "numbers", Licence: "CC0-1.0"}
	g := artifact(t)
	s.artifact = graph.Encode(g)
	program, weights, err := registry.SplitArtifact(g, params)
	if err != nil {
		t.Fatal(err)
	}
	spec := rules.DefaultSpec()
	spec.Name, spec.Dataset = "risk", registry.DatasetID(s.author.Account(), dataset)
	spec.Program, spec.InferenceProgram, spec.Params = hashOf(4), trace.ProgramHash(program), params
	spec.Initial = rules.StateRef{Model: hashOf(5), Outer: hashOf(6), Blob: hashOf(7)}
	spec.Rounds, spec.Steps, spec.MaxUnits, spec.Windows.Challenge = 1, 4, 1, 8
	spec.Price.PerUnit, spec.ProviderBond, spec.VerifierBond = money.MUT(10), money.MUT(5), money.MUT(5)
	create := rules.CreateRun{Spec: spec}
	s.run = rules.RunID(s.author.Account(), create)

	if err := s.submit(s.author, create); !errors.Is(err, protocol.ErrNotFound) {
		t.Fatalf("a run without its dataset: %v", err)
	}
	s.must(s.author, dataset, create)
	if err := s.submit(s.author, create); !errors.Is(err, protocol.ErrExists) {
		t.Fatalf("the same run again: %v", err)
	}
	s.must(s.provider, rules.Join{Run: s.run, Role: rules.Provider, Peer: "p"})
	s.must(s.verifier, rules.Join{Run: s.run, Role: rules.Verifier, Peer: "v"})

	s.weights = weights
	s.work(weights)
	s.in(rules.PhaseFinished)
	return s
}

// work plays the only round of the run, of which weights come.
func (s *story) work(weights []trace.Entry) {
	s.t.Helper()
	round := s.in(rules.PhaseCompute).Round
	unit := round.Units[0]
	points := rules.Points{hashOf(9)}
	result := rules.Result{Payload: rules.PayloadRef{Root: hashOf(10), Blob: hashOf(11), Size: 100}}
	result.Trace = trace.TraceRoot(points, result.Payload.Root)
	salt := hashOf(12)
	if err := s.submit(s.verifier, rules.Commit{Run: s.run, Round: round.Number, Seal: hashOf(1)}); protocol.Code(err) == protocol.CodeUnknown {
		s.t.Fatalf("a commit by somebody else: %v", err)
	}
	s.must(s.provider, rules.Commit{Run: s.run, Round: round.Number, Unit: unit.Index,
		Seal: rules.CommitSeal(s.run, round.Number, unit.Index, unit.Shard, s.provider.Account(), result, salt)})
	s.in(rules.PhaseReveal)
	wrong := rules.Reveal{Run: s.run, Round: round.Number, Unit: unit.Index, Result: result, Salt: hashOf(13)}
	if err := s.submit(s.provider, wrong); !errors.Is(err, protocol.ErrSealMismatch) {
		s.t.Fatalf("a reveal with another salt: %v", err)
	}
	s.must(s.provider, rules.Reveal{Run: s.run, Round: round.Number, Unit: unit.Index, Result: result, Salt: salt})

	round = s.in(rules.PhaseAuditCommit).Round
	report := rules.Report{Available: []bool{true}, Audits: []rules.Opening{
		{Unit: unit.Index, Points: points, Payload: result.Payload.Root}}}
	s.must(s.verifier, rules.AuditCommit{Run: s.run, Round: round.Number, Pass: round.Pass,
		Seal: rules.ReportSeal(s.run, round.Number, round.Pass, s.verifier.Account(), report, salt)})
	s.must(s.verifier, rules.AuditReveal{Run: s.run, Round: round.Number, Pass: round.Pass, Report: report, Salt: salt})
	for until := s.in(rules.PhaseChallenge).Round.Until; s.state().Phase == rules.PhaseChallenge; s.block() {
		if h := s.app.LastBlockHeight(); h >= int64(until) {
			s.t.Fatalf("block %d: claims are open to dispute, to block %d", h, until)
		}
	}
	s.in(rules.PhaseAggregate)
	s.must(s.verifier, rules.Aggregate{Run: s.run, Round: round.Number,
		Next: rules.StateRef{Model: trace.StateRoot(weights), Outer: hashOf(14), Blob: hashOf(15)}, Trace: hashOf(16)})
	for s.in(rules.PhaseContest); s.state().Phase == rules.PhaseContest; {
		s.block()
	}
}

func TestRunThroughTheChain(t *testing.T) {
	s := finishRun(t)

	// Worker and verifier have their bonds back and what they earned, less fees for gas that stay far below a MUT.
	gasAtMost := money.MUT(1)
	for _, c := range []struct {
		who  person
		earn string
	}{{s.provider, "8.5 MUT"}, {s.verifier, "1 MUT"}} {
		earn, err := money.ParseMUT(c.earn)
		if err != nil {
			t.Fatal(err)
		}
		due, has := wealth.Plus(earn), s.balance(c.who.Account())
		if has.Compare(due) > 0 || due.Minus(has).Compare(gasAtMost) > 0 {
			t.Errorf("%s has %s, earned %s", c.who.Account(), has.Coins(), c.earn)
		}
	}
	// Half a MUT is burned, the escrow is empty, and fees lie with the collector: nothing else left the accounts.
	var escrow protocol.Account
	copy(escrow[:], authtypes.NewModuleAddress(work.ModuleName))
	if left := s.balance(escrow); !left.IsZero() {
		t.Errorf("escrow still holds %s", left.Coins())
	}
	sum := s.balance(s.author.Account()).Plus(s.balance(s.provider.Account())).Plus(s.balance(s.verifier.Account()))
	var fees protocol.Account
	copy(fees[:], authtypes.NewModuleAddress(authtypes.FeeCollectorName))
	burned, err := money.ParseMUT("0.5 MUT")
	if err != nil {
		t.Fatal(err)
	}
	if got := sum.Plus(s.balance(fees)).Plus(burned); got != wealth.Times(3) {
		t.Errorf("accounts, fees and burned coins sum to %s", got.Coins())
	}

	// A message of a finished run is refused with its own sentinel.
	if err := s.submit(s.provider, rules.Leave{Run: s.run}); !errors.Is(err, protocol.ErrFinished) {
		t.Errorf("leaving a finished run: %v", err)
	}
}

func TestStateSurvivesReopening(t *testing.T) {
	s := finishRun(t)
	before := s.app.LastCommitID()
	if err := s.app.Close(); err != nil {
		t.Fatal(err)
	}
	s.open()
	if after := s.app.LastCommitID(); after.String() != before.String() {
		t.Errorf("reopened at %s, closed at %s", after, before)
	}
	s.block()
	s.in(rules.PhaseFinished)
}

func TestRefusals(t *testing.T) {
	rich, poor := newPerson(t, 1), newPerson(t, 9)
	c := newChain(t, rich)
	// An account with a millionth of a MUT can act.
	little := money.New(1_000_000_000_000)
	from, to := rich.Account(), poor.Account()
	if r := c.native(rich, 300_000, banktypes.NewMsgSend(from[:], to[:], network.Coins(little))); r.Code != 0 {
		t.Fatal(r.Log)
	}
	data := registry.RegisterDataset{Root: hashOf(1), Blob: hashOf(2), Schema: hashOf(3), Records: 1, RecordSize: 1, Name: "n", Licence: "l"}
	if err := c.submit(poor, data); err != nil {
		t.Errorf("an account with %s: %v", little.Coins(), err)
	}
	if err := c.submit(poor, data); !errors.Is(err, protocol.ErrExists) {
		t.Errorf("the same dataset again: %v", err)
	}
	spec := rules.DefaultSpec()
	spec.Name, spec.Dataset, spec.Program, spec.InferenceProgram = "n", registry.DatasetID(to, data), hashOf(1), hashOf(1)
	spec.Params, spec.Initial = params, rules.StateRef{Model: hashOf(1), Outer: hashOf(1), Blob: hashOf(1)}
	spec.Rounds, spec.Steps = 1, 1
	spec.Price.PerUnit, spec.ProviderBond, spec.VerifierBond = money.MUT(1), money.MUT(1), money.MUT(1)
	if err := c.submit(poor, rules.CreateRun{Spec: spec}); !errors.Is(err, protocol.ErrInsufficient) {
		t.Errorf("a budget that the author does not have: %v", err)
	}
	// Nothing of a refused message stays.
	if err := c.submit(poor, rules.Leave{Run: rules.RunID(to, rules.CreateRun{Spec: spec})}); !errors.Is(err, protocol.ErrNotFound) {
		t.Errorf("the run of a refused message: %v", err)
	}
	for _, bad := range []struct{ kind, body, want string }{
		{"work/nothing", "{}", "unknown kind"},
		{"work/leave", `{"run":"00"}`, "invalid"},
		{"work/leave", `{"extra":1}`, "extra"},
		{"work/leave", strings.Repeat(" ", rules.MaxMessage+1), "allowed are"},
	} {
		r := c.native(rich, 20_000_000, &workpb.MsgExecute{From: from.String(), Kind: bad.kind, Body: []byte(bad.body)})
		if r.Code == 0 || !strings.Contains(r.Log, bad.want) {
			t.Errorf("%s %.20q: code %d, log %q", bad.kind, bad.body, r.Code, r.Log)
		}
	}
}

func TestEthereumComesFirst(t *testing.T) {
	// The SDK learns where fees go from its own transactions; a chain whose first transaction is Ethereum's must know too.
	from, to := newPerson(t, 1), newPerson(t, 2).Account()
	c := newChain(t, from)
	address := common.Address(to)
	if r := c.ethereum(from, &address, money.MUT(3), 21_000, nil); r.Failed() {
		t.Fatal(r.VmError)
	}
	if got := c.balance(to); got != money.MUT(3) {
		t.Errorf("received %s", got.Coins())
	}
}
