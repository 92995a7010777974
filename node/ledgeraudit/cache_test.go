package ledgeraudit

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/crypto/tmhash"
	cmtversion "github.com/cometbft/cometbft/proto/tendermint/version"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/cometbft/cometbft/version"
)

// line is a chain of blocks of one transaction each, which counts how often it is asked.
type line struct {
	source
	doc    *cmttypes.GenesisDoc
	blocks []*cmttypes.Block
	asked  int
}

func (l *line) genesis(context.Context) (*cmttypes.GenesisDoc, error) { return l.doc, nil }
func (l *line) height(context.Context) (int64, error)                 { return int64(len(l.blocks)), nil }
func (l *line) close() error                                          { return nil }
func (l *line) block(_ context.Context, height int64) (*cmttypes.Block, *abci.ResponseFinalizeBlock, error) {
	l.asked++
	b := l.blocks[height-1]
	return b, &abci.ResponseFinalizeBlock{TxResults: []*abci.ExecTxResult{{Log: string(b.Txs[0])}}}, nil
}

// grow adds blocks up to a height; word makes another chain of them.
func (l *line) grow(height int, word string) {
	some := tmhash.Sum([]byte("some"))
	for h := len(l.blocks) + 1; h <= height; h++ {
		commit := &cmttypes.Commit{}
		var last cmttypes.BlockID
		if h > 1 {
			last = cmttypes.BlockID{Hash: l.blocks[h-2].Hash(), PartSetHeader: cmttypes.PartSetHeader{Total: 1, Hash: some}}
			commit = &cmttypes.Commit{Height: int64(h - 1), BlockID: last, Signatures: []cmttypes.CommitSig{cmttypes.NewCommitSigAbsent()}}
		}
		b := cmttypes.MakeBlock(int64(h), []cmttypes.Tx{fmt.Appendf(nil, "%s %d", word, h)}, commit, nil)
		b.Header.Populate(cmtversion.Consensus{Block: version.BlockProtocol}, l.doc.ChainID, time.Unix(int64(h), 0), last, some, some, some, some, some, some[:20])
		l.blocks = append(l.blocks, b)
	}
}

// through reads a chain from its first block to its last by way of a cache, checks every block, and returns how many blocks the chain was asked for.
func through(t *testing.T, l *line, dir string, until int64) int {
	t.Helper()
	before := l.asked
	s, err := keep(t.Context(), l, dir)
	if err != nil {
		t.Fatal(err)
	}
	for h := int64(1); h <= until; h++ {
		b, r, err := s.block(t.Context(), h)
		if err != nil {
			t.Fatal(err)
		}
		want := l.blocks[h-1]
		if string(b.Hash()) != string(want.Hash()) || string(b.Txs[0]) != string(want.Txs[0]) || r.TxResults[0].Log != string(want.Txs[0]) {
			t.Fatalf("block %d is %s, not %s", h, b.Txs[0], want.Txs[0])
		}
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	return l.asked - before
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "*", "*.blocks"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// What was read once is not asked for again but for the first block and the last one, which tell whether it is the same chain.
func TestBlocksAreKept(t *testing.T) {
	dir := t.TempDir()
	l := &line{doc: &cmttypes.GenesisDoc{ChainID: "c", InitialHeight: 1}}
	l.grow(2300, "a")
	if n := through(t, l, dir, 2300); n != 2301 || len(files(t, dir)) != 3 {
		t.Errorf("first: %d blocks, files %q", n, files(t, dir))
	}
	if n := through(t, l, dir, 2300); n != 2 {
		t.Errorf("again: %d blocks", n)
	}
	l.grow(2450, "a")
	if n := through(t, l, dir, 2400); n != 102 || len(files(t, dir)) != 3 {
		t.Errorf("a hundred more: %d blocks, files %q", n, files(t, dir))
	}
	l.grow(3100, "a")
	if n := through(t, l, dir, 3100); n != 702 || len(files(t, dir)) != 4 {
		t.Errorf("into the next file: %d blocks, files %q", n, files(t, dir))
	}
	if n := through(t, l, dir, 500); n != 2 {
		t.Errorf("a part: %d blocks", n)
	}
	// A process was killed while it wrote; a file is damaged; one is cut.
	folder := filepath.Dir(files(t, dir)[0])
	if err := os.WriteFile(filepath.Join(folder, "next-123"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, damage := range []func([]byte) []byte{func(b []byte) []byte { b[len(b)/2] ^= 1; return b }, func(b []byte) []byte { return b[:len(b)-5] }} {
		name := files(t, dir)[i+1]
		raw, err := os.ReadFile(name)
		if err == nil {
			err = os.WriteFile(name, damage(raw), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if n := through(t, l, dir, 3100); n < 1000 || n > 2200 {
			t.Errorf("damage %d: %d blocks", i, n)
		}
		if n := through(t, l, dir, 3100); n != 2 {
			t.Errorf("damage %d, repaired: %d blocks", i, n)
		}
	}
	// The chain went another way after block 2500; then one that began anew.
	other := &line{doc: l.doc, blocks: l.blocks[:2500:2500]}
	other.grow(3100, "b")
	if n := through(t, other, dir, 3100); n < 1100 || n > 1110 {
		t.Errorf("another way: %d blocks", n)
	}
	anew := &line{doc: l.doc}
	anew.grow(30, "c")
	if n := through(t, anew, dir, 30); n != 31 {
		t.Errorf("anew: %d blocks", n)
	}
}

// A node whose blocks do not follow from each other is not believed.
func TestForkIsSeen(t *testing.T) {
	l := &line{doc: &cmttypes.GenesisDoc{ChainID: "c", InitialHeight: 1}}
	l.grow(20, "a")
	other := &line{doc: l.doc}
	other.grow(20, "b")
	l.blocks[9] = other.blocks[9]
	s, err := keep(t.Context(), l, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for h := int64(1); h <= 9; h++ {
		if _, _, err := s.block(t.Context(), h); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := s.block(t.Context(), 10); err == nil {
		t.Error("taken")
	}
}
