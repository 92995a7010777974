package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/mutirao/mutirao/learn/recipe"
	"github.com/mutirao/mutirao/learn/round"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/work"
)

// report is the whole demo for machines: one object.
type report struct {
	Schema    string          `json:"schema"` // "mutirao.demo/v1"
	Run       string          `json:"run"`
	Seed      uint64          `json:"seed"`
	Kernel    string          `json:"kernel"` // implementation of the arithmetic; the bits do not depend on it
	Rounds    []roundRow      `json:"rounds"`
	Result    result          `json:"result"`
	ModelRoot string          `json:"model_root"`
	ModelID   string          `json:"model_id"`
	Lineage   lineage         `json:"lineage"`
	Payments  payments        `json:"payments"`
	Disputes  []disputeRow    `json:"disputes"`
	Contract  *contractReport `json:"contract,omitempty"` // tables only: contracts call rows of numbers
	Sample    string          `json:"sample,omitempty"`   // texts only
	Claims    []claim         `json:"claims"`
	Seconds   float64         `json:"seconds"`
}

// result compares the run with one machine that trains the same recipe on all data.
type result struct {
	FirstLoss   float32 `json:"first_loss"` // of the weights before training
	Loss        float32 `json:"loss"`
	Accuracy    float32 `json:"accuracy"`
	AUC         float32 `json:"auc,omitempty"`
	Centralised struct {
		Loss     float32 `json:"loss"`
		Accuracy float32 `json:"accuracy"`
		AUC      float32 `json:"auc,omitempty"`
	} `json:"centralised"`
	words, centralWords string
}

type lineage struct {
	Dataset string `json:"dataset"`
	Run     string `json:"run"`
	Model   string `json:"model"`
	Kind    string `json:"kind"`
	Holders int    `json:"holders"`
}

// payments is where the run's budget and the bonds went, in amut.
type payments struct {
	Budget    money.Amount `json:"budget"`
	Providers []earning    `json:"providers"`
	Verifiers []earning    `json:"verifiers"`
	Burned    money.Amount `json:"burned"` // of prices, slashed bonds and the pay that was kept back with them
	Refunded  money.Amount `json:"refunded"`
	Slashed   money.Amount `json:"slashed"`
	Receipts  int          `json:"receipts"`
	Exact     bool         `json:"exact"` // budget and bonds = paid + burned + refunded + returned
}

type earning struct {
	Name    string       `json:"name"`
	Earned  money.Amount `json:"earned"`
	Bounty  money.Amount `json:"bounty"`
	Slashed money.Amount `json:"slashed"`
	Units   uint32       `json:"units"`
}

// report finishes the story: it publishes the model, asks the contract, compares and checks.
func (s *show) report(ctx context.Context) (*report, error) {
	s.say("run finished · publishing the model")
	model, err := s.publish(ctx)
	if err != nil {
		return nil, err
	}
	r := &report{Schema: "mutirao.demo/v1", Run: s.Run, Seed: s.Seed, Kernel: kernelName(), Rounds: s.rows,
		ModelRoot: s.final.Current.Model.String(), ModelID: model.ID.String(),
		Lineage: lineage{Dataset: model.Dataset.String(), Run: model.Run.String(), Model: model.ID.String(), Kind: string(model.Lineage), Holders: holders(model)}}
	public, err := s.trainer.State(ctx, s.final.Current)
	if err != nil {
		return nil, err
	}
	if s.recipe.Data.Kind == recipe.Table {
		s.say("asking the contract about %d held-out patients", patients)
		if r.Contract, err = s.callContract(ctx, model); err != nil {
			return nil, failure.New(failure.General, "the contract could not be called", err, "mutirao demo --keep, then try it by hand")
		}
	} else {
		text, err := s.round.Sample(public.Theta, []byte(samplePrompt), sampleBytes, round.Sampler{Temperature: 0.7, Seed: s.Seed})
		if err != nil {
			return nil, err
		}
		r.Sample = samplePrompt + string(text)
	}
	if err := s.compare(ctx, r); err != nil {
		return nil, err
	}
	receipts, err := s.machine.Client.Receipts(ctx, s.run)
	if err != nil {
		return nil, err
	}
	r.Payments = s.sum(receipts)
	if err := s.hearRulings(ctx); err != nil {
		return nil, err
	}
	r.Disputes = s.disputes
	if r.Claims, err = s.claims(ctx, r, model, receipts); err != nil {
		return nil, err
	}
	r.Seconds = time.Since(s.began).Seconds()
	return r, nil
}

