// Package dev is a chain of one process for people who write contracts: the app of the network, driven block by block
// without consensus, behind Ethereum's JSON-RPC with the conventions of anvil. It may do what no network lets anybody do: go
// back, set the clock, change balances and code, act for accounts whose keys it lacks. Why it has no CometBFT node inside is
// in docs/adr/011. It must not be imported by anything that a network runs.
package dev

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/ethereum/go-ethereum/common"
	ethtypes "github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
	"github.com/tidwall/btree"

	"cosmossdk.io/log/v2"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/app"
	"github.com/mutirao/mutirao/chain/fill"
	"github.com/mutirao/mutirao/chain/genesis"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
)

// Config is what a chain begins with.
type Config struct {
	ChainID   uint64 // EIP-155 id
	Accounts  int    // of the test mnemonic
	Balance   money.Amount
	Models    []registry.DepositModel // deposited in the first block
	State     string                  // file that keeps the chain; empty keeps nothing
	Manual    bool                    // transactions wait for evm_mine or the interval
	BlockTime time.Duration           // between blocks; 0 for a block per transaction
	Now       func() time.Time        // nil for the machine's clock
	Log       io.Writer               // warnings; nil discards them. It must allow concurrent writes.
}

var (
	// ErrState reports a state file that cannot be continued.
	ErrState   = errors.New("state file")
	errNoBlock = errors.New("block not found")
)

// Chain is a running chain. Its methods may be called at the same time.
type Chain struct {
	config   Config
	accounts []Account
	journal  *journal // nil if nothing is kept

	mu         sync.RWMutex // for writing: making a block, going back
	db         *memory
	app        *app.App
	doc        *cmttypes.GenesisDoc
	validators *cmttypes.ValidatorSet

	genesisHash []byte
	blocks      []*block
	byHash      map[common.Hash]mined
	byID        map[common.Hash]int64 // height by hash of the block
	edits       []Edit                // of the block in execution

	clock      clock
	pool       []waiting
	automine   bool
	actors     map[common.Address]bool // impersonated
	anyActor   bool
	snapshots  []snapshot
	origin     snapshot      // after the first block
	baseFee    *uint256.Int  // of the next block; nil if nobody has said it
	interval   time.Duration // between blocks that are made by themselves; 0 for none
	snapshotID uint64
	broken     error           // the state file could not be written: nothing may be promised any more
	changed    chan struct{}   // closed at every change of the chain
	arrived    []common.Hash   // transactions in their order of arrival, for those who watch
	deposits   []protocol.Hash // models that edits deposited, in that order
}

// snapshot is the chain at one moment.
type snapshot struct {
	id     uint64
	tree   *btree.BTreeG[entry]
	height int64
	when   time.Time
}

// Open starts a chain, or continues the one in c.State. Close it once.
func Open(c Config) (*Chain, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	var past *past
	var kept *journal
	if c.State != "" {
		var err error
		if kept, past, err = openJournal(c.State); err != nil {
			return nil, err
		}
	}
	ch, err := open(c, kept, past)
	if err != nil && kept != nil {
		err = errors.Join(err, kept.close())
	}
	return ch, err
}

func open(c Config, kept *journal, past *past) (*Chain, error) {
	ch := &Chain{
		config: c, db: newMemory(), clock: clock{now: c.Now}, automine: !c.Manual && c.BlockTime == 0,
		byHash: map[common.Hash]mined{}, byID: map[common.Hash]int64{}, actors: map[common.Address]bool{},
		changed: make(chan struct{}),
	}
	var err error
	if ch.accounts, err = deriveAccounts(c.Accounts); err != nil {
		return nil, err
	}
	if past != nil {
		if c.ChainID != 0 && c.ChainID != past.chainID {
			return nil, fmt.Errorf("%w %s: it is of chain %d, asked for is %d", ErrState, c.State, past.chainID, c.ChainID)
		}
		ch.config.ChainID, ch.doc = past.chainID, past.genesis
	} else {
		if ch.config.ChainID == 0 {
			ch.config.ChainID = DefaultChainID
		}
		if ch.doc, err = ch.newGenesis(); err != nil {
			return nil, err
		}
	}
	logger := log.NewNopLogger()
	if c.Log != nil {
		filter, err := log.ParseLogLevel("*:error")
		if err != nil {
			return nil, err
		}
		logger = log.NewLogger(c.Log, log.ColorOption(false), log.FilterOption(filter), log.TimeFormatOption("15:04:05.000"))
	}
	ch.app, err = app.NewSolo(logger, ch.db, app.Solo{EVMChainID: ch.config.ChainID, Edit: func(ctx sdk.Context) error {
		return apply(ctx, ch.app, ch.edits)
	}})
	if err != nil {
		return nil, err
	}
	if err := ch.begin(kept, past); err != nil {
		return nil, errors.Join(err, ch.app.Close())
	}
	return ch, nil
}

