package books

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/merkle"
)

func hash(parts ...any) protocol.Hash { return merkle.Leaf([]byte(fmt.Sprint(parts...))) }

const (
	runsAtOnce    = 2
	ownersPerTurn = 30 // messages about models in each block
)

// Block makes one block of traffic: everybody in a run does what is due, owners and users of models do what they like.
func (s *Simulation) Block() error {
	for len(s.runs) < runsAtOnce {
		if err := s.startRun(); err != nil {
			return err
		}
	}
	going := s.runs[:0]
	for _, p := range s.runs {
		ended, err := p.play()
		if err != nil {
			return err
		}
		if !ended {
			going = append(going, p)
			continue
		}
		s.publish(p.id)
	}
	s.runs = going
	if len(s.models) > 0 {
		for range ownersPerTurn {
			s.own()
		}
	}
	s.trade()
	return s.Close()
}

// startRun makes a run with terms drawn at random, so that nothing divides evenly.
func (s *Simulation) startRun() error {
	spec := work.DefaultSpec()
	s.nonce++
	ref := work.StateRef{Model: hash("m", s.nonce), Outer: hash("o", s.nonce), Blob: hash("b", s.nonce)}
	spec.Name, spec.Dataset, spec.Program, spec.InferenceProgram = "run", s.data[s.random.IntN(len(s.data))], hash("p"), hash("i")
	spec.Params, spec.Initial, spec.Seed = []string{"w"}, ref, hash("seed", s.nonce)
	spec.Rounds, spec.Steps, spec.MaxUnits, spec.MinProviders, spec.MinVerifiers = 1+s.random.Uint32N(6), 1, 2+s.random.Uint32N(5), 2, 4
	spec.LeastVerifiers = 2
	spec.Price.PerUnit = money.New(1 + s.random.Uint64N(1<<60))
	spec.ProviderBond, spec.VerifierBond = money.New(1+s.random.Uint64N(1<<61)), money.New(1+s.random.Uint64N(1<<61))
	spec.Split.Provider = 8000 + s.random.Uint32N(1000)
	spec.Split.Verifiers = 700 + s.random.Uint32N(200)
	spec.Split.Burn = 10_000 - spec.Split.Provider - spec.Split.Verifiers
	spec.Windows = work.Windows{Compute: 2, Reveal: 2, AuditCommit: 2, AuditReveal: 2, Dispute: 2, Aggregate: 2, Wait: 6, Challenge: s.random.Uint32N(6), Contest: s.random.Uint32N(4)}
	spec.Vesting.Rounds = s.random.Uint32N(4)
	spec.Parents = s.ancestors()
	if s.chance(50) && market.Floor(spec.Price.PerUnit) > 0 {
		spec.Market = &work.Market{Class: runClass}
	}
	author := s.person()
	create := work.CreateRun{Spec: spec, Nonce: s.nonce}
	if err := s.submit(author, create); err != nil {
		return fmt.Errorf("create a run: %w", err)
	}
	p := &performance{Simulation: s, id: work.RunID(author, create), how: map[protocol.Account]string{}}
	s.runs = append(s.runs, p)
	return p.hire(author, 3+s.random.IntN(4), 4+s.random.IntN(2))
}

// ancestors names up to three models with parts that sum to a whole.
func (s *Simulation) ancestors() []work.Parent {
	n := min(s.random.IntN(4), len(s.models))
	var list []work.Parent
	left := uint32(work.PPM)
	for i, at := range s.random.Perm(len(s.models))[:n] {
		part := left
		if i < n-1 {
			part = 1 + s.random.Uint32N(left/2)
		}
		left -= part
		list = append(list, work.Parent{Model: s.models[at], PPM: part})
	}
	return list
}

// publish registers the model of a run that ended, if it has one.
func (s *Simulation) publish(run protocol.Hash) {
	state, err := s.Ledger.Run(run)
	if err != nil || s.submit(s.person(), registry.PublishModel{Run: run}) != nil {
		return // stopped without a result
	}
	s.models = append(s.models, registry.ModelID(state.Spec.InferenceProgram, state.Current.Model, run))
}

// own sends one message about a model. Some are refused: a stranger's transfer, a claim of nothing.
func (s *Simulation) own() {
	id := s.models[s.random.IntN(len(s.models))]
	holders := s.Ledger.Holdings(id)
	holder := holders[s.random.IntN(len(holders))].Holder
	switch n := s.random.IntN(100); {
	case n < 10:
		s.channel(id)
	case n < 25:
		s.redeem()
	case n < 60:
		s.submit(s.person(), registry.Use{Model: id, Fee: money.New(1 + s.random.Uint64N(1<<55))})
	case n < 75:
		s.submit(holder, registry.TransferShares{Model: id, To: s.person(), PPM: 1 + s.random.Uint32N(200_000)})
	case n < 90:
		s.submit(s.person(), registry.ClaimDividend{Model: id, Holder: holder})
	default:
		s.submit(s.person(), registry.DivideIncome{Model: id})
	}
}
