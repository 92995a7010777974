package validator

import (
	"errors"
	"sync"

	cmtdb "github.com/cometbft/cometbft-db"
	cmtcfg "github.com/cometbft/cometbft/config"
)

// databases opens CometBFT's stores and remembers them, because the node does not close its transaction index, whose
// lock would then keep a restart in the same process out.
type databases struct {
	mu   sync.Mutex
	open []*database
}

func (d *databases) provide(ctx *cmtcfg.DBContext) (cmtdb.DB, error) {
	db, err := cmtcfg.DefaultDBProvider(ctx)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	guarded := &database{DB: db}
	d.open = append(d.open, guarded)
	return guarded, nil
}

// close closes what the node left open.
func (d *databases) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var errs []error
	for _, db := range d.open {
		errs = append(errs, db.Close())
	}
	d.open = nil
	return errors.Join(errs...)
}

// database is a store that knows nothing once it is closed. CometBFT closes its stores while its gossip routines may be
// asleep; when they wake for the last time they read, and an error would make them panic, which ends the process. A
// value that is not there is something they expect.
type database struct {
	cmtdb.DB
	mu     sync.RWMutex // held for reading during a read, so that none is under way when the store closes
	closed bool
}

func (d *database) Get(key []byte) ([]byte, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return nil, nil
	}
	return d.DB.Get(key)
}

func (d *database) Has(key []byte) (bool, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return false, nil
	}
	return d.DB.Has(key)
}

// Close may be called twice: by the node and by databases.
func (d *database) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	return d.DB.Close()
}
