package audit

import "math/big"

// upload is the deposit of a model that comes in chunks, until it is whole. Rule: spec/registry.md §7.
type upload struct {
	owner   Account
	deposit *big.Int
}

// openUpload locks what all bytes of a model cost before the first of them comes.
func (b *Books) openUpload(owner Account, bytes int64) {
	e, ok := b.take("registry.upload-opened", "owner", owner.String())
	var id Hash
	if !ok || id.UnmarshalText([]byte(e.Attributes["upload"])) != nil || b.uploads[id] != nil || bytes <= 0 {
		b.find("upload of "+owner.String(), "announced, once", "not announced, or open already")
		return
	}
	u := &upload{owner, depositFor(bytes)}
	b.uploads[id] = u
	b.because("upload %.8s is for %d bytes, at %s each", id, bytes, big.NewInt(depositPerByte))
	b.move(owner, b.genesis.Registry, u.deposit, "deposit of a model")
}

// finishUpload makes the deposit of an upload that of its model, if a chunk was its last. Coins do not move.
func (b *Books) finishUpload(id Hash, from Account) {
	u := b.uploads[id]
	if u == nil || u.owner != from {
		b.find("chunk of upload "+id.String(), "of an own upload that is open", "of "+from.String())
		return
	}
	e, ok := b.take("registry.upload-finished", "upload", id.String())
	if !ok {
		return // others follow
	}
	var model Hash
	if model.UnmarshalText([]byte(e.Attributes["model"])) != nil {
		b.find("upload "+id.String(), "of a model", e.Attributes["model"])
		return
	}
	if b.deposited(model, u.owner, u.deposit) {
		delete(b.uploads, id)
	}
}

// endUpload returns the deposit of an upload that its owner aborts.
func (b *Books) endUpload(id Hash, owner Account) {
	u := b.uploads[id]
	if u == nil || u.owner != owner {
		b.find("end of upload "+id.String(), "of an own upload that is open", "of "+owner.String())
		return
	}
	b.move(b.genesis.Registry, owner, u.deposit, "deposit of a model")
	delete(b.uploads, id)
}

// uploadExpired returns it because the time was up.
func (b *Books) uploadExpired(e Event) {
	var id Hash
	if id.UnmarshalText([]byte(e.Attributes["upload"])) != nil || b.uploads[id] == nil {
		b.find("event "+e.Kind, "of an open upload", e.Attributes["upload"])
		return
	}
	b.because("upload %.8s was not finished in time", id)
	b.endUpload(id, b.uploads[id].owner)
}
