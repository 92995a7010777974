package ledgeraudit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	cmtdb "github.com/cometbft/cometbft-db"
	abci "github.com/cometbft/cometbft/abci/types"
	sm "github.com/cometbft/cometbft/state"
	"github.com/cometbft/cometbft/store"
	cmttypes "github.com/cometbft/cometbft/types"
	dbm "github.com/cosmos/cosmos-db"

	"cosmossdk.io/log/v2"

	"github.com/mutirao/mutirao/chain/app"
)

// disk reads the folder of a validator that does not run.
type disk struct {
	home   string
	blocks *store.BlockStore
	states sm.Store
	app    *app.App
	closes []func() error
}

var errNoNetwork = errors.New("there is no validator's folder with data/application.db in it")

// home finds the folder of a validator in what a person named: it, a demo's folder, or a network's.
func home(dir string) (string, error) {
	for _, candidate := range []string{dir, filepath.Join(dir, "ledger", "validator-1"), filepath.Join(dir, "validator-1")} {
		if _, err := os.Stat(filepath.Join(candidate, "data", "application.db")); err == nil {
			return candidate, nil
		}
	}
	return "", fmt.Errorf("%s: %w", dir, errNoNetwork)
}

// openDisk opens the three databases; it fails while the validator runs, because each has one owner.
func openDisk(dir string) (_ *disk, err error) {
	d := &disk{}
	if d.home, err = home(dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	data := filepath.Join(d.home, "data")
	open := func(name string) (cmtdb.DB, error) {
		if _, err := os.Stat(filepath.Join(data, name+".db")); err != nil {
			return nil, err
		}
		db, err := cmtdb.NewDB(name, cmtdb.GoLevelDBBackend, data)
		if err == nil {
			d.closes = append(d.closes, db.Close)
		}
		return db, err
	}
	blocks, err := open("blockstore")
	if err != nil {
		return nil, err
	}
	d.blocks = store.NewBlockStore(blocks)
	states, err := open("state")
	if err != nil {
		return nil, err
	}
	d.states = sm.NewStore(states, sm.StoreOptions{})
	db, err := dbm.NewDB("application", dbm.GoLevelDBBackend, data)
	if err != nil {
		return nil, err
	}
	if d.app, err = app.New(log.NewNopLogger(), db, nil); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	d.closes = append(d.closes, d.app.Close)
	return d, nil
}

func (d *disk) genesis(context.Context) (*cmttypes.GenesisDoc, error) {
	return cmttypes.GenesisDocFromFile(filepath.Join(d.home, "config", "genesis.json"))
}

func (d *disk) height(context.Context) (int64, error) { return d.app.LastBlockHeight(), nil }

func (d *disk) block(_ context.Context, height int64) (*cmttypes.Block, *abci.ResponseFinalizeBlock, error) {
	b := d.blocks.LoadBlock(height)
	if b == nil {
		return nil, nil, fmt.Errorf("%w: %d; there are %d to %d", errMissing, height, d.blocks.Base(), d.blocks.Height())
	}
	results, err := d.states.LoadFinalizeBlockResponse(height)
	return b, results, err
}

func (d *disk) query(ctx context.Context, path string, data []byte, height int64) (abci.ResponseQuery, error) {
	r, err := d.app.Query(ctx, &abci.RequestQuery{Path: path, Data: data, Height: height})
	if err != nil {
		return abci.ResponseQuery{}, err
	}
	return *r, nil
}

func (d *disk) close() error {
	var errs []error
	for _, f := range d.closes {
		errs = append(errs, f())
	}
	d.closes = nil
	return errors.Join(errs...)
}

// Missing reports whether a folder is not there or holds no network.
func Missing(err error) bool {
	return errors.Is(err, errNoNetwork) || errors.Is(err, fs.ErrNotExist)
}

// Pruned reports whether blocks are missing without which the books cannot be recomputed.
func Pruned(err error) bool { return errors.Is(err, errMissing) }

// Locked reports whether another process has the databases open.
func Locked(err error) bool { return errors.Is(err, syscall.EAGAIN) }
