package registry

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/verify/trace"
)

// Bounds of models that are too large for one message. Rule: spec/registry.md §7.
const (
	// MaxUpload bounds a deposited model. The gas for finishing the largest, 31 million, fits into a block beside its
	// last chunk. It holds 500,000 weights in float32 and 2 million in int8.
	MaxUpload    = 2 << 20   // bytes
	BytesPerPart = 128       // at least, of a model of MaxArtifact or more; a smaller one has as many parts as that: gas by the byte pays for weights, not for a mesh of tiny nodes
	ChunkBytes   = 128 << 10 // of every chunk but the last, which has the rest
	UploadBlocks = 10_000    // for which an upload stays open: about three hours of blocks of a second
)

const domainUpload = "mutirao/registry/upload"

// OpenUpload announces a callable model that comes in chunks and locks its whole deposit. Rule: spec/registry.md §7.
type OpenUpload struct {
	Name    string        `json:"name"`
	Content protocol.Hash `json:"content"` // trace.PayloadRoot of the artifact
	Size    uint64        `json:"size"`    // bytes
}

// AddChunk adds the next bytes to an upload. The last ones deposit the model. Rule: spec/registry.md §7.
type AddChunk struct {
	Upload protocol.Hash `json:"upload"`
	Index  uint32        `json:"index"` // from 0, without a gap
	Data   []byte        `json:"data"`
}

// AbortUpload drops an upload of the sender and returns its deposit. Rule: spec/registry.md §7.
type AbortUpload struct {
	Upload protocol.Hash `json:"upload"`
}

// Upload is a model of which some chunks may still be missing. The host keeps the chunks.
type Upload struct {
	ID       protocol.Hash    `json:"id"`
	Owner    protocol.Account `json:"owner"`
	Name     string           `json:"name"`
	Content  protocol.Hash    `json:"content"`
	Size     uint64           `json:"size"`     // bytes
	Received uint64           `json:"received"` // bytes
	Deposit  money.Amount     `json:"deposit"`
	Until    protocol.Height  `json:"until"` // the block that drops it
}

// Kind is "registry/open-upload".
func (OpenUpload) Kind() string { return "registry/open-upload" }

// Kind is "registry/add-chunk".
func (AddChunk) Kind() string { return "registry/add-chunk" }

// Kind is "registry/abort-upload".
func (AbortUpload) Kind() string { return "registry/abort-upload" }

// Check validates the name and the size.
func (m OpenUpload) Check() error {
	if m.Size == 0 || m.Size > MaxUpload {
		return fmt.Errorf("%w: artifact of %d bytes, allowed are 1 to %d", protocol.ErrTooLarge, m.Size, MaxUpload)
	}
	if m.Content.IsZero() {
		return fmt.Errorf("%w: the content address is missing", protocol.ErrInvalid)
	}
	return protocol.CheckText("name", m.Name, 1, MaxName)
}

// Check validates the size of the chunk; its place is looked up.
func (m AddChunk) Check() error {
	if len(m.Data) == 0 || len(m.Data) > ChunkBytes {
		return fmt.Errorf("%w: chunk of %d bytes, allowed are 1 to %d", protocol.ErrTooLarge, len(m.Data), ChunkBytes)
	}
	return nil
}

// Check has nothing to validate: the upload is looked up.
func (AbortUpload) Check() error { return nil }

// UploadID names the upload of a content by an account, of which one at most is open.
func UploadID(owner protocol.Account, content protocol.Hash) protocol.Hash {
	return new(protocol.Preimage).Account(owner).Hash(content).Digest(domainUpload)
}

// Chunks is how many chunks an artifact of size bytes has.
func Chunks(size uint64) uint32 { return uint32((size + ChunkBytes - 1) / ChunkBytes) }

// Complete reports whether no chunk is missing.
func (u Upload) Complete() bool { return u.Received == u.Size }

// Next is the index of the chunk that comes next, and its length.
func (u Upload) Next() (index uint32, length int) {
	return uint32(u.Received / ChunkBytes), int(min(ChunkBytes, u.Size-u.Received))
}

