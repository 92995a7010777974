package dev

import (
	"bytes"
	"errors"
	"strconv"
	"sync"

	dbm "github.com/cosmos/cosmos-db"
	"github.com/tidwall/btree"
)

// memory is the app's database: an ordered map whose copies share what they have in common, so that a snapshot of the whole
// chain costs nothing and going back to one costs as little. It is safe for concurrent use.
type memory struct {
	mu   sync.RWMutex
	tree *btree.BTreeG[entry]
}

type entry struct{ key, value []byte }

var (
	errEmptyKey = errors.New("key is empty")
	errNilValue = errors.New("value is nil")
	errWritten  = errors.New("batch was written or closed")
)

func newTree() *btree.BTreeG[entry] {
	return btree.NewBTreeGOptions(func(a, b entry) bool { return bytes.Compare(a.key, b.key) < 0 }, btree.Options{NoLocks: true})
}

func newMemory() *memory { return &memory{tree: newTree()} }

// snapshot returns the contents as they are now.
func (m *memory) snapshot() *btree.BTreeG[entry] {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tree.Copy()
}

// restore goes back to the contents of a snapshot, which can be used again.
func (m *memory) restore(to *btree.BTreeG[entry]) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tree = to.Copy()
}

func (m *memory) Get(key []byte) ([]byte, error) {
	if len(key) == 0 {
		return nil, errEmptyKey
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	e, _ := m.tree.Get(entry{key: key})
	return e.value, nil
}

func (m *memory) Has(key []byte) (bool, error) {
	value, err := m.Get(key)
	return value != nil, err
}

func (m *memory) Set(key, value []byte) error { return m.apply([]change{{entry{key, value}, false}}) }

func (m *memory) SetSync(key, value []byte) error { return m.Set(key, value) }

func (m *memory) Delete(key []byte) error { return m.apply([]change{{entry{key: key}, true}}) }

func (m *memory) DeleteSync(key []byte) error { return m.Delete(key) }

// change is one write of a batch.
type change struct {
	entry
	remove bool
}

func (c change) check() error {
	switch {
	case len(c.key) == 0:
		return errEmptyKey
	case c.value == nil && !c.remove:
		return errNilValue
	}
	return nil
}

func (m *memory) apply(list []change) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range list {
		if err := c.check(); err != nil {
			return err
		}
		if c.remove {
			m.tree.Delete(c.entry)
			continue
		}
		m.tree.Set(entry{bytes.Clone(c.key), bytes.Clone(c.value)})
	}
	return nil
}

func (m *memory) Iterator(start, end []byte) (dbm.Iterator, error) {
	return m.iterate(start, end, false)
}

func (m *memory) ReverseIterator(start, end []byte) (dbm.Iterator, error) {
	return m.iterate(start, end, true)
}

func (m *memory) Close() error { return nil }

func (m *memory) NewBatch() dbm.Batch { return &batch{to: m} }

func (m *memory) NewBatchWithSize(int) dbm.Batch { return m.NewBatch() }

func (m *memory) Print() error { return nil }

func (m *memory) Stats() map[string]string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return map[string]string{"entries": strconv.Itoa(m.tree.Len())}
}

// iterate walks over a copy: writes go on meanwhile and are not seen.
func (m *memory) iterate(start, end []byte, reverse bool) (dbm.Iterator, error) {
	if (start != nil && len(start) == 0) || (end != nil && len(end) == 0) {
		return nil, errEmptyKey
	}
	i := &iterator{iter: m.snapshot().Iter(), start: start, end: end, reverse: reverse}
	switch {
	case !reverse && start == nil:
		i.valid = i.iter.First()
	case !reverse:
		i.valid = i.iter.Seek(entry{key: start})
	case end == nil || !i.iter.Seek(entry{key: end}):
		i.valid = i.iter.Last()
	default:
		i.valid = i.iter.Prev() // Seek found end or what follows it
	}
	i.bound()
	return i, nil
}

type iterator struct {
	iter       btree.IterG[entry]
	start, end []byte
	reverse    bool
	valid      bool
}

// bound ends the walk outside of [start, end).
func (i *iterator) bound() {
	switch {
	case !i.valid:
	case i.reverse:
		i.valid = i.start == nil || bytes.Compare(i.iter.Item().key, i.start) >= 0
	default:
		i.valid = i.end == nil || bytes.Compare(i.iter.Item().key, i.end) < 0
	}
}

func (i *iterator) Domain() (start, end []byte) { return i.start, i.end }

func (i *iterator) Valid() bool { return i.valid }

func (i *iterator) Next() {
	i.check()
	if i.reverse {
		i.valid = i.iter.Prev()
	} else {
		i.valid = i.iter.Next()
	}
	i.bound()
}

func (i *iterator) Key() []byte {
	i.check()
	return i.iter.Item().key
}

func (i *iterator) Value() []byte {
	i.check()
	return i.iter.Item().value
}

func (i *iterator) check() {
	if !i.valid {
		panic("dev: iterator is at its end")
	}
}

func (i *iterator) Error() error { return nil }

func (i *iterator) Close() error {
	i.valid = false
	i.iter.Release()
	return nil
}

// batch is writes that happen at once.
type batch struct {
	to   *memory // nil once written or closed
	list []change
	size int
}

func (b *batch) Set(key, value []byte) error { return b.add(change{entry{key, value}, false}) }

func (b *batch) Delete(key []byte) error { return b.add(change{entry{key: key}, true}) }

func (b *batch) add(c change) error {
	if b.to == nil {
		return errWritten
	}
	if err := c.check(); err != nil {
		return err
	}
	b.list = append(b.list, c)
	b.size += len(c.key) + len(c.value)
	return nil
}

func (b *batch) Write() error {
	if b.to == nil {
		return errWritten
	}
	err := b.to.apply(b.list)
	b.to, b.list = nil, nil
	return err
}

func (b *batch) WriteSync() error { return b.Write() }

func (b *batch) Close() error {
	b.to, b.list = nil, nil
	return nil
}

func (b *batch) GetByteSize() (int, error) {
	if b.to == nil {
		return 0, errWritten
	}
	return b.size, nil
}
