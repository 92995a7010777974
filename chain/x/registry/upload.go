package registry

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/registry"
)

const (
	// GasPerUploadedByte pays for finishing an upload: its chunks are read, hashed, decoded, compiled and written as one. Sending and
	// keeping each chunk was paid for by its own message.
	GasPerUploadedByte = 15
	// maxExpired bounds the uploads that one block drops; the others wait for the next.
	maxExpired = 20
)

// place is where a chunk is kept: id of the upload, index.
type place = collections.Pair[[]byte, uint64]

// Upload returns one upload that is open, without its bytes, after charging for the size of its stored form, or protocol.ErrNotFound.
func (k *Keeper) Upload(ctx context.Context, id protocol.Hash, charge escrow.Charge) (registry.Upload, error) {
	return load[registry.Upload](ctx, k.uploads, "upload", id, charge)
}

func (s msgServer) openUpload(ctx sdk.Context, m registry.OpenUpload, from protocol.Account) error {
	u, effects, err := registry.Open(m, from, escrow.Env(ctx))
	if err != nil {
		return err
	}
	switch open, err := s.uploads.Has(ctx, u.ID[:]); {
	case err != nil:
		return err
	case open:
		return fmt.Errorf("%w: upload %s", protocol.ErrExists, u.ID)
	}
	if err := errors.Join(put(ctx, s.uploads, u.ID, u), s.uploadEnds.Set(ctx, collections.Join(uint64(u.Until), u.ID[:]))); err != nil {
		return err
	}
	return s.escrow.Execute(ctx, effects, s.records.Keep(ctx, u.ID))
}

func (s msgServer) addChunk(metered sdk.Context, m registry.AddChunk, from protocol.Account) error {
	ctx := escrow.Unmetered(metered)
	u, err := s.Upload(ctx, m.Upload, escrow.ChargeState(metered))
	if err != nil {
		return err
	}
	if u, err = u.Add(m, from); err != nil {
		return err
	}
	if u.Complete() {
		metered.GasMeter().ConsumeGas(GasPerUploadedByte*u.Size, "model of the upload")
		escrow.ChargeShares(metered, 1)
		return s.finish(ctx, u, m, escrow.ChargeState(metered))
	}
	if err := s.chunks.Set(ctx, collections.Join(u.ID[:], uint64(m.Index)), m.Data); err != nil {
		return err
	}
	return put(ctx, s.uploads, u.ID, u)
}

// finish hosts registry.Finish: last has the bytes that the state does not.
func (s msgServer) finish(ctx sdk.Context, u registry.Upload, last registry.AddChunk, charge escrow.Charge) error {
	data := make([]byte, 0, u.Size)
	for i := range last.Index {
		chunk, err := s.chunks.Get(ctx, collections.Join(u.ID[:], uint64(i)))
		if err != nil {
			return err
		}
		data = append(data, chunk...)
	}
	data = append(data, last.Data...)
	model, held, effects, err := registry.Finish(u, data, func(id protocol.Hash) (*registry.Model, error) { return s.find(ctx, id, charge) }, escrow.Env(ctx))
	if err != nil {
		return err
	}
	if err := s.drop(ctx, u); err != nil {
		return err
	}
	if err := s.give(ctx, model.ID, held); err != nil {
		return err
	}
	if err := s.putArtifact(ctx, model.ID, data); err != nil {
		return err
	}
	return s.putModel(ctx, model, effects)
}

func (s msgServer) abortUpload(ctx sdk.Context, m registry.AbortUpload, from protocol.Account, charge escrow.Charge) error {
	u, err := s.Upload(ctx, m.Upload, charge)
	if err != nil {
		return err
	}
	effects, err := u.Abort(m, from)
	if err != nil {
		return err
	}
	if err := s.drop(ctx, u); err != nil {
		return err
	}
	return s.escrow.Execute(ctx, effects, s.records.Keep(ctx, u.ID))
}

// drop forgets an upload and its chunks.
func (k *Keeper) drop(ctx context.Context, u registry.Upload) error {
	for i := range uint64(registry.Chunks(u.Size)) {
		if err := k.chunks.Remove(ctx, collections.Join(u.ID[:], i)); err != nil {
			return err
		}
	}
	return errors.Join(k.uploads.Remove(ctx, u.ID[:]), k.uploadEnds.Remove(ctx, collections.Join(uint64(u.Until), u.ID[:])))
}

// expireUploads drops the uploads whose time is up. One whose deposit cannot be paid is tried again later.
func (k *Keeper) expireUploads(ctx sdk.Context) error {
	env := escrow.Env(ctx)
	var keys []due
	until := collections.NewPrefixUntilPairRange[uint64, []byte](uint64(env.Height))
	if err := k.uploadEnds.Walk(ctx, until, func(key due) (bool, error) {
		keys = append(keys, key)
		return len(keys) == maxExpired, nil
	}); err != nil {
		return err
	}
	for _, key := range keys {
		if err := k.uploadEnds.Remove(ctx, key); err != nil {
			return err
		}
		id := protocol.Hash(key.K2())
		err := escrow.Isolated(ctx, func(branch sdk.Context) error { return k.expireUpload(branch, id, env) })
		if err == nil {
			continue
		}
		ctx.Logger().Error("upload cannot expire", "module", ModuleName, "upload", id.String(), "err", err)
		if err := k.uploadEnds.Set(ctx, collections.Join(uint64(env.Height)+retryBlocks, id[:])); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) expireUpload(ctx sdk.Context, id protocol.Hash, env protocol.Env) error {
	u, err := k.Upload(ctx, id, escrow.Free)
	if errors.Is(err, protocol.ErrNotFound) {
		return nil // its owner was faster, after a fault
	}
	if err != nil {
		return err
	}
	effects, over := u.Expire(env)
	if !over {
		return nil // it was opened anew: a later entry stands for it
	}
	if err := k.drop(ctx, u); err != nil {
		return err
	}
	return k.escrow.Execute(ctx, effects, k.records.Keep(ctx, id))
}
