// Package validator runs one validator of the ledger inside this process: the consensus node, the app over a store on
// disk, and optionally Ethereum's JSON-RPC. Several may run in one process. It owns their goroutines and files; it
// knows nothing of the rules of the modules.
package validator

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/proxy"
	rpclocal "github.com/cometbft/cometbft/rpc/client/local"
	cmttypes "github.com/cometbft/cometbft/types"
	dbm "github.com/cosmos/cosmos-db"

	"cosmossdk.io/log/v2"
	"github.com/cosmos/cosmos-sdk/server"
	servercmtlog "github.com/cosmos/cosmos-sdk/server/log"

	"github.com/mutirao/mutirao/chain/app"
)

// ErrStart reports that a validator could not start.
var ErrStart = errors.New("start validator")

// ErrEarly reports a program that has an upgrade before the network does.
var ErrEarly = errors.New("the program is too new")

// ErrLocked reports that another process runs the node of this folder.
var ErrLocked = errors.New("another process has the folder open")

// logLevels keeps the log to warnings and three lines per block.
const logLevels = "*:warn,state:info"

// starting serialises Start: building an app writes process-wide variables of the EVM. cosmos/evm clears its chain
// configuration and sets the same one again, well under a microsecond later; a validator of this process that executes
// an Ethereum transaction in between would fail. Start them before their first transactions, or in other processes.
var starting sync.Mutex

// Node is a running validator. Stop it once.
type Node struct {
	config  Config
	app     *app.App
	guard   *guard
	comet   *node.Node
	dbs     *databases
	rpc     *httpServer
	jsonRPC *jsonRPC
	metrics *httpServer
	closes  []func() error // after the app
}

// Start runs a validator and returns when its servers answer; blocks follow once two thirds of the stake are up. The
// state in c.Home is continued from its last block. It returns ErrAddressInUse when a port is taken, ErrHome when the
// folder is damaged or of another network. Cancelling ctx during Start gives up; later it does nothing.
func Start(ctx context.Context, c Config) (*Node, error) {
	n, err := start(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStart, err)
	}
	return n, nil
}

func start(ctx context.Context, c Config) (_ *Node, err error) {
	starting.Lock()
	defer starting.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	cfg, err := c.comet()
	if err != nil {
		return nil, err
	}
	for purpose, address := range map[string]string{"validators": c.P2P, "RPC": c.RPC, "JSON-RPC": c.JSONRPC, "metrics": c.Metrics} {
		if address == "" && (purpose == "JSON-RPC" || purpose == "metrics") {
			continue
		}
		if err := checkFree(purpose, address); err != nil {
			return nil, err
		}
	}
	doc, signer, err := openHome(cfg, c)
	if err != nil {
		return nil, err
	}
	logger, err := newLogger(c)
	if err != nil {
		return nil, err
	}

	n := &Node{config: c, dbs: &databases{}, guard: &guard{FilePV: signer, takeOver: c.TakeOver}}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Stop())
		}
	}()
	db, err := dbm.NewDB("application", dbm.GoLevelDBBackend, filepath.Join(c.Home, "data"))
	if err != nil {
		return nil, opened(err)
	}
	base, err := n.storage()
	if err == nil {
		n.app, err = app.NewNode(logger, db, app.Options{Programs: c.Programs, Home: c.Home, Upgrades: c.Upgrades, Base: base, Reveal: c.reveal})
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := n.early(); err != nil {
		return nil, err
	}
	cometLogger := servercmtlog.CometLoggerWrapper{Logger: logger}
	n.comet, err = node.NewNodeWithContext(ctx, cfg, n.guard, &p2p.NodeKey{PrivKey: c.Keys.Node},
		proxy.NewLocalClientCreator(server.NewCometABCIWrapper(n.app)),
		func() (*cmttypes.GenesisDoc, error) { return doc, nil },
		n.dbs.provide, node.DefaultMetricsProvider(c.instrumentation(cfg.Instrumentation)),
		cometLogger)
	if err != nil {
		return nil, err
	}
	n.guard.blocks = n.comet.BlockStore()
	n.app.Mempool().SetEventBus(n.comet.EventBus())
	// The JSON-RPC first: its listener for pending transactions must be in place before the first of them.
	if c.JSONRPC != "" {
		if n.jsonRPC, err = serveJSONRPC(c.JSONRPC, n.app, rpclocal.New(n.comet), logger); err != nil {
			return nil, err
		}
	}
	if err := n.comet.Start(); err != nil {
		return nil, err
	}
	handler, err := cometHandler(n.comet, cometLogger)
	if err != nil {
		return nil, err
	}
	if c.Metrics != "" {
		if n.metrics, err = n.serveMetrics(logger); err != nil {
			return nil, err
		}
	}
	n.rpc, err = serveHTTP("RPC", c.RPC, handler, func(err error) { logger.Error("RPC stopped", "err", err) })
	if err != nil {
		return nil, err
	}
	return n, nil
}

// early returns ErrEarly if the chain must be run by an older program still, in which this one would stop at the next block.
func (n *Node) early() error {
	if name, height := n.app.UpgradeEarly(); name != "" {
		return fmt.Errorf("%w: it has upgrade %q, which is for block %d; the last one is %d", ErrEarly, name, height, n.app.LastBlockHeight())
	}
	return nil
}

func newLogger(c Config) (log.Logger, error) {
	if c.Log == nil {
		return log.NewNopLogger(), nil
	}
	filter, err := log.ParseLogLevel(logLevels)
	if err != nil {
		return nil, err
	}
	return log.NewLogger(c.Log, log.ColorOption(false), log.FilterOption(filter), log.TimeFormatOption("15:04:05.000")), nil
}

// Stop ends the validator and closes its files. What was committed stays; a Start over the same folder continues.
func (n *Node) Stop() error {
	var errs []error
	if n.rpc != nil {
		errs = append(errs, n.rpc.close())
	}
	if n.jsonRPC != nil {
		errs = append(errs, n.jsonRPC.close())
	}
	if n.metrics != nil {
		errs = append(errs, n.metrics.close())
	}
	if n.comet != nil && n.comet.IsRunning() {
		errs = append(errs, n.comet.Stop())
		n.comet.Wait()
	}
	if n.app != nil {
		errs = append(errs, n.app.Close())
	}
	for _, f := range n.closes {
		errs = append(errs, f())
	}
	return errors.Join(append(errs, n.dbs.close())...)
}

// Height is the height of the last block that this validator has committed.
func (n *Node) Height() int64 { return n.app.LastBlockHeight() }

// RPC is the URL of the CometBFT RPC, for clients in this process and others.
func (n *Node) RPC() string { return "http://" + n.config.RPC }

// JSONRPC is the URL of Ethereum's JSON-RPC, or empty.
func (n *Node) JSONRPC() string {
	if n.jsonRPC == nil {
		return ""
	}
	return "http://" + n.config.JSONRPC
}
