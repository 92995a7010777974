package ledgertest

import (
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/work"
)

// parents looks up the models that a run names.
func (l *Ledger) parents(named []work.Parent) ([]registry.Model, error) {
	var list []registry.Model
	for _, p := range named {
		i := l.model(p.Model)
		if i < 0 {
			return nil, fmt.Errorf("%w: model %s", protocol.ErrNotFound, p.Model)
		}
		list = append(list, l.models[i])
	}
	return list, nil
}

// flow divides a model's income and returns the model's index.
func (l *Ledger) flow(id protocol.Hash) (int, error) {
	at := l.model(id)
	if at < 0 {
		return 0, fmt.Errorf("%w: model %s", protocol.ErrNotFound, id)
	}
	var parents []registry.Model
	for _, p := range l.models[at].Parents {
		parents = append(parents, l.models[l.model(p.Model)])
	}
	m, parents, err := registry.Flow(l.models[at], parents)
	if err != nil {
		return 0, err
	}
	l.models[at] = m
	for _, p := range parents {
		l.models[l.model(p.ID)] = p
	}
	return at, nil
}

func (l *Ledger) claim(m registry.ClaimDividend) error {
	at, err := l.flow(m.Model)
	if err != nil {
		return err
	}
	i := l.holding(m.Model, m.Holder)
	if i < 0 {
		return fmt.Errorf("%w: %s holds nothing of model %s", protocol.ErrNotFound, m.Holder, m.Model)
	}
	model, h, effects, err := registry.Claim(l.models[at], l.holdings[i], l.env())
	if err != nil {
		return err
	}
	l.models[at], l.holdings[i] = model, h
	return l.execute(effects)
}

func (l *Ledger) transfer(m registry.TransferShares, from protocol.Account) error {
	at, err := l.flow(m.Model)
	if err != nil {
		return err
	}
	i, j := l.holding(m.Model, from), l.holding(m.Model, m.To)
	if i < 0 {
		return fmt.Errorf("%w: %s holds nothing of model %s", protocol.ErrNotFound, from, m.Model)
	}
	var known *registry.Holding
	if j >= 0 {
		known = &l.holdings[j]
	}
	sender, receiver, effects, err := registry.Transfer(m, l.models[at], l.holdings[i], known)
	if err != nil {
		return err
	}
	l.faults.transfer(&sender, &receiver)
	l.holdings[i] = sender
	if j >= 0 {
		l.holdings[j] = receiver
	} else {
		l.holdings = append(l.holdings, receiver)
	}
	return l.execute(effects)
}

func (l *Ledger) holding(model protocol.Hash, holder protocol.Account) int {
	return slices.IndexFunc(l.holdings, func(h registry.Holding) bool { return h.Model == model && h.Holder == holder })
}

// Holdings lists what everybody holds of a model.
func (l *Ledger) Holdings(model protocol.Hash) []registry.Holding {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []registry.Holding
	for _, h := range l.holdings {
		if h.Model == model {
			list = append(list, h)
		}
	}
	return list
}