// Open makes an upload and locks its deposit. The host refuses an id that is open. Errors: those of Check. Rule: spec/registry.md §7.
func Open(m OpenUpload, from protocol.Account, env protocol.Env) (Upload, []protocol.Effect, error) {
	if err := m.Check(); err != nil {
		return Upload{}, nil, err
	}
	if from.IsZero() {
		return Upload{}, nil, fmt.Errorf("%w: the sender is missing", protocol.ErrInvalid)
	}
	u := Upload{
		ID: UploadID(from, m.Content), Owner: from, Name: m.Name, Content: m.Content, Size: m.Size,
		Deposit: DepositPerByte.Times(m.Size), Until: env.Height + UploadBlocks,
	}
	return u, []protocol.Effect{
		protocol.Lock{From: from, Amount: u.Deposit},
		event("upload-opened", "upload", u.ID.String(), "owner", from.String(), "deposit", u.Deposit.String()),
	}, nil
}

// Add takes the next chunk, and no other. The host appends m.Data, and calls Finish if the upload is complete then. Errors: ErrInvalid for
// a chunk of another place or length, and for a sender who is not the owner. Rule: spec/registry.md §7.
func (u Upload) Add(m AddChunk, from protocol.Account) (Upload, error) {
	if err := u.owned(m.Upload, from); err != nil {
		return Upload{}, err
	}
	index, length := u.Next()
	if m.Index != index || len(m.Data) != length {
		return Upload{}, fmt.Errorf("%w: chunk %d of %d bytes, the next is chunk %d of %d bytes", protocol.ErrInvalid, m.Index, len(m.Data), index, length)
	}
	u.Received += uint64(length)
	return u, nil
}

func (u Upload) owned(id protocol.Hash, from protocol.Account) error {
	if u.ID != id || u.Owner != from {
		return fmt.Errorf("%w: upload %s is %s's", protocol.ErrInvalid, u.ID, u.Owner)
	}
	return nil
}

// open compares the bytes with the content address before it reads them.
func (u Upload) open(data []byte) (artifact, error) {
	if root := trace.PayloadRoot(data); uint64(len(data)) != u.Size || root != u.Content {
		return artifact{}, fmt.Errorf("%w: %d bytes with the content address %s, announced were %d with %s", protocol.ErrArtifact, len(data), root, u.Size, u.Content)
	}
	return openArtifact(data, nil)
}

// Finish deposits the model of a complete upload, as Deposit does, for the deposit that was locked when it was opened. lookup returns the
// model with an id, nil if there is none. The host keeps data for calls and drops the upload. Errors: ErrArtifact for bytes of another
// content address, and those of Deposit. Rule: spec/registry.md §7.
func Finish(u Upload, data []byte, lookup func(protocol.Hash) (*Model, error), env protocol.Env) (Model, []Holding, []protocol.Effect, error) {
	fail := func(err error) (Model, []Holding, []protocol.Effect, error) { return Model{}, nil, nil, err }
	a, err := u.open(data)
	if err != nil {
		return fail(err)
	}
	known, err := lookup(depositID(a, u.Owner))
	if err != nil {
		return fail(err)
	}
	model, held, err := accept(a, u.Name, u.Deposit, known, u.Owner, env)
	if err != nil {
		return fail(err)
	}
	return model, held, []protocol.Effect{
		event("upload-finished", "upload", u.ID.String(), "model", model.ID.String(), "author", u.Owner.String()),
	}, nil
}

// Abort returns the deposit. The host drops the upload and its chunks. The error is ErrInvalid for a sender who is not the owner.
// Rule: spec/registry.md §7.
func (u Upload) Abort(m AbortUpload, from protocol.Account) ([]protocol.Effect, error) {
	if err := u.owned(m.Upload, from); err != nil {
		return nil, err
	}
	return u.refund("upload-aborted"), nil
}

// Expire returns the deposit when the time is up. The host drops the upload and its chunks then. Rule: spec/registry.md §7.
func (u Upload) Expire(env protocol.Env) (effects []protocol.Effect, over bool) {
	if env.Height < u.Until {
		return nil, false
	}
	return u.refund("upload-expired"), true
}

func (u Upload) refund(kind string) []protocol.Effect {
	return []protocol.Effect{
		protocol.Pay{To: u.Owner, Amount: u.Deposit},
		event(kind, "upload", u.ID.String(), "owner", u.Owner.String(), "deposit", u.Deposit.String()),
	}
}
