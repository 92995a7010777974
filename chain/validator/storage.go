package validator

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/cosmos-sdk/baseapp"
	pruningtypes "github.com/cosmos/cosmos-sdk/store/v2/pruning/types"
	"github.com/cosmos/cosmos-sdk/store/v2/snapshots"
	snapshottypes "github.com/cosmos/cosmos-sdk/store/v2/snapshots/types"
)

// ErrPruning reports a pruning rule that cannot be read.
var ErrPruning = errors.New("pruning must be nothing, default, everything, or KEEP:EVERY in blocks")

// storage says how the app keeps old states. Every node can take a snapshot; it makes them if the configuration says so.
func (n *Node) storage() ([]func(*baseapp.BaseApp), error) {
	pruning, err := ParsePruning(n.config.Pruning)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(n.config.Home, "data", "snapshots")
	db, err := dbm.NewDB("metadata", dbm.GoLevelDBBackend, dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHome, err)
	}
	n.closes = append(n.closes, closeOnce(db))
	store, err := snapshots.NewStore(db, dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHome, err)
	}
	return []func(*baseapp.BaseApp){
		// A block is executed while the votes about it travel. Another block at the same height drops what was executed.
		baseapp.SetOptimisticExecution(), baseapp.SetPruning(pruning), baseapp.SetMinRetainBlocks(n.config.Retain),
		baseapp.SetSnapshot(store, snapshottypes.NewSnapshotOptions(n.config.Snapshots, keptSnapshots)),
	}, nil
}

// closeOnce closes db; the app may have closed it already, with its snapshots.
func closeOnce(db dbm.DB) func() error {
	return func() error {
		if err := db.Close(); err != nil && !strings.Contains(err.Error(), "closed") {
			return err
		}
		return nil
	}
}

// ParsePruning reads which old states a node drops: "nothing" (empty too), "default", "everything", or KEEP:EVERY, the number of states
// that are kept and of blocks between two prunings. It returns ErrPruning.
func ParsePruning(rule string) (pruningtypes.PruningOptions, error) {
	switch rule {
	case "", pruningtypes.PruningOptionNothing:
		return pruningtypes.NewPruningOptions(pruningtypes.PruningNothing), nil
	case pruningtypes.PruningOptionDefault, pruningtypes.PruningOptionEverything:
		return pruningtypes.NewPruningOptionsFromString(rule), nil
	}
	keep, every, _ := strings.Cut(rule, ":")
	k, err1 := strconv.ParseUint(keep, 10, 32)
	e, err2 := strconv.ParseUint(every, 10, 32)
	o := pruningtypes.NewCustomPruningOptions(k, e)
	if err := errors.Join(err1, err2); err != nil || o.Validate() != nil {
		return o, fmt.Errorf("%w: %.40q", ErrPruning, rule)
	}
	return o, nil
}
