package disputecmd

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmttypes "github.com/cometbft/cometbft/types"
	dbm "github.com/cosmos/cosmos-db"

	"cosmossdk.io/log/v2"
	sdkmath "cosmossdk.io/math"

	"github.com/mutirao/mutirao/agent/workshop"
	"github.com/mutirao/mutirao/chain/app"
	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/genesis"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/data"
	"github.com/mutirao/mutirao/learn/recipe"
	"github.com/mutirao/mutirao/learn/round"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/bisect"
	"github.com/mutirao/mutirao/verify/merkle"
	"github.com/mutirao/mutirao/verify/trace"
)

// ledger is the whole application over ABCI, each transaction in a block of its own, with one run over a real recipe.
type ledger struct {
	t                            testing.TB
	app                          *app.App
	doc                          *cmttypes.GenesisDoc
	height                       int64
	author, worker, checker, foe client.Key
	others                       [4]client.Key
	run                          protocol.Hash
	blobs                        disk // what the run's author serves
	gas                          uint64
	slowest                      time.Duration // of a block with a move
}

func newLedger(t testing.TB) *ledger {
	t.Helper()
	l := &ledger{t: t}
	keys := genesis.DeriveKeys([32]byte{1}, 1)
	spec := genesis.Spec{Time: time.Unix(1_700_000_000, 0), Validators: keys}
	for i, k := range []*client.Key{&l.author, &l.worker, &l.checker, &l.foe, &l.others[0], &l.others[1], &l.others[2], &l.others[3]} {
		var err error
		if *k, err = client.NewKey([32]byte{byte(i + 1)}); err != nil {
			t.Fatal(err)
		}
		spec.Accounts = append(spec.Accounts, genesis.Balance{Address: k.Account(), Amount: money.MUT(1000)})
	}
	var err error
	if l.doc, err = genesis.New(spec); err != nil {
		t.Fatal(err)
	}
	if l.app, err = app.New(log.NewNopLogger(), dbm.NewMemDB(), workshop.NewPrograms()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.app.Close() })
	params := l.doc.ConsensusParams.ToProto()
	validators := cmttypes.NewValidatorSet([]*cmttypes.Validator{cmttypes.NewValidator(l.doc.Validators[0].PubKey, l.doc.Validators[0].Power)})
	if _, err := l.app.InitChain(&abci.RequestInitChain{ChainId: l.doc.ChainID, Time: l.doc.GenesisTime, InitialHeight: 1, ConsensusParams: &params,
		AppStateBytes: l.doc.AppState, Validators: cmttypes.TM2PB.ValidatorUpdates(validators)}); err != nil {
		t.Fatal(err)
	}
	l.block()
	return l
}

func (l *ledger) block(txs ...[]byte) []*abci.ExecTxResult {
	l.t.Helper()
	l.height++
	began := time.Now()
	r, err := l.app.FinalizeBlock(&abci.RequestFinalizeBlock{Height: l.height, Time: l.doc.GenesisTime.Add(time.Duration(l.height) * time.Second), Txs: txs,
		ProposerAddress: l.doc.Validators[0].PubKey.Address()})
	if err != nil {
		l.t.Fatal(err)
	}
	l.slowest = max(l.slowest, time.Since(began))
	if _, err := l.app.Commit(); err != nil {
		l.t.Fatal(err)
	}
	return r.TxResults
}

// must executes a message.
func (l *ledger) must(from client.Key, m protocol.Msg) {
	l.t.Helper()
	wrapped, _, err := client.Wrap(from.Account(), m)
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, err := l.app.CreateQueryContext(l.height, false)
	if err != nil {
		l.t.Fatal(err)
	}
	who := from.Account()
	account := l.app.Account.GetAccount(ctx, who[:])
	raw, err := client.Sign(l.t.Context(), l.app.TxConfig(), from, client.Envelope{Number: account.GetAccountNumber(), Sequence: account.GetSequence(),
		Gas: network.BlockGas, Price: sdkmath.NewInt(2 * network.MinGasPrice)}, wrapped)
	if err != nil {
		l.t.Fatal(err)
	}
	r := l.block(raw)[0]
	if r.Code != 0 {
		l.t.Fatalf("%s: %s", m.Kind(), r.Log)
	}
	l.gas += uint64(r.GasUsed)
}

func (l *ledger) state() *work.State {
	l.t.Helper()
	ctx, err := l.app.CreateQueryContext(l.height, false)
	if err != nil {
		l.t.Fatal(err)
	}
	s, err := l.app.Work.Run(ctx, l.run, escrow.Free)
	if err != nil {
		l.t.Fatal(err)
	}
	return s
}

// liar is an execution that is right but for one weight after the last step, and keeps to that.
type liar struct {
	*workshop.Machine
	steps int
	value int    // of the step that is the weight's next
	name  string // of the weight
}

func flipped(x *tensor.Tensor) *tensor.Tensor {
	x = x.Clone()
	i := x.Len() / 3
	x.Float32()[i] = math.Float32frombits(math.Float32bits(x.Float32()[i]) ^ 1)
	return x
}

