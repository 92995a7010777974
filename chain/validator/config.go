package validator

import (
	"cmp"
	"fmt"
	"io"
	"time"

	cmtcfg "github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/p2p"
	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/mutirao/mutirao/chain/app"
	"github.com/mutirao/mutirao/chain/genesis"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/x/dispute"
	"github.com/mutirao/mutirao/protocol/beacon"
)

// Config is what one validator needs to run. Addresses are host:port of TCP; port 0 is refused, because peers and
// clients must know the port beforehand (FreeAddresses finds some).
type Config struct {
	Home    string               // its folder: keys, blocks and state; created when missing
	Genesis *cmttypes.GenesisDoc // nil: the one that an earlier Start kept in Home
	Keys    genesis.Keys
	Moniker string   // a name for people
	P2P     string   // where it listens for other validators
	RPC     string   // where it answers CometBFT's RPC
	JSONRPC string   // where it answers Ethereum's JSON-RPC; empty for none
	Peers   []string // the other validators, as PeerAddress writes them

	External string // how others reach P2P if not at that address; empty for P2P
	Exchange bool   // learn of other nodes from peers, and tell of them; without it Peers are all there are
	Metrics  string // where it answers /metrics, /healthz and /readyz; empty for nowhere. One node of a process may

	Pruning   string // which old states go: "nothing" (empty too), "default", "everything", or KEEP:EVERY in blocks
	Retain    uint64 // least blocks that are kept; 0 for all
	Snapshots uint64 // blocks between snapshots of the state for nodes that join; 0 for none

	// Sync makes a node that has no state yet take a snapshot from its peers instead of executing all blocks.
	Sync *Sync

	// TakeOver makes the node sign although the chain has signatures of its key that it did not make: the node that made them is gone.
	TakeOver bool

	Upgrades []app.Upgrade // what the program knows; nil for app.Upgrades

	// Reveal is what this validator adds to the beacon in the blocks that it proposes; nil for beacon.Prove with Keys.Consensus, which needs
	// the key in this process.
	Reveal app.Reveal

	// TimeoutCommit is the pause after each block; the interval between blocks is a little longer.
	TimeoutCommit time.Duration

	// Programs is what the referee of disputes knows of units, the same on every validator; nil on a network without disputes.
	Programs dispute.Programs

	// Log receives warnings and three lines per block; nil discards them. It must allow concurrent writes.
	Log io.Writer
}

// Sync is what a node believes of the network whose state it takes over.
type Sync struct {
	RPC    []string // of two nodes at least, which may be the same; their headers are verified
	Height int64    // of a header that the operator trusts
	Hash   string   // of that header, in hexadecimal
}

// PeerAddress is how other validators reach the one with these keys that listens at address.
func PeerAddress(keys genesis.Keys, address string) string {
	return p2p.IDAddressString(p2p.PubKeyToID(keys.Node.PubKey()), address)
}

// reveal follows from the key, so a restart changes nothing.
func (c Config) reveal(input []byte) ([beacon.ProofSize]byte, error) {
	if c.Reveal != nil {
		return c.Reveal(input)
	}
	return beacon.Prove(c.Keys.Consensus.Bytes(), input)
}

// Timeouts of consensus other than the pause after a block. A proposer that has stopped costs its turn a
// proposeTimeout; on a machine that is busy training, a shorter one would count slow proposers as absent.
const (
	proposeTimeout = 1500 * time.Millisecond
	voteTimeout    = 700 * time.Millisecond
	timeoutDelta   = 300 * time.Millisecond
	// gossipPause is how long a gossip routine sleeps when it has nothing to send; the default of 100 ms would
	// dominate the time of a block on loopback.
	gossipPause = 20 * time.Millisecond
	// discoveryTime is how long a node that takes a snapshot asks around before it chooses one; CometBFT allows no less.
	discoveryTime = 5 * time.Second
	// maxBodyBytes bounds a request to the RPC: the largest transaction in base64 with its envelope.
	maxBodyBytes = 2 * network.MaxTxBytes
)

// keptSnapshots is how many snapshots of the state a node offers.
const keptSnapshots = 2

// comet translates c for CometBFT: several nodes may share an address, and the mempool is the app's.
func (c Config) comet() (*cmtcfg.Config, error) {
	cfg := cmtcfg.DefaultConfig()
	cfg.SetRoot(c.Home)
	cfg.DBBackend = "goleveldb"
	cfg.Moniker = cmp.Or(c.Moniker, "node") // the default is the machine's name, which concerns nobody
	cfg.RPC.ListenAddress = ""              // served by us: see httpServer
	cfg.P2P.ListenAddress = "tcp://" + c.P2P
	cfg.P2P.PexReactor = c.Exchange
	cfg.P2P.ExternalAddress = c.External
	cfg.P2P.AddrBookStrict = false
	cfg.P2P.AllowDuplicateIP = true
	for i, peer := range c.Peers {
		if i > 0 {
			cfg.P2P.PersistentPeers += ","
		}
		cfg.P2P.PersistentPeers += peer
	}
	cfg.Mempool.Type = cmtcfg.MempoolTypeApp
	cfg.Mempool.MaxTxBytes = network.MaxTxBytes
	cfg.Consensus.TimeoutPropose = proposeTimeout
	cfg.Consensus.TimeoutProposeDelta = timeoutDelta
	cfg.Consensus.TimeoutPrevote = voteTimeout
	cfg.Consensus.TimeoutPrevoteDelta = timeoutDelta
	cfg.Consensus.TimeoutPrecommit = voteTimeout
	cfg.Consensus.TimeoutPrecommitDelta = timeoutDelta
	cfg.Consensus.TimeoutCommit = c.TimeoutCommit
	cfg.Consensus.PeerGossipSleepDuration = gossipPause
	if c.Sync != nil {
		cfg.StateSync.Enable = true
		cfg.StateSync.RPCServers = c.Sync.RPC
		if len(c.Sync.RPC) == 1 { // a primary and a witness are asked for; one node can only be its own witness
			cfg.StateSync.RPCServers = append(cfg.StateSync.RPCServers, c.Sync.RPC[0])
		}
		cfg.StateSync.TrustHeight, cfg.StateSync.TrustHash = c.Sync.Height, c.Sync.Hash
		cfg.StateSync.DiscoveryTime = discoveryTime
	}
	if err := cfg.ValidateBasic(); err != nil {
		return nil, fmt.Errorf("validator configuration: %w", err)
	}
	return cfg, nil
}