// begin executes the genesis and what the state file holds, or else the first block.
func (c *Chain) begin(kept *journal, past *past) error {
	var list []*cmttypes.Validator
	for _, v := range c.doc.Validators {
		list = append(list, cmttypes.NewValidator(v.PubKey, v.Power))
	}
	c.validators = cmttypes.NewValidatorSet(list)
	params := c.doc.ConsensusParams.ToProto()
	r, err := c.app.InitChain(&abci.RequestInitChain{
		ChainId: c.doc.ChainID, Time: c.doc.GenesisTime, InitialHeight: c.doc.InitialHeight, ConsensusParams: &params,
		AppStateBytes: c.doc.AppState, Validators: cmttypes.TM2PB.ValidatorUpdates(c.validators),
	})
	if err != nil {
		return err
	}
	c.genesisHash = r.AppHash
	if past != nil {
		if err := c.replay(past); err != nil {
			return err
		}
	}
	c.journal = kept
	if len(c.blocks) > 0 {
		return nil
	}
	if kept != nil {
		if err := kept.begin(c.config.ChainID, c.doc); err != nil {
			return err
		}
	}
	var edits []Edit
	for _, m := range c.config.Models {
		edits = append(edits, Edit{Model: &m})
	}
	if _, err := c.keep(nil, edits, c.doc.GenesisTime); err != nil {
		return err
	}
	c.origin = c.moment(0)
	return nil
}

// replay executes what was kept, and sets the clock so that time goes on where it stood.
func (c *Chain) replay(past *past) error {
	for _, l := range past.blocks {
		txs := make([]cmttypes.Tx, len(l.Txs))
		for i := range l.Txs {
			txs[i] = cmttypes.Tx(l.Txs[i])
		}
		b, err := c.execute(txs, l.Edits, time.Unix(l.Time, 0).UTC())
		if err != nil {
			return fmt.Errorf("%w: %w", ErrState, err)
		}
		if string(b.response.AppHash) != string(l.App) {
			return fmt.Errorf("%w: block %d gives the state %X, it gave %X when it was made: another version of the program has made it",
				ErrState, b.Height, []byte(b.response.AppHash), []byte(l.App))
		}
		if b.Height == 1 {
			c.origin = c.moment(0)
		}
	}
	if n := len(c.blocks); n > 0 {
		if last := c.blocks[n-1].Time; last.After(c.config.Now()) {
			c.clock.set(last)
		}
	}
	return nil
}

// keep makes a block and writes it down before anybody hears of it.
func (c *Chain) keep(txs []cmttypes.Tx, edits []Edit, when time.Time) (*block, error) {
	if c.broken != nil {
		return nil, c.broken
	}
	b, err := c.execute(txs, edits, when)
	if err == nil && c.journal != nil {
		err = c.journal.add(b, edits)
	}
	if err != nil {
		c.broken = fmt.Errorf("the chain has stopped: %w", err)
		return nil, c.broken
	}
	c.announce()
	return b, nil
}

// announce wakes those who watch.
func (c *Chain) announce() {
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *Chain) last() *block { return c.blocks[len(c.blocks)-1] }

// mine makes one block of what is ready.
func (c *Chain) mine() (*block, error) {
	list, refused, err := c.ready()
	if err != nil {
		return nil, err
	}
	return c.mineList(list, refused)
}

func (c *Chain) mineList(list []waiting, refused map[common.Hash]error) (*block, error) {
	txs, done := make([]cmttypes.Tx, len(list)), map[common.Hash]bool{}
	for i, w := range list {
		txs[i], done[w.tx.Hash()] = w.raw, true
	}
	for hash := range refused {
		done[hash] = true
	}
	var edits []Edit
	if c.baseFee != nil {
		edits = append(edits, Edit{BaseFee: c.baseFee})
	}
	b, err := c.keep(txs, edits, c.clock.tick(c.last().Time))
	if err != nil {
		return nil, err
	}
	c.baseFee = nil
	return b, c.forget(done)
}

// Submit takes a transaction that was checked to be from's. In instant mining it is in a block when Submit returns.
func (c *Chain) Submit(tx *ethtypes.Transaction, from common.Address) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken != nil {
		return c.broken
	}
	if err := fill.CheckCost(tx); err != nil {
		return err
	}
	w, err := c.wrap(tx, from)
	if err != nil {
		return err
	}
	if err := c.enqueue(w); err != nil {
		return err
	}
	c.arrived = append(c.arrived, tx.Hash())
	if !c.automine {
		c.announce()
		return nil
	}
	return c.mineReady(tx.Hash())
}

