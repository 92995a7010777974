package dev

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/protocol/money"
)

// FuzzState: whatever a state file holds, a chain goes on from it or it is refused.
func FuzzState(f *testing.F) {
	name := filepath.Join(f.TempDir(), "seed.jsonl")
	config := Config{ChainID: network.EVMChainID, Accounts: 1, Balance: money.MUT(1), State: name}
	c, err := Open(config)
	if err != nil {
		f.Fatal(err)
	}
	if err := c.Mine(2, 0); err != nil {
		f.Fatal(err)
	}
	if err := c.Close(); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(name)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-20])
	f.Add(append(bytes.Clone(whole), []byte("{\"revert\":1}\n{\"height\":2,\"time\":1,\"txs\":[\"0x00\"]}\n")...))
	f.Add(append(bytes.Clone(whole), []byte("{\"height\":3,\"time\":-9223372036854775808}\n")...))
	f.Add(append(bytes.Clone(whole), []byte("{\"height\":3,\"edits\":[{}]}\n")...))
	config.State = filepath.Join(f.TempDir(), "state.jsonl")
	f.Fuzz(func(t *testing.T, raw []byte) {
		past, _, err := readJournal(bytes.NewReader(raw))
		if err != nil || past == nil || past.chainID != network.EVMChainID { // a process has one id of Ethereum's kind
			return
		}
		if err := os.WriteFile(config.State, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Open(config)
		if err != nil {
			return
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}
