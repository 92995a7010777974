package sim

import (
	"context"
	"slices"

	"github.com/mutirao/mutirao/agent/provider"
	"github.com/mutirao/mutirao/agent/workshop"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/payload"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/work"
)

// drill is what makes a provider lie; nil for those that compute and send what they should.
func (m *machine) drill() provider.Drill {
	switch m.Lie {
	case None, Withhold, Partial:
		return nil
	case Copy:
		return provider.Copier{}
	}
	return &liar{machine: m}
}

// liar is a provider that tells one kind of lie in every round.
type liar struct {
	*machine
	shop *workshop.Workshop
}

// Before lets every computation begin at once.
func (l *liar) Before(context.Context, uint32) error { return nil }

// Payload alters the payload, for the lies that are told there.
func (l *liar) Payload(_ uint32, bytes []byte, layout []tensor.Named) ([]byte, error) {
	switch l.Lie {
	case Nudge:
		return provider.Nudge(bytes, layout)
	case Truncated:
		return bytes[:len(bytes)-1], nil
	case Scrambled:
		b := slices.Clone(bytes)
		b[firstExponent] = 127 // no scale is that large
		return b, nil
	case Huge:
		return enlarge(bytes, layout)
	}
	return bytes, nil
}

// firstExponent is where a payload's first block begins: behind the mark and the number of elements.
const firstExponent = 8

// enlarge multiplies a payload's values by 2^12.
func enlarge(bytes []byte, layout []tensor.Named) ([]byte, error) {
	tensors, err := payload.Decode(bytes, layout)
	if err != nil {
		return nil, err
	}
	for _, t := range tensors {
		for i := range t.Exponents {
			if block := t.Codes[i*payload.BlockSize : min((i+1)*payload.BlockSize, len(t.Codes))]; slices.Max(block) != 0 || slices.Min(block) != 0 {
				t.Exponents[i] += 12
			}
		}
	}
	return payload.Encode(tensors)
}

// Seal seals the result of another task, for the lies that are told there.
func (l *liar) Seal(s *work.State, unit uint32) (protocol.Hash, bool) {
	if !l.forges() {
		return protocol.Hash{}, false
	}
	result, ok := l.forge(s, unit)
	if !ok {
		return protocol.Hash{}, true // what it needs cannot be had now
	}
	return work.CommitSeal(s.ID, s.Round.Number, unit, s.Round.Units[unit].Shard, l.identity.Account, result, l.salt(s, unit)), true
}

// Opening opens what Seal sealed, or nothing.
func (l *liar) Opening(s *work.State, unit uint32) (work.Result, protocol.Hash, bool) {
	if l.Lie == Silent {
		return work.Result{}, protocol.Hash{}, true
	}
	if !l.forges() {
		return work.Result{}, protocol.Hash{}, false
	}
	result, _ := l.forge(s, unit)
	return result, l.salt(s, unit), true
}

func (l *liar) forges() bool { return l.Lie == WrongSeed || l.Lie == Stale }

func (l *liar) salt(s *work.State, unit uint32) protocol.Hash {
	return l.identity.Salt("forged", s.ID, s.Round.Number, unit)
}

// forge computes a unit from other public state than the ledger's.
func (l *liar) forge(s *work.State, unit uint32) (work.Result, bool) {
	ctx := context.Background()
	if l.shop == nil {
		shop, err := workshop.Open(ctx, l.ledger, l.machine, s)
		if err != nil {
			return work.Result{}, false
		}
		l.shop = shop
	}
	other := s.Clone()
	switch l.Lie {
	case Stale:
		other.Current = s.Spec.Initial
	case WrongSeed:
		other.Round.Units[unit].Shard[0] ^= 1
	}
	e, err := l.shop.Execute(ctx, other, unit)
	if err != nil {
		return work.Result{}, false
	}
	result, err := l.shop.Offer(ctx, e, e.Payload)
	return result, err == nil
}