// What a language model is asked to continue.
const (
	samplePrompt = "func "
	sampleBytes  = 240
)

func (s *show) publish(ctx context.Context) (registry.Model, error) {
	id, err := s.trainer.Publish(ctx, s.final)
	if err != nil {
		return registry.Model{}, failure.New(failure.General, "the model could not be published", err, "mutirao demo --keep --dir D, and again with the same D")
	}
	return s.machine.Client.Model(ctx, id)
}

// holders counts the accounts that hold shares.
func holders(m registry.Model) int {
	list := map[protocol.Account]bool{}
	for _, share := range m.Shares {
		list[share.Holder] = true
	}
	return len(list)
}

// compare measures the model and trains the baseline.
func (s *show) compare(ctx context.Context, r *report) error {
	s.say("training the same recipe on one machine, for comparison")
	theta, err := s.round.Centralised(ctx, s.recipe.Train.Rounds, nil)
	if err != nil {
		return err
	}
	central, err := s.round.Evaluate(theta)
	if err != nil {
		return err
	}
	public, err := s.trainer.State(ctx, s.final.Current)
	if err != nil {
		return err
	}
	m, err := s.round.Evaluate(public.Theta)
	if err != nil {
		return err
	}
	initial, err := s.round.Initial()
	if err != nil {
		return err
	}
	first, err := s.round.Evaluate(initial.Theta)
	if err != nil {
		return err
	}
	text := s.recipe.Data.Kind == recipe.Text
	r.Result = result{FirstLoss: first.Loss, Loss: m.Loss, Accuracy: m.Accuracy, AUC: m.AUC, words: metricWords(m, text), centralWords: metricWords(central, text)}
	c := &r.Result.Centralised
	c.Loss, c.Accuracy, c.AUC = central.Loss, central.Accuracy, central.AUC
	return nil
}

// sum adds up the receipts by who was paid.
func (s *show) sum(receipts []work.Receipt) payments {
	p := payments{Budget: s.spec.Budget(), Receipts: len(receipts)}
	var paid, returned, bounties money.Amount
	earned := map[string]*earning{}
	for _, r := range receipts {
		name := s.cast.name(r.To)
		if earned[name] == nil {
			earned[name] = &earning{Name: name}
		}
		e := earned[name]
		switch r.Kind {
		case work.ForUnit, work.ForDuties, work.ForKept:
			e.Earned, paid = e.Earned.Plus(r.Amount), paid.Plus(r.Amount)
			if r.Kind == work.ForUnit && r.Verdict.Pays() {
				e.Units++
			}
		case work.ForBounty:
			e.Bounty, bounties = e.Bounty.Plus(r.Amount), bounties.Plus(r.Amount)
		case work.ForBond:
			returned = returned.Plus(r.Amount)
		case work.ForRefund:
			p.Refunded = p.Refunded.Plus(r.Amount)
		}
	}
	for _, summary := range s.summaries {
		p.Burned = p.Burned.Plus(summary.Burned)
		for _, x := range summary.Slashes {
			p.Slashed, p.Burned = p.Slashed.Plus(x.Amount), p.Burned.Plus(x.Burned).Plus(x.Kept)
			name := s.cast.name(x.Account)
			if earned[name] == nil {
				earned[name] = &earning{Name: name}
			}
			earned[name].Slashed = earned[name].Slashed.Plus(x.Amount)
		}
	}
	list := func(actors []actor) (out []earning) {
		for _, a := range actors {
			if e := earned[a.name]; e != nil {
				out = append(out, *e)
			} else {
				out = append(out, earning{Name: a.name})
			}
		}
		return out
	}
	p.Providers, p.Verifiers = list(s.cast.earners()), list(s.cast.verifiers)
	locked := p.Budget.Plus(s.spec.ProviderBond.Times(uint64(len(s.cast.earners())))).Plus(s.spec.VerifierBond.Times(uint64(len(s.cast.verifiers))))
	p.Exact = locked.Compare(paid.Plus(bounties).Plus(returned).Plus(p.Refunded).Plus(p.Burned)) == 0
	return p
}

func (p payments) of(name string) earning {
	for _, e := range append(p.Providers[:len(p.Providers):len(p.Providers)], p.Verifiers...) {
		if e.Name == name {
			return e
		}
	}
	return earning{}
}

// failed names the first claim that did not hold, or nothing.
func (r *report) failed() string {
	for _, c := range r.Claims {
		if !c.Held {
			return fmt.Sprintf("%s (%s)", c.Name, c.Detail)
		}
	}
	return ""
}
