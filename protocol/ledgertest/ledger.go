// Package ledgertest is a ledger in memory on the real rules of packages work, registry, voucher, dispute and market: accounts with balances,
// an escrow, blocks that advance when told, any number of runs, datasets and models, and everything that the rules record.
// Tests of the layers above use it in place of a chain, and the simulator hosts whole networks on it. It has no consensus,
// no fees and no signatures: a Client is trusted to be its account. It imports packages below protocol only.
package ledgertest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/voucher"
	"github.com/mutirao/mutirao/protocol/work"
)

// Genesis is the time of block 0 in Unix seconds; every block is one second later than the one before.
const Genesis = 1_700_000_000

// Ledger holds the state. Its methods may be called from several goroutines; each is one step of the whole ledger.
// Values that it returns are never changed afterwards and must not be changed by the caller.
type Ledger struct {
	mu       sync.Mutex
	height   protocol.Height // of the last closed block
	closed   chan struct{}   // closed, and replaced, when a block closes
	books    books
	runs     []*work.State
	datasets []registry.Dataset
	models   []registry.Model
	files    [][]byte // artifacts, by index of models; nil if not callable
	holdings []registry.Holding
	channels []voucher.Channel
	disputes []*dispute.State
	referee  func(run *work.State, d *dispute.State) dispute.Referee
	programs func(run *work.State, units int) (protocol.Hash, error)
	terms    dispute.Params
	records  []protocol.Recorded
	events   []Event
	faults   Faults
	trade    trading
	ended    map[protocol.Hash]uint64 // runs that have ended, and the batch that was open then
}

// Event is an event with the block in which it happened.
type Event struct {
	Height protocol.Height
	protocol.Event
}

// New returns an empty ledger at height 0.
func New() *Ledger {
	return &Ledger{closed: make(chan struct{}), terms: DisputeParams, ended: map[protocol.Hash]uint64{}}
}

// env is the environment of the block that is being made.
func (l *Ledger) env() protocol.Env {
	return protocol.Env{Height: l.height + 1, Time: Genesis + int64(l.height) + 1}
}

// Mint gives an account new coins.
func (l *Ledger) Mint(to protocol.Account, a money.Amount) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.books.mint(to, a)
}

// Balance is what an account owns outside of the escrow.
func (l *Ledger) Balance(of protocol.Account) money.Amount {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.books.balance(of)
}

// Burned is the sum of all coins that were destroyed.
func (l *Ledger) Burned() money.Amount {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.books.burned
}

// Height is the last closed block.
func (l *Ledger) Height() protocol.Height {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.height
}

// Advance closes the block that is being made: every run's phases move on, and whoever waits for the block is woken.
func (l *Ledger) Advance() protocol.Height {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tickDisputes() // first: a run goes on in the block in which the last dispute that it waits for ends
	for i, run := range l.runs {
		next, effects := work.Tick(run, l.env())
		l.runs[i] = next
		if err := l.execute(effects); err != nil {
			panic(fmt.Sprintf("ledgertest: block %d: %v", l.height+1, err)) // Tick never locks, and escrow covers all claims
		}
		if err := l.absent(run, next); err != nil {
			panic(fmt.Sprintf("ledgertest: block %d: %v", l.height+1, err)) // bonds are only paid back
		}
	}
	l.endChannels()
	if err := l.tickMarket(); err != nil {
		panic(fmt.Sprintf("ledgertest: block %d: %v", l.height+1, err)) // what is due never locks
	}
	l.height++
	close(l.closed)
	l.closed = make(chan struct{})
	return l.height
}

// Submit applies messages of an account in the block that is being made: all of them, or none and the error of the first
// that failed.
func (l *Ledger) Submit(from protocol.Account, msgs ...protocol.Msg) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.save()
	for _, m := range msgs {
		if err := l.apply(m, from); err != nil {
			l.restore(before)
			return fmt.Errorf("%s: %w", m.Kind(), err)
		}
	}
	return nil
}

