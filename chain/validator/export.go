package validator

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	cmtdb "github.com/cometbft/cometbft-db"
	"github.com/cometbft/cometbft/store"
	cmttypes "github.com/cometbft/cometbft/types"
	dbm "github.com/cosmos/cosmos-db"

	"cosmossdk.io/log/v2"

	"github.com/mutirao/mutirao/chain/app"
)

// Export reads the folder of a node that does not run, and returns its last state as the genesis of a network that goes on from there. It
// returns ErrHome for a folder without a node, and ErrLocked while it runs.
func Export(home string) (doc *cmttypes.GenesisDoc, err error) {
	data := filepath.Join(home, "data")
	for _, name := range []string{"application.db", "blockstore.db"} {
		if _, err := os.Stat(filepath.Join(data, name)); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrHome, err)
		}
	}
	blocks, err := cmtdb.NewDB("blockstore", cmtdb.GoLevelDBBackend, data)
	if err != nil {
		return nil, opened(err)
	}
	defer func() { err = errors.Join(err, blocks.Close()) }()
	db, err := dbm.NewDB("application", dbm.GoLevelDBBackend, data)
	if err != nil {
		return nil, opened(err)
	}
	starting.Lock()
	a, err := app.New(log.NewNopLogger(), db, nil)
	starting.Unlock()
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	last := store.NewBlockStore(blocks).LoadBlockMeta(a.LastBlockHeight())
	if last == nil {
		return nil, fmt.Errorf("%w: block %d is missing", ErrHome, a.LastBlockHeight())
	}
	return a.Export(last.Header.Time)
}

// opened explains why a database was not opened: each has one owner.
func opened(err error) error {
	if errors.Is(err, syscall.EAGAIN) {
		return fmt.Errorf("%w: %w", ErrLocked, err)
	}
	return fmt.Errorf("%w: %w", ErrHome, err)
}
