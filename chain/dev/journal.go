package dev

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	cmtjson "github.com/cometbft/cometbft/libs/json"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/ethereum/go-ethereum/common/hexutil"
)

// journalSchema names the form of the state file: JSON, one value a line. The first is a header, each following one is a
// block or says how far the chain went back. A chain is continued by executing its blocks again, so the file is as small as
// what was sent, and a program that computes something else notices.
const journalSchema = "mutirao/dev-state/1"

// maxLine bounds one line: a block with its edits in hexadecimal, or a genesis.
const maxLine = 64 << 20

type header struct {
	Schema  string          `json:"schema"`
	ChainID uint64          `json:"chain_id"`
	Genesis json.RawMessage `json:"genesis"`
}

type line struct {
	Height int64           `json:"height,omitempty"`
	Time   int64           `json:"time,omitempty"` // seconds
	Txs    []hexutil.Bytes `json:"txs,omitempty"`
	Edits  []Edit          `json:"edits,omitempty"`
	App    hexutil.Bytes   `json:"app,omitempty"` // hash of the state after the block
	Revert *int64          `json:"revert,omitempty"`
}

// past is what a state file holds.
type past struct {
	chainID uint64
	genesis *cmttypes.GenesisDoc
	blocks  []line
}

// journal is an open state file. What was added is on the disk when add returns.
type journal struct{ file *os.File }

// openJournal opens or makes a file and reads it; past is nil for a new one. A last line that was not finished, because the
// process ended while it was written, was never acknowledged and is cut off.
func openJournal(name string) (_ *journal, _ *past, err error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("%w %s: %w", ErrState, name, err), file.Close())
		}
	}()
	if err := lock(file); err != nil {
		return nil, nil, err
	}
	past, whole, err := readJournal(file)
	if err != nil {
		return nil, nil, err
	}
	if err := file.Truncate(whole); err != nil {
		return nil, nil, err
	}
	if _, err := file.Seek(whole, io.SeekStart); err != nil {
		return nil, nil, err
	}
	return &journal{file}, past, nil
}

// readJournal reads all finished lines and returns how many bytes they have.
func readJournal(from io.Reader) (*past, int64, error) {
	r := bufio.NewReaderSize(from, 1<<20)
	var p *past
	whole := int64(0)
	for number := 1; ; number++ {
		text, err := readLine(r)
		if err == io.EOF {
			return p, whole, nil
		}
		if err != nil {
			return nil, 0, err
		}
		if p == nil {
			p, err = readHeader(text)
		} else {
			err = p.add(text)
		}
		if err != nil {
			return nil, 0, fmt.Errorf("line %d: %w", number, err)
		}
		whole += int64(len(text)) + 1
	}
}

// readLine returns a finished line without its end, or io.EOF.
func readLine(r *bufio.Reader) ([]byte, error) {
	var text []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(text)+len(part) > maxLine {
			return nil, fmt.Errorf("a line has more than %d bytes", maxLine)
		}
		text = append(text, part...)
		switch err {
		case nil:
			return text[:len(text)-1], nil
		case bufio.ErrBufferFull:
		default:
			return nil, err
		}
	}
}

func readHeader(text []byte) (*past, error) {
	var h header
	if err := decodeStrict(text, &h); err != nil {
		return nil, err
	}
	if h.Schema != journalSchema || h.ChainID == 0 {
		return nil, fmt.Errorf("schema %.40q of chain %d, want %q", h.Schema, h.ChainID, journalSchema)
	}
	doc, err := cmttypes.GenesisDocFromJSON(h.Genesis)
	if err != nil {
		return nil, err
	}
	return &past{chainID: h.ChainID, genesis: doc}, nil
}

func (p *past) add(text []byte) error {
	var l line
	if err := decodeStrict(text, &l); err != nil {
		return err
	}
	switch n := int64(len(p.blocks)); {
	case l.Revert != nil && *l.Revert >= 1 && *l.Revert <= n:
		p.blocks = slices.Clip(p.blocks[:*l.Revert])
	case l.Revert != nil:
		return fmt.Errorf("goes back to block %d of %d", *l.Revert, n)
	case l.Height != n+1:
		return fmt.Errorf("block %d after block %d", l.Height, n)
	default:
		p.blocks = append(p.blocks, l)
	}
	return nil
}

func decodeStrict(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more than one value")
	}
	return nil
}

func (j *journal) begin(chainID uint64, doc *cmttypes.GenesisDoc) error {
	raw, err := genesisJSON(doc)
	if err != nil {
		return err
	}
	return j.write(header{journalSchema, chainID, raw})
}

// genesisJSON is CometBFT's form of a genesis, in one line.
func genesisJSON(doc *cmttypes.GenesisDoc) ([]byte, error) {
	raw, err := cmtjson.Marshal(doc)
	if err != nil {
		return nil, err
	}
	var compact bytes.Buffer
	err = json.Compact(&compact, raw)
	return compact.Bytes(), err
}

func (j *journal) add(b *block, edits []Edit) error {
	l := line{Height: b.Height, Time: b.Time.Unix(), Edits: edits, App: hexutil.Bytes(b.response.AppHash)}
	for _, tx := range b.Txs {
		l.Txs = append(l.Txs, hexutil.Bytes(tx))
	}
	return j.write(l)
}

func (j *journal) revert(height int64) error { return j.write(line{Revert: &height}) }

func (j *journal) write(value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if _, err := j.file.Write(append(raw, '\n')); err != nil {
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	return nil
}

func (j *journal) close() error { return j.file.Close() }