func (l *Ledger) apply(m protocol.Msg, from protocol.Account) error {
	switch m := m.(type) {
	case dispute.Open:
		return l.openDispute(m, from)
	case dispute.Back, dispute.Play, dispute.Equivocate:
		return l.dispute(m.(dispute.Msg), from)
	case registry.RegisterDataset:
		return l.register(m, from)
	case registry.PublishModel:
		return l.publish(m, from)
	case registry.Use:
		return l.use(m, from)
	case registry.DivideIncome:
		_, err := l.flow(m.Model)
		return err
	case registry.ClaimDividend:
		return l.claim(m)
	case registry.TransferShares:
		return l.transfer(m, from)
	case market.PlaceAsk, market.WithdrawAsk, market.RenewAsk, market.SealBid, market.OpenBid, market.TakeNow, market.AcceptLease, market.SettleLease, market.EndLease:
		return l.market(m, from)
	case voucher.Open, voucher.Fund, voucher.Close, voucher.Redeem:
		return l.voucher(m, from)
	case work.CreateRun:
		if l.dataset(m.Spec.Dataset) == nil {
			return fmt.Errorf("%w: dataset %s", protocol.ErrNotFound, m.Spec.Dataset)
		}
		if _, err := l.parents(m.Spec.Parents); err != nil {
			return err
		}
		i := l.run(work.RunID(from, m))
		if i >= 0 {
			return fmt.Errorf("%w: run %s", protocol.ErrExists, l.runs[i].ID)
		}
		s, effects, err := work.Apply(nil, m, from, l.env())
		if err != nil {
			return err
		}
		l.runs = append(l.runs, s)
		return l.execute(effects)
	case work.Msg:
		i := l.run(m.Target())
		if i < 0 {
			return fmt.Errorf("%w: run %s", protocol.ErrNotFound, m.Target())
		}
		if join, ok := m.(work.Join); ok && join.Hire != nil {
			if err := l.hired(l.runs[i], *join.Hire, from); err != nil {
				return err
			}
		}
		s, effects, err := work.Apply(l.runs[i], m, from, l.env())
		if err != nil {
			return err
		}
		l.runs[i] = s
		if join, ok := m.(work.Join); ok && join.Hire != nil {
			if at := l.lease(join.Hire.Lease); at >= 0 {
				l.trade.leases[at] = market.TakeUp(l.trade.leases[at])
			}
		}
		return l.execute(effects)
	}
	return fmt.Errorf("%w: unknown message %T", protocol.ErrInvalid, m)
}

func (l *Ledger) register(m registry.RegisterDataset, from protocol.Account) error {
	d, effects, err := registry.Register(m, from, l.env())
	if err != nil {
		return err
	}
	if l.dataset(d.ID) != nil {
		return fmt.Errorf("%w: dataset %s", protocol.ErrExists, d.ID)
	}
	l.datasets = append(l.datasets, d)
	return l.execute(effects)
}

func (l *Ledger) publish(m registry.PublishModel, from protocol.Account) error {
	i := l.run(m.Run)
	if i < 0 {
		return fmt.Errorf("%w: run %s", protocol.ErrNotFound, m.Run)
	}
	run := l.runs[i]
	data := l.dataset(run.Spec.Dataset)
	if data == nil {
		return fmt.Errorf("%w: dataset %s", protocol.ErrNotFound, run.Spec.Dataset)
	}
	at := l.model(registry.ModelID(run.Spec.InferenceProgram, run.Current.Model, run.ID))
	var known *registry.Model
	if at >= 0 {
		known = &l.models[at]
	}
	parents, err := l.parents(run.Spec.Parents)
	if err != nil {
		return err
	}
	model, held, effects, err := registry.Publish(m, run, *data, parents, known, from, l.env())
	if err != nil {
		return err
	}
	l.holdings = append(l.holdings, held...)
	if at < 0 {
		l.models, l.files = append(l.models, registry.Model{}), append(l.files, nil)
		at = len(l.models) - 1
	}
	l.models[at], l.files[at] = model, slices.Clone(m.Artifact)
	return l.execute(effects)
}

func (l *Ledger) use(m registry.Use, from protocol.Account) error {
	i := l.model(m.Model)
	if i < 0 {
		return fmt.Errorf("%w: model %s", protocol.ErrNotFound, m.Model)
	}
	model, effects, err := registry.Charge(m, l.models[i], from, l.env())
	if err != nil {
		return err
	}
	l.models[i] = l.faults.use(model)
	return l.execute(effects)
}

// execute carries effects out. The error is ErrInsufficient, from a Lock.
func (l *Ledger) execute(effects []protocol.Effect) error {
	for _, e := range l.faults.effects(effects) {
		switch e := e.(type) {
		case protocol.Lock:
			if err := l.books.lock(e.From, e.Amount); err != nil {
				return err
			}
		case protocol.Pay:
			l.books.pay(e.To, e.Amount)
		case protocol.Burn:
			l.books.burn(e.Amount)
		case protocol.Record:
			l.records = append(l.records, e.Value)
		case protocol.Event:
			l.events = append(l.events, Event{Height: l.height + 1, Event: e})
		}
	}
	return nil
}

// saved is what a failed Submit goes back to. States are copies on write, so their pointers are enough.
type saved struct {
	books           books
	runs            []*work.State
	datasets        []registry.Dataset
	models          []registry.Model
	files           [][]byte
	holdings        []registry.Holding
	channels        []voucher.Channel
	disputes        []*dispute.State
	trade           trading
	records, events int
}

func (l *Ledger) save() saved {
	return saved{
		books: l.books.clone(), runs: slices.Clone(l.runs), datasets: slices.Clone(l.datasets), models: slices.Clone(l.models),
		files: slices.Clone(l.files), holdings: slices.Clone(l.holdings), channels: slices.Clone(l.channels), disputes: slices.Clone(l.disputes), trade: l.trade.clone(),
		records: len(l.records), events: len(l.events),
	}
}