func (l *liar) State(step int) ([]trace.Entry, error) {
	s, err := l.Machine.State(step)
	if err != nil || step != l.steps {
		return s, err
	}
	lied := append([]trace.Entry(nil), s...)
	for i := range lied {
		if lied[i].Name == l.name {
			lied[i].Tensor = flipped(lied[i].Tensor)
		}
	}
	return lied, nil
}

func (l *liar) Values(step int) ([]*tensor.Tensor, error) {
	v, err := l.Machine.Values(step)
	if err != nil || step != l.steps-1 {
		return v, err
	}
	lied := append([]*tensor.Tensor(nil), v...)
	lied[l.value] = flipped(lied[l.value])
	return lied, nil
}

// stage sets a run of a recipe up, whose only worker has claimed a unit with a lie in one weight.
func stage(t testing.TB, r *recipe.Recipe, set *data.Set) (*ledger, *liar, *workshop.Machine) {
	t.Helper()
	trainer, err := round.NewTrainer(r, set)
	if err != nil {
		t.Fatal(err)
	}
	public, err := trainer.Initial()
	if err != nil {
		t.Fatal(err)
	}
	program, err := trace.NewProgram(trainer.StepGraph())
	if err != nil {
		t.Fatal(err)
	}
	l, one := newLedger(t), merkle.Leaf(nil)
	l.blobs = disk{}
	shop, err := workshop.New(l.blobs, r, set)
	if err != nil {
		t.Fatal(err)
	}
	initial, err := shop.Keep(t.Context(), public)
	if err != nil {
		t.Fatal(err)
	}
	d := registry.RegisterDataset{Root: workshop.RecordsRoot(set), Blob: one, Schema: one, Records: uint64(set.Count), RecordSize: uint64(set.RecordSize), Name: "d", Licence: "CC0-1.0"}
	s := work.DefaultSpec()
	s.Name, s.Dataset, s.Program, s.InferenceProgram, s.Params, s.Recipe = "r", registry.DatasetID(l.author.Account(), d), program.Root(), one, []string{"w"}, r.Encode()
	s.Initial, s.Rounds, s.MaxUnits = initial, 1, 1
	s.Steps, s.UnitTokens, s.Windows.AuditCommit = uint32(r.Train.Steps), trainer.UnitTokens(r.Train.Steps), 10_000
	s.Price.PerUnit, s.ProviderBond, s.VerifierBond = money.MUT(1), money.MUT(50), money.MUT(50)
	create := work.CreateRun{Spec: s}
	l.run = work.RunID(l.author.Account(), create)
	l.must(l.author, d)
	l.must(l.author, create)
	l.must(l.worker, work.Join{Run: l.run, Role: work.Provider})
	l.must(l.checker, work.Join{Run: l.run, Role: work.Verifier})
	u := l.state().Round.Units[0]
	machine := func() *workshop.Machine {
		m, err := workshop.NewMachine(t.Context(), trainer, public.Theta, set.Leaves(), u.Shard, r.Train.Steps)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	lie := &liar{Machine: machine(), steps: r.Train.Steps}
	for e := range program.States {
		record, _ := program.Record(program.StateAt(e))
		x, err := trace.ParseState(record)
		if err != nil {
			t.Fatal(err)
		}
		if _, weight := lie.Initial(x.Name); weight {
			lie.name, lie.value = x.Name, int(x.Next)
		}
	}
	l.claim(lie, u)
	return l, lie, machine()
}

// claim seals and opens what an execution claims.
func (l *ledger) claim(m bisect.Machine, u work.Unit) {
	l.t.Helper()
	var points [trace.Points]merkle.Hash
	for p := range points {
		state, err := m.State(m.PointStep(p))
		if err != nil {
			l.t.Fatal(err)
		}
		points[p] = trace.StateRoot(state)
	}
	sent, err := m.Payload()
	if err != nil {
		l.t.Fatal(err)
	}
	root, salt := trace.PayloadRoot(sent), merkle.Leaf([]byte("salt"))
	result := work.Result{Payload: work.PayloadRef{Root: root, Blob: root, Size: uint64(len(sent))}, Trace: trace.TraceRoot(points, root)}
	l.must(l.worker, work.Commit{Run: l.run, Round: 1, Seal: work.CommitSeal(l.run, 1, 0, u.Shard, l.worker.Account(), result, salt)})
	l.must(l.worker, work.Reveal{Run: l.run, Round: 1, Result: result, Salt: salt})
}

// match is what a game on the ledger cost.
type match struct {
	moves, answers   int
	sent, shown      int // bytes of answers, and of what the challenger shows
	carried          int // bytes of the messages that carried moves
	gas              uint64
	defends, chooses time.Duration
	place            string
}

// fight plays a dispute to its end.
func (l *ledger) fight(defender, challenger bisect.Machine) (r match) {
	l.t.Helper()
	claimed := l.state()
	l.gas, l.slowest = 0, 0
	l.must(l.foe, dispute.Open{Run: l.run, Round: 1})
	data := registry.Dataset{}
	ctx, err := l.app.CreateQueryContext(l.height, false)
	if err != nil {
		l.t.Fatal(err)
	}
	if data, err = l.app.Registry.Dataset(ctx, claimed.Spec.Dataset, escrow.Free); err != nil {
		l.t.Fatal(err)
	}
	id := dispute.ID(dispute.ClaimOf(claimed, claimed.Round.Units[0], data), l.foe.Account(), 0)
	for {
		ctx, err := l.app.CreateQueryContext(l.height, false)
		if err != nil {
			l.t.Fatal(err)
		}
		d, err := l.app.Dispute.Dispute(ctx, id, escrow.Free)
		if err != nil {
			break // it has ended
		}
		m, who := dispute.Move{Dispute: id, Turn: d.Turn, Side: d.ToMove()}, l.worker
		began := time.Now()
		if m.Side == dispute.Challenger {
			c, _, err := bisect.Challenge(d.Game, challenger)
			if err != nil {
				l.t.Fatal(err)
			}
			m.Choice, m.Answer, who = uint32(c.Part), c.Shown, l.foe
			r.shown += 4 + len(c.Shown)
			r.chooses += time.Since(began)
		} else {
			if m.Answer, err = bisect.Defend(d.Game, defender); err != nil {
				l.t.Fatal(err)
			}
			r.answers, r.sent = r.answers+1, r.sent+len(m.Answer)
			r.defends += time.Since(began)
		}
		signature, err := who.Sign(m.Digest())
		if err != nil {
			l.t.Fatal(err)
		}
		play := dispute.Play{Move: m, Signature: signature}
		body, err := json.Marshal(play)
		if err != nil {
			l.t.Fatal(err)
		}
		r.moves, r.carried, r.place = r.moves+1, r.carried+len(body), d.Game.Place()
		l.must(who, play)
	}
	r.gas = l.gas
	return r
}

func example(t testing.TB, name string, change func(*recipe.Recipe)) (*recipe.Recipe, *data.Set) {
	t.Helper()
	dir := filepath.Join("..", "..", "examples", name)
	file, err := os.ReadFile(filepath.Join(dir, "run.toml"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := recipe.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	change(r)
	if name == "diagnosis" {
		set, err := data.Load(r, dir)
		if err != nil {
			t.Fatal(err)
		}
		return r, set
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "examples", "diagnosis", "wdbc.csv"))
	if err != nil {
		t.Fatal(err)
	}
	set, err := data.CutText(text, r.Model.Context)
	if err != nil {
		t.Fatal(err)
	}
	return r, set
}

// TestRealUnitsOnTheChain brings a lie of one ulp in one weight of real recipes before the whole application, whose referee has never seen
// the data.
func TestRealUnitsOnTheChain(t *testing.T) {
	for _, name := range []string{"diagnosis", "gocode"} {
		r, set := example(t, name, func(r *recipe.Recipe) { r.Train.Batch, r.Train.Steps = 4, 6 })
		l, lie, truth := stage(t, r, set)
		m := l.fight(lie, truth)
		s := l.state()
		if u := s.Round.Units[0]; u.Status != work.Wrong || len(s.Round.Slashes) != 1 || s.Round.Slashes[0].To != l.foe.Account() {
			t.Errorf("%s: the unit is %s, slashes %+v", name, u.Status, s.Round.Slashes)
		}
		t.Logf("%s: %d moves, %d bytes, %d gas, %s: %s", name, m.moves, m.sent, m.gas, m.place, s.Round.Slashes[0].Detail)
	}
}

// BenchmarkDisputeOnTheChain plays one over a unit of a transformer of ten million weights.
func BenchmarkDisputeOnTheChain(b *testing.B) {
	r, set := example(b, "gocode", func(r *recipe.Recipe) {
		r.Model.Width, r.Model.Layers, r.Model.Heads, r.Model.Context = 320, 8, 5, 128
		r.Train.Batch, r.Train.Steps = 4, 3
	})
	trainer, err := round.NewTrainer(r, set)
	if err != nil {
		b.Fatal(err)
	}
	public, err := trainer.Initial()
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	if _, err := trainer.Unit(b.Context(), round.Task{Theta: public.Theta, Steps: r.Train.Steps}, nil); err != nil {
		b.Fatal(err)
	}
	unit := time.Since(began)
	for b.Loop() {
		l, lie, truth := stage(b, r, set)
		m := l.fight(lie, truth)
		b.Log(m.place, l.state().Round.Slashes[0].Detail)
		b.ReportMetric(float64(m.moves), "moves")
		b.ReportMetric(float64(m.answers), "answers")
		b.ReportMetric(float64(m.sent), "answer-bytes")
		b.ReportMetric(float64(m.shown), "choice-bytes")
		b.ReportMetric(float64(m.carried), "message-bytes")
		b.ReportMetric(float64(m.gas), "gas")
		b.ReportMetric(1e3*l.slowest.Seconds(), "slowest-block-ms")
		b.ReportMetric(m.defends.Seconds(), "defender-s")
		b.ReportMetric(m.chooses.Seconds(), "challenger-s")
		b.ReportMetric(unit.Seconds(), "unit-s")
	}
}
