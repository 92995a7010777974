package ledgeraudit

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/cosmos/gogoproto/proto"
)

// The blocks of a network do not change, so who has read them once needs to ask for new ones only. cached keeps them in a folder of the
// chain, in files of segmentBlocks each and one of the rest, named by the first and last height and the hash of the last block. A file is
// written aside and renamed, so that a process that is killed leaves the old files or the new one. Before a file is believed, the node
// is asked for the hash of its last block, which commits to all before it; so a network that began anew under the same name is not mixed
// up with the old one.
type cached struct {
	source
	dir   string // of this chain
	first int64  // block of the chain

	files []segment // that the node confirms, without gaps from first on
	open  *segment  // whose blocks are in memory
	list  []stored

	pending []stored // read from the node and not in a file of segmentBlocks yet, without gaps after the whole files
	from    int64    // height of the first of them
	tip     cmttypes.BlockID
	fresh   bool // some of pending are in no file
}

// segmentBlocks is how many blocks a file has; maxBlock bounds one in bytes, so that a damaged file takes no memory.
const (
	segmentBlocks = 1000
	maxBlock      = 128 << 20
)

// segment is a file.
type segment struct {
	name     string
	from, to int64
	hash     []byte
}

// stored is a block with its results as they lie in a file.
type stored struct{ block, results []byte }

var errDamaged = errors.New("a file of the cache is damaged")

// keep puts a cache before a source. dir is that of all chains. A cache that cannot be used is none.
func keep(ctx context.Context, s source, dir string) (source, error) {
	doc, err := s.genesis(ctx)
	if err != nil {
		return nil, err
	}
	c := &cached{source: s, first: max(doc.InitialHeight, 1)}
	b, _, err := s.block(ctx, c.first)
	if err != nil {
		return nil, err
	}
	c.dir = filepath.Join(dir, fmt.Sprintf("%s-%x", filepath.Base(doc.ChainID), b.Hash()[:8]))
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return s, nil // not worth a failure
	}
	c.from = c.first
	return c, c.confirm(ctx)
}

// confirm finds the files that the node's chain has.
func (c *cached) confirm(ctx context.Context) error {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return err
	}
	var all []segment
	for _, e := range entries {
		if s, ok := named(e.Name()); ok {
			all = append(all, s)
		}
	}
	sort.Slice(all, func(i, j int) bool {
		return all[i].from < all[j].from || all[i].from == all[j].from && all[i].to < all[j].to
	})
	last, err := c.source.height(ctx)
	if err != nil {
		return err
	}
	next := c.first
	for i, s := range all {
		longer := i+1 < len(all) && all[i+1].from == s.from // a process was killed between renaming and removing
		if s.from != next || longer || s.to > last {
			continue
		}
		c.files, next = append(c.files, s), s.to+1
	}
	for len(c.files) > 0 { // most often the last one is right, and so are all
		s := c.files[len(c.files)-1]
		b, _, err := c.source.block(ctx, s.to)
		if err != nil {
			return err
		}
		if bytes.Equal(b.Hash(), s.hash) {
			break
		}
		_ = os.Remove(filepath.Join(c.dir, s.name)) // another chain's
		c.files = c.files[:len(c.files)-1]
	}
	if n := len(c.files); n > 0 {
		c.from = c.files[n-1].to + 1
		c.tip.Hash = c.files[n-1].hash
		if s := c.files[n-1]; s.to-s.from+1 < segmentBlocks { // to be continued
			list, err := c.load(s)
			if err != nil {
				c.files, c.from, c.tip = c.files[:n-1], s.from, cmttypes.BlockID{}
				return nil
			}
			c.open, c.list = &c.files[n-1], list
			c.pending, c.from = append([]stored{}, list...), s.from
		}
	}
	return nil
}

// block is from a file, if there is one, or from the node.
func (c *cached) block(ctx context.Context, height int64) (*cmttypes.Block, *abci.ResponseFinalizeBlock, error) {
	i := sort.Search(len(c.files), func(i int) bool { return c.files[i].to >= height })
	if i < len(c.files) && c.files[i].from <= height {
		if b, r, err := c.recall(&c.files[i], height); err == nil {
			return b, r, nil
		}
		c.files, c.pending, c.fresh = c.files[:i], nil, false // what follows is read again
		c.from, c.tip = height, cmttypes.BlockID{}
		if first := c.first + (height-c.first)/segmentBlocks*segmentBlocks; first != height {
			c.dir = "" // the file was damaged in its middle: no more of it is kept in this run
		}
	}
	b, r, err := c.source.block(ctx, height)
	if err != nil {
		return nil, nil, err
	}
	return b, r, c.note(b, r)
}

