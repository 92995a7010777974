package validator

import (
	"errors"
	"sync"

	cmtdb "github.com/cometbft/cometbft-db"
	cmtcfg "github.com/cometbft/cometbft/config"
	"github.com/syndtr/goleveldb/leveldb"
)

// databases opens CometBFT's stores and remembers them: the node closes most of them when it stops but not the
// transaction index, whose lock would then keep a restart in the same process out.
type databases struct {
	mu   sync.Mutex
	open []cmtdb.DB
}

func (d *databases) provide(ctx *cmtcfg.DBContext) (cmtdb.DB, error) {
	db, err := cmtcfg.DefaultDBProvider(ctx)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open = append(d.open, db)
	return db, nil
}

// close closes what the node left open.
func (d *databases) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var errs []error
	for _, db := range d.open {
		if err := db.Close(); !errors.Is(err, leveldb.ErrClosed) {
			errs = append(errs, err)
		}
	}
	d.open = nil
	return errors.Join(errs...)
}
