// Package role owns what every long-running role of a machine needs: its folder with its keys, its place in the data
// network, its client of the ledger, and the news that it gives.
package role

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mutirao/mutirao/agent"
	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/node/event"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/p2p"
	"github.com/mutirao/mutirao/protocol"
)

// keyFile holds the 32 secret bytes from which all keys of the folder derive.
const keyFile = "key"

// Config says where a role lives and what it connects to.
type Config struct {
	Dir    string   // its folder; created when missing
	Ledger []string // RPC endpoints of validators
	Listen string   // multiaddr of the data network; empty: dial only
}

// Machine is an open folder with its identity, its host and its client. One role uses it.
type Machine struct {
	Identity agent.Identity
	Client   *client.Client
	Host     *p2p.Host

	met map[string]bool // addresses, as members write them, to which Meet has connected
}

// Open reads or makes the keys of c.Dir and connects.
func Open(ctx context.Context, c Config) (*Machine, error) {
	secret, err := loadKey(c.Dir)
	if err != nil {
		return nil, err
	}
	key, err := client.NewKey(Derive(secret, "account"))
	if err != nil {
		return nil, err
	}
	ledger, err := client.Dial(c.Ledger, key)
	if err != nil {
		return nil, failure.New(failure.Network, "cannot reach the ledger", err, "check the address, or ask for a new invite")
	}
	var listen []string
	if c.Listen != "" {
		listen = []string{c.Listen}
	}
	peer := Derive(secret, "peer")
	host, err := p2p.Open(ctx, p2p.Config{Dir: c.Dir, Key: peer[:], Listen: listen})
	if err != nil {
		return nil, failure.New(failure.Network, "cannot open the data network", err, "free the port or choose another with --listen")
	}
	identity := agent.Identity{Account: key.Account(), Secret: Derive(secret, "salts")}
	return &Machine{Identity: identity, Client: ledger, Host: host, met: map[string]bool{}}, nil
}

// Close leaves the data network.
func (m *Machine) Close() error { return m.Host.Close() }

// Key is the key of a folder's account; it is made when it is missing.
func Key(dir string) (client.Key, error) {
	secret, err := loadKey(dir)
	if err != nil {
		return client.Key{}, err
	}
	return client.NewKey(Derive(secret, "account"))
}

// Secret is that of a folder; it is made when it is missing.
func Secret(dir string) ([32]byte, error) { return loadKey(dir) }

// Account is the address of a folder's secret without opening the folder.
func Account(secret [32]byte) (protocol.Account, error) {
	key, err := client.NewKey(Derive(secret, "account"))
	if err != nil {
		return protocol.Account{}, err
	}
	return key.Account(), nil
}

// Derive makes the secret for one purpose from another secret.
func Derive(secret [32]byte, purpose string) [32]byte {
	return sha256.Sum256(append([]byte("mutirao/key/"+purpose+"\x00"), secret[:]...))
}

// WriteKey puts a secret into a folder that has none yet, readable by its owner only. A crash leaves the whole key or none.
func WriteKey(dir string, secret [32]byte) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, keyFile+".next-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = fmt.Fprintf(f, "%x\n", secret)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	// A link, unlike a rename, never replaces a key that is there.
	if err := os.Link(f.Name(), filepath.Join(dir, keyFile)); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func loadKey(dir string) (secret [32]byte, err error) {
	var fresh [32]byte
	rand.Read(fresh[:]) // never fails (crypto/rand)
	if err := WriteKey(dir, fresh); err != nil {
		return secret, failure.New(failure.General, "cannot make a key", err, "choose a folder that you may write to with --dir")
	}
	name := filepath.Join(dir, keyFile)
	text, err := os.ReadFile(name)
	if err != nil {
		return secret, failure.New(failure.Denied, "cannot read the key", err, "check the permissions of "+name)
	}
	h, err := parseSecret(string(text))
	if err != nil {
		return secret, failure.New(failure.General, name+" holds no key", err, "restore it from a backup, or choose another folder with --dir")
	}
	return h, nil
}

func parseSecret(text string) (secret [32]byte, err error) {
	var h protocol.Hash
	if err := h.UnmarshalText([]byte(strings.TrimSpace(text))); err != nil {
		return secret, err
	}
	return h, nil
}

// Blobs adapts the host to what agents need.
func (m *Machine) Blobs() agent.Blobs { return blobs{m.Host} }

type blobs struct{ *p2p.Host }

// SetPeers takes the addresses as members write them on the ledger: several in one text, separated by spaces.
func (b blobs) SetPeers(members []string) {
	var list []string
	for _, addresses := range members {
		list = append(list, strings.Fields(addresses)...)
	}
	b.Host.SetPeers(list)
}

// Meet names the members of a run, whose addresses are as they write them on the ledger, and connects to those that are new, so that they
// can fetch from here what only this machine has, and this machine from them. Who cannot be reached now is tried again by the next call.
func (m *Machine) Meet(ctx context.Context, members []string) {
	m.Blobs().SetPeers(members)
	for _, addresses := range members {
		if !m.met[addresses] && m.Host.Connect(ctx, strings.Fields(addresses)) == nil {
			m.met[addresses] = true
		}
	}
}

// Peer is how this machine writes its own addresses on the ledger.
func (m *Machine) Peer() string { return strings.Join(m.Host.Addrs(), " ") }

// Observer turns an agent's news into events with the traffic so far.
func (m *Machine) Observer(w *event.Writer) agent.Observer {
	return func(n agent.News) {
		in, out := m.Host.Traffic()
		w.Emit(event.Event{Name: n.Name, Round: n.Round, Unit: n.Unit, Detail: n.Detail, In: in, Out: out})
	}
}