func (c *cached) recall(s *segment, height int64) (*cmttypes.Block, *abci.ResponseFinalizeBlock, error) {
	if c.open == nil || c.open.name != s.name {
		list, err := c.load(*s)
		if err != nil {
			return nil, nil, err
		}
		c.open, c.list = s, list
	}
	return c.list[height-s.from].decode()
}

var errFork = errors.New("the node's blocks do not follow from each other")

// note keeps a block that the node gave, if it is the next one.
func (c *cached) note(b *cmttypes.Block, r *abci.ResponseFinalizeBlock) error {
	if c.dir == "" || b.Height != c.from+int64(len(c.pending)) {
		return nil
	}
	if len(c.tip.Hash) > 0 && !bytes.Equal(b.LastBlockID.Hash, c.tip.Hash) {
		return fmt.Errorf("%w: block %d", errFork, b.Height)
	}
	s, err := encode(b, r)
	if err != nil {
		return err
	}
	c.pending, c.tip.Hash, c.fresh = append(c.pending, s), b.Hash(), true
	if len(c.pending) == segmentBlocks {
		c.write()
		c.from, c.pending = b.Height+1, nil
	}
	return nil
}

// write makes a file of what is pending. One that cannot be written is written another time.
func (c *cached) write() {
	if !c.fresh || c.dir == "" || len(c.pending) == 0 {
		return
	}
	c.fresh = false
	to := c.from + int64(len(c.pending)) - 1
	name := fmt.Sprintf("%012d-%012d-%x.blocks", c.from, to, []byte(c.tip.Hash))
	f, err := os.CreateTemp(c.dir, "next-*") // 0600
	if err != nil {
		return
	}
	defer os.Remove(f.Name())
	z, _ := gzip.NewWriterLevel(f, gzip.BestSpeed)
	for _, s := range c.pending {
		for _, part := range [][]byte{s.block, s.results} {
			_, failed := z.Write(binary.AppendUvarint(nil, uint64(len(part))))
			_, too := z.Write(part)
			err = errors.Join(err, failed, too)
		}
	}
	if err := errors.Join(err, z.Close(), f.Sync(), f.Close()); err != nil {
		return
	}
	if os.Rename(f.Name(), filepath.Join(c.dir, name)) != nil {
		return
	}
	entries, _ := os.ReadDir(c.dir)
	for _, e := range entries { // shorter ones of the same blocks
		if s, ok := named(e.Name()); ok && s.from == c.from && s.to < to {
			_ = os.Remove(filepath.Join(c.dir, s.name))
		}
	}
}

func (c *cached) close() error {
	c.write()
	return c.source.close()
}

// named reads the name of a file.
func named(name string) (segment, bool) {
	s := segment{name: name}
	var text string
	if n, err := fmt.Sscanf(name, "%012d-%012d-%64s", &s.from, &s.to, &text); n != 3 || err != nil || filepath.Ext(name) != ".blocks" {
		return s, false
	}
	var err error
	s.hash, err = hex.DecodeString(text)
	return s, err == nil && len(s.hash) == 32 && s.from >= 1 && s.to >= s.from && s.to-s.from < segmentBlocks
}

// load reads a whole file. gzip's sum tells whether it is as it was written.
func (c *cached) load(s segment) ([]stored, error) {
	f, err := os.Open(filepath.Join(c.dir, s.name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		return nil, err
	}
	r := bufio.NewReader(z)
	part := func() ([]byte, error) {
		n, err := binary.ReadUvarint(r)
		if err != nil || n > maxBlock {
			return nil, errors.Join(err, errDamaged)
		}
		var raw bytes.Buffer
		if _, err := io.CopyN(&raw, r, int64(n)); err != nil {
			return nil, err
		}
		return raw.Bytes(), nil
	}
	var list []stored
	for range s.to - s.from + 1 {
		block, err := part()
		if err != nil {
			return nil, err
		}
		results, err := part()
		if err != nil {
			return nil, err
		}
		list = append(list, stored{block, results})
	}
	if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
		return nil, errors.Join(err, errDamaged)
	}
	return list, nil
}

func encode(b *cmttypes.Block, r *abci.ResponseFinalizeBlock) (s stored, err error) {
	pb, err := b.ToProto()
	if err != nil {
		return s, err
	}
	if s.block, err = proto.Marshal(pb); err != nil {
		return s, err
	}
	s.results, err = proto.Marshal(r)
	return s, err
}

func (s stored) decode() (*cmttypes.Block, *abci.ResponseFinalizeBlock, error) {
	var pb cmtproto.Block
	var r abci.ResponseFinalizeBlock
	if err := errors.Join(proto.Unmarshal(s.block, &pb), proto.Unmarshal(s.results, &r)); err != nil {
		return nil, nil, err
	}
	b, err := cmttypes.BlockFromProto(&pb)
	return b, &r, err
}