func (l *Ledger) restore(s saved) {
	l.books, l.runs, l.datasets, l.models, l.files, l.holdings = s.books, s.runs, s.datasets, s.models, s.files, s.holdings
	l.channels, l.disputes, l.trade = s.channels, s.disputes, s.trade
	l.records, l.events = l.records[:s.records], l.events[:s.events]
}

// run, dataset and model look ids up; there are few.
func (l *Ledger) run(id protocol.Hash) int {
	return slices.IndexFunc(l.runs, func(s *work.State) bool { return s.ID == id })
}

func (l *Ledger) dataset(id protocol.Hash) *registry.Dataset {
	for i := range l.datasets {
		if l.datasets[i].ID == id {
			return &l.datasets[i]
		}
	}
	return nil
}

func (l *Ledger) model(id protocol.Hash) int {
	return slices.IndexFunc(l.models, func(m registry.Model) bool { return m.ID == id })
}

// Runs lists the ids of all runs in the order of their creation.
func (l *Ledger) Runs() []protocol.Hash {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]protocol.Hash, len(l.runs))
	for i, s := range l.runs {
		list[i] = s.ID
	}
	return list
}

// Run returns a run as it is now, with the messages of the block that is being made. The error is ErrNotFound.
func (l *Ledger) Run(id protocol.Hash) (*work.State, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := l.run(id)
	if i < 0 {
		return nil, fmt.Errorf("%w: run %s", protocol.ErrNotFound, id)
	}
	return l.runs[i], nil
}

// Dataset returns a dataset. The error is ErrNotFound.
func (l *Ledger) Dataset(id protocol.Hash) (registry.Dataset, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.dataset(id)
	if d == nil {
		return registry.Dataset{}, fmt.Errorf("%w: dataset %s", protocol.ErrNotFound, id)
	}
	return *d, nil
}

// Model returns a model and its artifact, which is nil if contracts cannot call it. The error is ErrNotFound.
func (l *Ledger) Model(id protocol.Hash) (registry.Model, []byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := l.model(id)
	if i < 0 {
		return registry.Model{}, nil, fmt.Errorf("%w: model %s", protocol.ErrNotFound, id)
	}
	return l.models[i], l.files[i], nil
}

// Models lists all models in the order of their publication.
func (l *Ledger) Models() []registry.Model {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.models)
}

// Receipts lists the receipts of a run in the order of time.
func (l *Ledger) Receipts(run protocol.Hash) []work.Receipt {
	return recorded(l, func(r work.Receipt) bool { return r.Run == run })
}

// Summaries lists the summaries of a run's rounds in the order of time.
func (l *Ledger) Summaries(run protocol.Hash) []work.RoundSummary {
	return recorded(l, func(s work.RoundSummary) bool { return s.Run == run })
}

// UseReceipts lists the receipts of a model's uses in the order of time.
func (l *Ledger) UseReceipts(model protocol.Hash) []registry.UseReceipt {
	return recorded(l, func(r registry.UseReceipt) bool { return r.Model == model })
}

func recorded[R protocol.Recorded](l *Ledger, keep func(R) bool) []R {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []R
	for _, r := range l.records {
		if v, ok := r.(R); ok && keep(v) {
			list = append(list, v)
		}
	}
	return list
}

// Events lists the events of the blocks after a height, those of the block that is being made included.
func (l *Ledger) Events(after protocol.Height) []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []Event
	for _, e := range l.events {
		if e.Height > after {
			list = append(list, e)
		}
	}
	return list
}

// Check verifies what must hold between any two steps: the coins that were minted are in balances, in escrow or burned, to
// the last unit; the escrow is the sum of what runs, models, disputes and the market owe; and no two records share a key.
func (l *Ledger) Check() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.books.check(); err != nil {
		return err
	}
	var claims money.Amount
	for _, s := range l.runs {
		claims = claims.Plus(s.Claims())
	}
	for i := range l.models {
		claims = claims.Plus(l.models[i].Claims())
	}
	for _, d := range l.disputes {
		claims = claims.Plus(d.Claims())
	}
	for _, a := range l.trade.asks {
		claims = claims.Plus(a.Bond)
	}
	for _, b := range l.trade.bids {
		claims = claims.Plus(b.Deposit)
	}
	for _, x := range l.trade.leases {
		claims = claims.Plus(x.Claims())
	}
	for _, c := range l.channels {
		claims = claims.Plus(c.Left())
	}
	if claims.Compare(l.books.escrow) != 0 {
		return fmt.Errorf("escrow holds %s, runs and models owe %s", l.books.escrow, claims)
	}
	keys := make(map[string]bool, len(l.records))
	for _, r := range l.records {
		key := r.RecordKind() + " " + r.RecordKey()
		if keys[key] {
			return fmt.Errorf("two records have the key %s", key)
		}
		keys[key] = true
	}
	return nil
}

// next waits until a block after a height has closed and returns its height.
func (l *Ledger) next(ctx context.Context, after protocol.Height) (protocol.Height, error) {
	for {
		l.mu.Lock()
		height, closed := l.height, l.closed
		l.mu.Unlock()
		if height > after {
			return height, nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-closed:
		}
	}
}
