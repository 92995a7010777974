package modelscmd

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/verify/trace"
)

// put deposits a model in one message if it fits into one, else in chunks. progress is for people.
func put(ctx context.Context, c *client.Client, id protocol.Hash, name string, raw []byte, progress io.Writer) error {
	if len(raw) <= registry.MaxArtifact {
		return c.Submit(ctx, registry.DepositModel{Name: name, Artifact: raw})
	}
	switch known, err := c.Model(ctx, id); {
	case err == nil && known.Callable != nil: // before any chunk is paid for
		return fmt.Errorf("%w: model %s", protocol.ErrExists, id)
	case err != nil && !errors.Is(err, protocol.ErrNotFound):
		return err
	}
	u, err := opened(ctx, c, name, raw, progress)
	if err != nil {
		return err
	}
	for !u.Complete() {
		index, length := u.Next()
		chunk := registry.AddChunk{Upload: u.ID, Index: index, Data: raw[u.Received:][:length]}
		if u, err = u.Add(chunk, c.Account()); err != nil {
			return err
		}
		if err := c.Submit(ctx, chunk); err != nil {
			return fmt.Errorf("chunk %d of %d of upload %s: %w", index+1, registry.Chunks(u.Size), u.ID, err)
		}
		fmt.Fprintf(progress, "chunk %d of %d is on the ledger\n", index+1, registry.Chunks(u.Size))
	}
	return nil
}

// opened is the upload of raw: the one that was interrupted, or a new one.
func opened(ctx context.Context, c *client.Client, name string, raw []byte, progress io.Writer) (registry.Upload, error) {
	content := trace.PayloadRoot(raw)
	id := registry.UploadID(c.Account(), content)
	u, err := c.Upload(ctx, id)
	if err == nil {
		fmt.Fprintf(progress, "upload %s goes on after %d of %d bytes\n", id, u.Received, u.Size)
		return u, nil
	}
	if !errors.Is(err, protocol.ErrNotFound) {
		return u, err
	}
	fmt.Fprintf(progress, "upload %s of %d bytes in %d chunks\n", id, len(raw), registry.Chunks(uint64(len(raw))))
	if err := c.Submit(ctx, registry.OpenUpload{Name: name, Content: content, Size: uint64(len(raw))}); err != nil {
		return u, err
	}
	return c.Upload(ctx, id)
}

// withdraw takes off what has that id: a deposited model, or an upload that is not complete.
func withdraw(ctx context.Context, c *client.Client, id protocol.Hash) error {
	switch _, err := c.Upload(ctx, id); {
	case err == nil:
		return c.Submit(ctx, registry.AbortUpload{Upload: id})
	case !errors.Is(err, protocol.ErrNotFound):
		return err
	}
	return c.Submit(ctx, registry.WithdrawModel{Model: id})
}
