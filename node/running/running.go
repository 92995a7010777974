// Package running owns how a command finds a network: a network that runs on this machine leaves a note in its folder.
package running

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/invite"
)

// networkFile is where a network that runs on this machine says how to reach it.
const networkFile = "network.json"

// note is the content of networkFile.
type note struct {
	Schema string   `json:"schema"` // "mutirao.network/v1"
	Chain  string   `json:"chain"`
	Ledger []string `json:"ledger"` // RPC endpoints of validators
	RPC    string   `json:"json_rpc"`
}

// Announce writes how to reach a network into its folder, and returns what takes the note away again.
func Announce(dir string, ledger []string, jsonRPC string) (remove func(), err error) {
	raw, err := json.MarshalIndent(note{"mutirao.network/v1", network.ChainID, ledger, jsonRPC}, "", " ")
	if err != nil {
		return nil, err
	}
	name := filepath.Join(dir, networkFile)
	return func() { os.Remove(name) }, WriteFile(name, append(raw, '\n'))
}

// WriteFile replaces a file as a whole, readable by its owner only; a crash leaves the old or the new one.
func WriteFile(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".next-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

var errNoNetwork = errors.New("no network is named")

// Endpoints are the RPC endpoints of a network that a person names: by an invite, by the address of a validator, or by the folder
// of a network that runs on this machine.
func Endpoints(name string) ([]string, error) {
	const next = "name it by --network: the FOLDER of mutirao demo --keep --dir FOLDER, an invite, or http://HOST:PORT"
	switch {
	case name == "":
		return nil, failure.New(failure.Usage, "which network is meant", errNoNetwork, next)
	case strings.HasPrefix(name, "http://"), strings.HasPrefix(name, "https://"), strings.HasPrefix(name, "tcp://"):
		return []string{name}, nil
	}
	if v, err := invite.Parse(name); err == nil {
		return v.Ledger, nil
	}
	raw, err := os.ReadFile(filepath.Join(name, networkFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, failure.New(failure.NotFound, "no network runs in "+name, err, next)
	}
	var n note
	if err == nil {
		err = json.Unmarshal(raw, &n)
	}
	if err != nil {
		return nil, failure.New(failure.General, "cannot read how to reach the network", err, next)
	}
	return n.Ledger, nil
}

var errNoRPC = errors.New("the network has no JSON-RPC at a known address")

// JSONRPC is the JSON-RPC endpoint of a network that runs on this machine, by its folder, or the address itself.
func JSONRPC(name string) (string, error) {
	if strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "https://") {
		return name, nil
	}
	raw, err := os.ReadFile(filepath.Join(name, networkFile))
	if err != nil {
		return "", failure.New(failure.NotFound, "no network runs in "+name, err, "name the FOLDER of mutirao demo --keep --dir FOLDER, or use --rpc http://HOST:PORT")
	}
	var n note
	if err := json.Unmarshal(raw, &n); err != nil {
		return "", failure.New(failure.General, "cannot read how to reach the network", err, "use --rpc http://HOST:PORT")
	}
	if n.RPC == "" {
		return "", failure.New(failure.NotFound, "contracts of "+name+" cannot be reached", errNoRPC, "mutirao demo --keep --dir "+name+" --json-rpc 127.0.0.1:8545")
	}
	return n.RPC, nil
}