// mineReady makes blocks while there is something to put in, and reports why the transaction wanted is in none of them.
func (c *Chain) mineReady(wanted common.Hash) error {
	for {
		list, refused, err := c.ready()
		if err != nil || len(list) == 0 {
			return err
		}
		b, err := c.mineList(list, refused)
		if err != nil {
			return err
		}
		for i, w := range list {
			if w.tx.Hash() != wanted {
				continue
			}
			if _, found := c.byHash[wanted]; !found {
				return fmt.Errorf("%w: %s", errDropped, b.response.TxResults[i].Log)
			}
		}
	}
}

// Mine makes n blocks, apart by interval if that is not 0.
func (c *Chain) Mine(n uint64, interval time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range n {
		if i > 0 && interval > 0 {
			if err := c.clock.schedule(c.last().Time.Add(interval), c.last().Time); err != nil {
				return err
			}
		}
		if _, err := c.mine(); err != nil {
			return err
		}
	}
	return nil
}

// Change edits the state. The edits make a block of their own at the time of the last one, so that they are part of the
// chain's history without moving its clock.
func (c *Chain) Change(edits ...Edit) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	ctx, err := c.context()
	if err != nil {
		return err
	}
	if err := apply(ctx, c.app, edits); err != nil {
		return err
	}
	if _, err = c.keep(nil, edits, c.last().Time); err != nil {
		return err
	}
	return c.forget(nil)
}

// Snapshot remembers the chain as it is and returns a number for Revert.
func (c *Chain) Snapshot() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.snapshotID++
	c.snapshots = append(c.snapshots, c.moment(c.snapshotID))
	return c.snapshotID
}

func (c *Chain) moment(id uint64) snapshot {
	return snapshot{id, c.db.snapshot(), c.height(), c.clock.now().Add(c.clock.offset)}
}

// Revert goes back to a snapshot and forgets it and the later ones. What waits for a block is dropped. It reports whether
// there was such a snapshot.
func (c *Chain) Revert(id uint64) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken != nil {
		return false, c.broken
	}
	at := slices.IndexFunc(c.snapshots, func(s snapshot) bool { return s.id == id })
	if at < 0 {
		return false, nil
	}
	s := c.snapshots[at]
	c.snapshots = c.snapshots[:at]
	return true, c.goBack(s)
}

// goBack makes the chain what it was. What waits for a block is dropped.
func (c *Chain) goBack(s snapshot) error {
	if s.height < c.height() && c.journal != nil {
		if err := c.journal.revert(s.height); err != nil {
			c.broken = err
			return err
		}
	}
	c.db.restore(s.tree)
	if err := c.app.CommitMultiStore().LoadLatestVersion(); err != nil {
		c.broken = err
		return err
	}
	c.truncate(s.height)
	c.pool, c.baseFee, c.clock.next = nil, nil, time.Time{}
	c.clock.set(s.when)
	c.announce()
	return nil
}

// Run makes blocks at the configured interval until the channel closes. An error of the state file ends it.
func (c *Chain) run(stop <-chan struct{}, every <-chan time.Duration) {
	c.setInterval(c.config.BlockTime)
	interval := c.config.BlockTime
	var tick <-chan time.Time
	reset := func() {
		tick = nil
		if interval > 0 {
			tick = time.After(interval)
		}
	}
	for reset(); ; {
		select {
		case <-stop:
			return
		case interval = <-every:
			c.setInterval(interval)
			reset()
		case <-tick:
			if c.Mine(1, 0) != nil {
				return
			}
			reset()
		}
	}
}

func (c *Chain) setInterval(interval time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.interval = interval
}

// Close ends the chain and its file.
func (c *Chain) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.broken = errors.New("the chain has ended")
	err := c.app.Close()
	if c.journal != nil {
		err = errors.Join(err, c.journal.close())
	}
	return err
}

// newGenesis funds the accounts and the author of the preloaded models.
func (c *Chain) newGenesis() (*cmttypes.GenesisDoc, error) {
	spec := genesis.Spec{Time: c.config.Now(), Validators: genesis.DeriveKeys([32]byte{}, 1)}
	for _, a := range c.accounts {
		spec.Accounts = append(spec.Accounts, genesis.Balance{Address: a.Address, Amount: c.config.Balance})
	}
	spec.Accounts = append(spec.Accounts, genesis.Balance{Address: Author, Amount: authorMoney})
	return genesis.New(spec)
}

// authorMoney pays the deposits of the preloaded models: about a thousand of the largest.
var authorMoney = money.MUT(300)
