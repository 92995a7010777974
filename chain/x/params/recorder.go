package params

import (
	"encoding/hex"
	"slices"
	"strings"

	"github.com/cosmos/cosmos-sdk/store/v2/cachekv"
	"github.com/cosmos/cosmos-sdk/store/v2/cachemulti"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
)

// recorder is a branch of the state that notes what is written into it, also from branches of its own.
type recorder struct {
	storetypes.MultiStore
	writes map[string]*Write // by module and key
}

// GetKVStore notes writes to the store of a module.
func (r *recorder) GetKVStore(key storetypes.StoreKey) storetypes.KVStore {
	return recorded{r.MultiStore.GetKVStore(key), r, key.Name()}
}

// GetStore is GetKVStore for stores of values.
func (r *recorder) GetStore(key storetypes.StoreKey) storetypes.Store {
	if s, ok := r.MultiStore.GetStore(key).(storetypes.KVStore); ok {
		return recorded{s, r, key.Name()}
	}
	return r.MultiStore.GetStore(key)
}

// CacheMultiStore branches so that what is written there comes through r.
func (r *recorder) CacheMultiStore() storetypes.CacheMultiStore {
	return cachemulti.NewFromParent(func(key storetypes.StoreKey) storetypes.CacheWrapper { return r.GetStore(key) })
}

// CacheWrap is CacheMultiStore.
func (r *recorder) CacheWrap() storetypes.CacheWrap {
	return r.CacheMultiStore().(storetypes.CacheWrap)
}

func (r *recorder) note(module string, key, before, after []byte) {
	id := module + "/" + string(key)
	w, known := r.writes[id]
	if !known {
		if len(r.writes) == maxWrites {
			return
		}
		w = &Write{Module: module, Key: hex.EncodeToString(key), Before: show(before)}
		r.writes[id] = w
	}
	w.After = show(after)
}

// list is what differs in the end, by module and key.
func (r *recorder) list() []Write {
	var out []Write
	for _, w := range r.writes {
		if w.Before != w.After {
			out = append(out, *w)
		}
	}
	slices.SortFunc(out, func(a, b Write) int { return strings.Compare(a.Module+"/"+a.Key, b.Module+"/"+b.Key) })
	return out
}

// recorded is the store of one module.
type recorded struct {
	storetypes.KVStore
	to     *recorder
	module string
}

// Set writes and notes.
func (s recorded) Set(key, value []byte) {
	s.to.note(s.module, key, s.KVStore.Get(key), value)
	s.KVStore.Set(key, value)
}

// Delete removes and notes.
func (s recorded) Delete(key []byte) {
	s.to.note(s.module, key, s.KVStore.Get(key), nil)
	s.KVStore.Delete(key)
}

// CacheWrap branches the store.
func (s recorded) CacheWrap() storetypes.CacheWrap { return cachekv.NewStore(s) }
