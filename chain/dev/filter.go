package dev

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	ethtypes "github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/eth/filters"
	ethrpc "github.com/ethereum/go-ethereum/rpc"

	"github.com/cosmos/evm/rpc/backend"
	evmfilters "github.com/cosmos/evm/rpc/namespaces/ethereum/eth/filters"
	rpctypes "github.com/cosmos/evm/rpc/types"
)

const (
	maxFilters = 10_000
	filterRest = 5 * time.Minute // a filter that nobody asks for so long is forgotten
	maxLogs    = 100_000         // of one answer
)

var (
	errNoFilter   = errors.New("filter not found")
	errManyLogs   = errors.New("the answer has too many logs")
	errManyFilter = errors.New("too many filters")
)

// filterAPI is logs, filters and subscriptions. It reads the blocks themselves, so that what is mined is found at once.
type filterAPI struct {
	*ethAPI
	mu      sync.Mutex
	filters map[ethrpc.ID]*watch
}

// watch is how far one filter or subscription has seen.
type watch struct {
	kind    filters.Type
	crit    filters.FilterCriteria
	height  int64 // last block seen
	arrived int   // transactions seen
	asked   time.Time
}

func newFilters(e *ethAPI) *filterAPI { return &filterAPI{ethAPI: e, filters: map[ethrpc.ID]*watch{}} }

func (f *filterAPI) newWatch(kind filters.Type, crit filters.FilterCriteria) *watch {
	defer f.node.reading()()
	return &watch{kind, crit, f.chain.height(), len(f.chain.arrived), time.Now()}
}

func (f *filterAPI) install(w *watch) (ethrpc.ID, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, old := range f.filters {
		if time.Since(old.asked) > filterRest {
			delete(f.filters, id)
		}
	}
	if len(f.filters) >= maxFilters {
		return "", errManyFilter
	}
	id := ethrpc.NewID()
	f.filters[id] = w
	return id, nil
}

// NewFilter watches logs.
func (f *filterAPI) NewFilter(crit filters.FilterCriteria) (ethrpc.ID, error) {
	return f.install(f.newWatch(filters.LogsSubscription, crit))
}

// NewBlockFilter watches blocks.
func (f *filterAPI) NewBlockFilter() (ethrpc.ID, error) {
	return f.install(f.newWatch(filters.BlocksSubscription, filters.FilterCriteria{}))
}

// NewPendingTransactionFilter watches transactions that arrive.
func (f *filterAPI) NewPendingTransactionFilter() (ethrpc.ID, error) {
	return f.install(f.newWatch(filters.PendingTransactionsSubscription, filters.FilterCriteria{}))
}

// UninstallFilter ends a filter.
func (f *filterAPI) UninstallFilter(id ethrpc.ID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, found := f.filters[id]
	delete(f.filters, id)
	return found
}

// GetFilterChanges is what a filter has seen since it was asked last.
func (f *filterAPI) GetFilterChanges(id ethrpc.ID) (any, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w, found := f.filters[id]
	if !found {
		return nil, fmt.Errorf("%w: %s", errNoFilter, id)
	}
	w.asked = time.Now()
	defer f.node.reading()()
	switch w.kind {
	case filters.BlocksSubscription:
		list := []common.Hash{}
		for _, b := range f.unseen(w) {
			list = append(list, common.BytesToHash(b.id.Hash))
		}
		return list, nil
	case filters.PendingTransactionsSubscription:
		return f.newcomers(w), nil
	default:
		return f.match(f.unseen(w), w.crit)
	}
}

// GetFilterLogs is all logs that a filter matches.
func (f *filterAPI) GetFilterLogs(id ethrpc.ID) ([]*ethtypes.Log, error) {
	f.mu.Lock()
	w, found := f.filters[id]
	f.mu.Unlock()
	if !found || w.kind != filters.LogsSubscription {
		return nil, fmt.Errorf("%w: %s", errNoFilter, id)
	}
	return f.GetLogs(w.crit)
}

// GetLogs finds logs by block, address and topics.
func (f *filterAPI) GetLogs(crit filters.FilterCriteria) ([]*ethtypes.Log, error) {
	defer f.node.reading()()
	c := f.chain
	if crit.BlockHash != nil {
		height, found := c.byID[*crit.BlockHash]
		if !found {
			return nil, fmt.Errorf("%w: %s", errNoBlock, crit.BlockHash)
		}
		return f.match(c.blocks[height-1:height], crit)
	}
	from, to := c.height(), c.height()
	if crit.FromBlock != nil {
		from = f.resolve(crit.FromBlock.Int64())
	}
	if crit.ToBlock != nil {
		to = min(to, f.resolve(crit.ToBlock.Int64()))
	}
	if from > to {
		return []*ethtypes.Log{}, nil
	}
	return f.match(c.blocks[from-1:to], crit)
}

