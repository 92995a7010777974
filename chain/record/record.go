// Package record keeps what the rules record for good: receipts and summaries, by the run or model that they belong to.
// Nothing here is ever changed or removed. It must not import a module.
package record

import (
	"bytes"
	"context"
	"encoding/json"

	"cosmossdk.io/collections"

	"github.com/mutirao/mutirao/protocol"
)

// Bounds on one page of List.
const (
	maxListed = 1000
	maxBytes  = 1 << 20
)

type key = collections.Triple[[]byte, string, string] // owner, kind, key

// Book is the records of one module.
type Book struct {
	entries collections.Map[key, []byte]
}

// NewBook makes the module's book under a prefix of its store.
func NewBook(b *collections.SchemaBuilder, prefix collections.Prefix) Book {
	codec := collections.TripleKeyCodec(collections.BytesKey, collections.StringKey, collections.StringKey)
	return Book{collections.NewMap(b, prefix, "records", codec, collections.BytesValue)}
}

// Keep returns the function that adds records to those of owner.
func (b Book) Keep(ctx context.Context, owner protocol.Hash) func(protocol.Recorded) error {
	return func(r protocol.Recorded) error {
		raw, err := json.Marshal(r)
		if err != nil {
			return err
		}
		return b.entries.Set(ctx, collections.Join3(owner[:], r.RecordKind(), r.RecordKey()), raw)
	}
}

// List calls each with the records of owner of one kind that come after a key, in the order of keys. It stops after about
// a thousand records or 1 MiB; the caller goes on after the last key.
func (b Book) List(ctx context.Context, owner protocol.Hash, kind, after string, each func(key string, raw []byte)) error {
	listed, size := 0, 0
	from := new(collections.Range[key]).StartExclusive(collections.Join3(owner[:], kind, after))
	return b.entries.Walk(ctx, from, func(k key, raw []byte) (stop bool, err error) {
		if !bytes.Equal(k.K1(), owner[:]) || k.K2() != kind {
			return true, nil
		}
		each(k.K3(), raw)
		listed++
		size += len(raw)
		return listed == maxListed || size >= maxBytes, nil
	})
}
