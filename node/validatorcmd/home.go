// Package validatorcmd is what `mutirao validator` and `mutirao proposal` do: it makes the folder of a node, runs it, and speaks for its
// operator. It holds no rule; package chain/validator is the node.
package validatorcmd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/pelletier/go-toml/v2"

	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/chain/genesis"
	"github.com/mutirao/mutirao/chain/validator"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/role"
	"github.com/mutirao/mutirao/node/running"
)

// configFile is what an operator may edit while the node does not run.
const configFile = "validator.toml"

// maxConfig bounds it in bytes.
const maxConfig = 64 << 10

// Config is the content of configFile. Addresses are host:port.
type Config struct {
	Moniker  string `toml:"moniker" comment:"a name for people"`
	P2P      string `toml:"p2p" comment:"where other nodes reach this one; beyond 127.0.0.1 only if you say so"`
	External string `toml:"external" comment:"how others reach p2p if not at that address"`
	RPC      string `toml:"rpc" comment:"CometBFT's RPC, for clients and for mutirao itself"`
	JSONRPC  string `toml:"json_rpc" comment:"Ethereum's JSON-RPC; empty for none"`
	Metrics  string `toml:"metrics" comment:"/metrics for Prometheus, /healthz and /readyz; empty for none"`

	Peers    []string `toml:"peers" comment:"nodes to connect to, as ID@HOST:PORT"`
	Exchange bool     `toml:"exchange" comment:"learn of more nodes from those, and tell of them"`

	BlockTime string `toml:"block_time" comment:"pause after each block; best the same on all validators"`

	Pruning   string `toml:"pruning" comment:"old states that go: nothing, default (a week or two), everything, or KEEP:EVERY in blocks"`
	Retain    uint64 `toml:"retain_blocks" comment:"least blocks to keep; 0 for all, which mutirao ledger audit needs"`
	Snapshots uint64 `toml:"snapshot_every" comment:"blocks between snapshots of the state for nodes that join; 0 for none"`

	Sync *Sync `toml:"sync,omitempty" comment:"take the state from a snapshot of the others at the first start"`
}

// Sync is what the operator trusts of a network to take over its state.
type Sync struct {
	RPC    []string `toml:"rpc"`
	Height int64    `toml:"height"`
	Hash   string   `toml:"hash"`
}

func defaults() Config {
	return Config{
		P2P: "127.0.0.1:26656", RPC: "127.0.0.1:26657", Exchange: true, BlockTime: "1s", Pruning: "nothing", Snapshots: 1000, Peers: []string{},
	}
}

// Home is the folder of a node.
type Home struct {
	Dir    string
	Config Config
	Key    client.Key   // of the operator's account
	Keys   genesis.Keys // of the node; the operator is the account of Key
}

var (
	errExists = errors.New("it holds a node already")
	errNone   = errors.New("there is no " + configFile + " in it")
)

// openKeys reads or makes the secret of a folder, from which all keys follow.
func openKeys(dir string) (client.Key, genesis.Keys, error) {
	secret, err := role.Secret(dir)
	if err != nil {
		return client.Key{}, genesis.Keys{}, err
	}
	key, err := client.NewKey(role.Derive(secret, "account"))
	if err != nil {
		return client.Key{}, genesis.Keys{}, err
	}
	consensus, node := role.Derive(secret, "consensus"), role.Derive(secret, "node")
	return key, genesis.Keys{
		Consensus: ed25519.GenPrivKeyFromSecret(consensus[:]), Node: ed25519.GenPrivKeyFromSecret(node[:]), Operator: key.Account(),
	}, nil
}

// Open reads the folder of a node that exists.
func Open(dir string) (*Home, error) {
	const next = "mutirao validator init --home DIR, or mutirao validator join --network NETWORK --home DIR"
	file := filepath.Join(dir, configFile)
	raw, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, failure.New(failure.NotFound, "no node lives in "+dir, errNone, next)
	case err != nil:
		return nil, failure.New(failure.Denied, "the node's configuration cannot be read", err, "check the permissions of "+file)
	case len(raw) > maxConfig:
		return nil, failure.New(failure.Usage, file+" is no configuration", fmt.Errorf("%d bytes", len(raw)), next)
	}
	h := &Home{Dir: dir, Config: defaults()}
	h.Config.Peers = nil
	if err := decode(raw, &h.Config); err != nil {
		var strict *toml.StrictMissingError
		if errors.As(err, &strict) && len(strict.Errors) > 0 {
			line, _ := strict.Errors[0].Position()
			err = fmt.Errorf("line %d: unknown key %q", line, strings.Join(strict.Errors[0].Key(), "."))
		}
		return nil, failure.New(failure.Usage, file+" cannot be understood", err, "the keys are those of docs/operating.md")
	}
	if h.Key, h.Keys, err = openKeys(dir); err != nil {
		return nil, err
	}
	return h, nil
}

// decode reads TOML. The decoder panics for a date where a text belongs.
func decode(raw []byte, into *Config) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a value of another kind: %v", p)
		}
	}()
	return toml.NewDecoder(bytes.NewReader(raw)).DisallowUnknownFields().Decode(into)
}

// create makes the folder of a node that starts from doc.
func create(dir string, c Config, doc *cmttypes.GenesisDoc) error {
	raw, err := toml.Marshal(c)
	if err != nil {
		return err
	}
	folder := filepath.Join(dir, "config")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	if err := doc.SaveAs(filepath.Join(folder, "genesis.json.next")); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(folder, "genesis.json.next"), filepath.Join(folder, "genesis.json")); err != nil {
		return err
	}
	return running.WriteFile(filepath.Join(dir, configFile), raw) // last: a folder with it is whole
}

// free refuses a folder that holds a node.
func free(dir string) error {
	for _, name := range []string{configFile, filepath.Join("config", "genesis.json")} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return failure.New(failure.Denied, "the folder "+dir+" cannot be used", errExists, "choose another with --home, or mutirao validator start --home "+dir)
		}
	}
	return nil
}

// node is the configuration of the node itself.
func (h *Home) node() (validator.Config, error) {
	c := h.Config
	pause, err := time.ParseDuration(c.BlockTime)
	if err == nil && (pause < 0 || pause > time.Minute) {
		err = fmt.Errorf("%s is not within 0s to 1m", pause)
	}
	if err == nil {
		_, err = validator.ParsePruning(c.Pruning)
	}
	if err != nil {
		return validator.Config{}, failure.New(failure.Usage, filepath.Join(h.Dir, configFile)+" cannot be used", err, "the keys are those of docs/operating.md")
	}
	v := validator.Config{
		Home: h.Dir, Keys: h.Keys, Moniker: c.Moniker, P2P: c.P2P, External: c.External, Exchange: c.Exchange, RPC: c.RPC, JSONRPC: c.JSONRPC, Metrics: c.Metrics,
		Peers: c.Peers, Pruning: c.Pruning, Retain: c.Retain, Snapshots: c.Snapshots, TimeoutCommit: pause,
	}
	if c.Sync != nil {
		v.Sync = &validator.Sync{RPC: c.Sync.RPC, Height: c.Sync.Height, Hash: c.Sync.Hash}
	}
	return v, nil
}

// rpc is the URL of the node's own RPC.
func (h *Home) rpc() string { return "http://" + h.Config.RPC }