// resolve reads the number of a block or its name.
func (f *filterAPI) resolve(number int64) int64 {
	switch {
	case number == ethrpc.EarliestBlockNumber.Int64() || number == 0:
		return 1
	case number < 0:
		return f.chain.height()
	}
	return number
}

// unseen lists the blocks after those that w has seen. If the chain went back, it is seen again from there.
func (f *filterAPI) unseen(w *watch) []*block {
	from := min(w.height, f.chain.height())
	w.height = f.chain.height()
	return f.chain.blocks[from:]
}

func (f *filterAPI) newcomers(w *watch) []common.Hash {
	list := append([]common.Hash{}, f.chain.arrived[w.arrived:]...)
	w.arrived = len(f.chain.arrived)
	return list
}

// match lists the logs of blocks that meet the address and topics of crit.
func (f *filterAPI) match(blocks []*block, crit filters.FilterCriteria) ([]*ethtypes.Log, error) {
	list := []*ethtypes.Log{}
	for _, b := range blocks {
		logs, err := b.logs()
		if err != nil {
			return nil, err
		}
		list = append(list, evmfilters.FilterLogs(logs, nil, nil, crit.Addresses, crit.Topics)...)
		if len(list) > maxLogs {
			return nil, fmt.Errorf("%w: allowed are %d", errManyLogs, maxLogs)
		}
	}
	return list, nil
}

// logs are those of all transactions of the block.
func (b *block) logs() ([]*ethtypes.Log, error) {
	of, err := backend.GetLogsFromBlockResults(b.results())
	if err != nil {
		return nil, err
	}
	var list []*ethtypes.Log
	for _, logs := range of {
		list = append(list, logs...)
	}
	return list, nil
}

// NewHeads notifies of every block.
func (f *filterAPI) NewHeads(ctx context.Context) (*ethrpc.Subscription, error) {
	return f.subscribe(ctx, f.newWatch(filters.BlocksSubscription, filters.FilterCriteria{}), func(w *watch, notify func(any)) error {
		unlock := f.node.reading()
		blocks := f.unseen(w)
		unlock()
		for _, b := range blocks {
			header, err := f.backend.GetHeaderByNumber(ctx, rpctypes.BlockNumber(b.Height))
			if err != nil {
				return err
			}
			notify(header)
		}
		return nil
	})
}

// Logs notifies of every log that matches.
func (f *filterAPI) Logs(ctx context.Context, crit filters.FilterCriteria) (*ethrpc.Subscription, error) {
	return f.subscribe(ctx, f.newWatch(filters.LogsSubscription, crit), func(w *watch, notify func(any)) error {
		unlock := f.node.reading()
		logs, err := f.match(f.unseen(w), crit)
		unlock()
		for _, l := range logs {
			notify(l)
		}
		return err
	})
}

// NewPendingTransactions notifies of every transaction that arrives: of its hash, or of all of it.
func (f *filterAPI) NewPendingTransactions(ctx context.Context, whole *bool) (*ethrpc.Subscription, error) {
	return f.subscribe(ctx, f.newWatch(filters.PendingTransactionsSubscription, filters.FilterCriteria{}), func(w *watch, notify func(any)) error {
		unlock := f.node.reading()
		list := f.newcomers(w)
		unlock()
		for _, hash := range list {
			if whole == nil || !*whole {
				notify(hash)
				continue
			}
			tx, from, err := f.chain.find(hash)
			if err != nil {
				return err
			}
			if tx != nil {
				notify(waiting{from: from, tx: tx}.shown())
			}
		}
		return nil
	})
}

// subscribe tells the client what see finds at every change of the chain, until the client leaves.
func (f *filterAPI) subscribe(ctx context.Context, w *watch, see func(w *watch, notify func(any)) error) (*ethrpc.Subscription, error) {
	notifier, ok := ethrpc.NotifierFromContext(ctx)
	if !ok {
		return nil, ethrpc.ErrNotificationsUnsupported
	}
	sub := notifier.CreateSubscription()
	go func() {
		for {
			unlock := f.node.reading()
			changed := f.chain.changed
			unlock()
			err := see(w, func(value any) { _ = notifier.Notify(sub.ID, value) })
			if err != nil {
				return
			}
			select {
			case <-changed:
			case <-sub.Err():
				return
			}
		}
	}()
	return sub, nil
}
