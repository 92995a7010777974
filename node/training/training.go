// Package training is `mutirao train start`: it submits a run to a network in its author's name, hires its providers through the market,
// gives data and first model to the members, follows the rounds, recomputing each, and publishes the model. It holds no rule.
package training

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/mutirao/mutirao/agent/trainer"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/learn/recipe"
	"github.com/mutirao/mutirao/learn/round"
	"github.com/mutirao/mutirao/node/dryrun"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/invite"
	"github.com/mutirao/mutirao/node/role"
	"github.com/mutirao/mutirao/node/running"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
)

// Options are what a person decides.
type Options struct {
	File     string // the run file
	Network  string // an invite, an RPC endpoint, or the folder of a network that runs on this machine
	Dir      string // folder of the author's key, and of what members fetch
	Listen   string // where members fetch it, as a multiaddr
	Number   uint64 // of the run among the author's runs of this file
	Model    string // file for the trained model; empty: none
	JSON     bool
	Out, Err io.Writer
}

// News is one line of what happens.
type News struct {
	Schema   string        `json:"schema"` // "mutirao.training/v1"
	Event    string        `json:"event"`  // created, hired, round, ended, published
	Run      protocol.Hash `json:"run"`
	Invite   string        `json:"invite,omitempty"` // created: for whoever lends a machine
	Budget   string        `json:"budget,omitempty"` // created: amut that are locked
	Units    uint64        `json:"units,omitempty"`  // hired: machines; round: units that counted
	Price    string        `json:"price,omitempty"`  // hired: of a unit, amut
	Round    uint32        `json:"round,omitempty"`
	Loss     float32       `json:"loss,omitempty"` // held-out, in nats
	Accuracy float32       `json:"accuracy,omitempty"`
	Replayed bool          `json:"replayed,omitempty"` // round: recomputed here to the same root
	Model    string        `json:"model,omitempty"`    // round, ended: root; published: id
	Back     string        `json:"back,omitempty"`     // ended: what is left of the budget, amut
	File     string        `json:"file,omitempty"`
}

// author is who trains.
type author struct {
	Options
	recipe  *recipe.Recipe
	spec    work.Spec
	order   *trainer.Order
	machine *role.Machine
	trainer *trainer.Trainer
	run     protocol.Hash
	hiring  chan error // how hiring ended, once; nil when that is known
	short   *trainer.Shortage
	rounds  int // that were told
	last    work.StateRef
}

// Run submits a run and stays with it until it has ended. The same options go on with a run that exists.
func Run(ctx context.Context, o Options) error {
	r, set, err := dryrun.Load(o.File)
	if err != nil {
		return err
	}
	urls, err := running.Endpoints(o.Network)
	if err != nil {
		return err
	}
	a := &author{Options: o, recipe: r, hiring: make(chan error, 1)}
	ctx, stop := context.WithCancel(ctx) // hiring ends with the run
	defer stop()
	if a.machine, err = role.Open(ctx, role.Config{Dir: o.Dir, Ledger: urls, Listen: o.Listen}); err != nil {
		return err
	}
	defer a.machine.Close()
	if err := running.Answers(ctx, a.machine.Client, urls); err != nil {
		return err
	}
	if a.trainer, err = trainer.New(trainer.Config{
		Identity: a.machine.Identity, Ledger: a.machine.Client, Blobs: a.machine.Blobs(), Recipe: r, Data: set,
	}); err != nil {
		return fmt.Errorf("build the training step: %w", err)
	}
	if err := a.start(ctx, urls); err != nil {
		return err
	}
	err = a.follow(ctx)
	if errors.Is(err, context.Canceled) {
		return failure.New(failure.Interrupted, "the run goes on without its author", err, "the same command goes on with it; its members wait if they lack data")
	}
	return err
}

// tell writes news: for machines, or as a sentence.
func (a *author) tell(n News, format string, args ...any) {
	n.Schema, n.Run = "mutirao.training/v1", a.run
	if a.JSON {
		json.NewEncoder(a.Out).Encode(n)
		return
	}
	fmt.Fprintf(a.Out, format+"\n", args...)
}

// say reports progress to a person.
func (a *author) say(format string, args ...any) { fmt.Fprintf(a.Err, format+"\n", args...) }

// start locks the budget and begins to hire.
func (a *author) start(ctx context.Context, urls []string) (err error) {
	w, err := trainer.Windows(a.trainer.Round().StepGraph(), a.recipe.Train.Steps)
	if err != nil {
		return err
	}
	if a.order, err = trainer.OrderOf(a.recipe); err == nil {
		a.spec, err = trainer.Terms(a.recipe, a.Number, w)
	}
	if err != nil {
		return failure.New(failure.Usage, "the run file cannot be used", err, "correct [pay] and [market] in "+a.File)
	}
	if a.run, err = a.trainer.Start(ctx, a.spec, a.Number); err != nil {
		return a.refused(ctx, err)
	}
	state, err := a.machine.Client.Run(ctx, a.run)
	if err != nil {
		return err
	}
	a.spec, a.last = state.Spec, state.Spec.Initial
	word := invite.Invite{Chain: network.ChainID, Ledger: urls, Run: a.run}.String()
	budget := a.spec.Budget()
	a.tell(News{Event: "created", Invite: word, Budget: budget.String()}, "run %s · %s locked · others lend a machine by\n  mutirao join %s", a.run, budget.Coins(), word)
	if a.order == nil {
		a.say("all providers have the same price, %s a unit; waiting for %d of them and %d verifiers", a.spec.Price.PerUnit.Coins(), a.spec.MinProviders, a.spec.MinVerifiers)
		return nil
	}
	a.say("hiring %d machines of %s at %s a unit or less, once %d are offered", a.order.Want, a.order.Class, market.Amount(a.order.Limit).Coins(), a.order.Offers)
	hiring := a.hiring
	go func() {
		err := a.trainer.Hire(ctx, a.machine.Client, state, a.order, func(what string) { a.say("%s", what) })
		if err == nil {
			err = a.hired(ctx)
		}
		hiring <- err
	}()
	return nil
}

// refused says why the ledger took no run or bid.
func (a *author) refused(ctx context.Context, err error) error {
	need := a.spec.Budget()
	if a.order != nil {
		need = need.Plus(market.Amount(a.order.Limit).Times(uint64(a.order.Want)))
	}
	have, e := a.machine.Client.Balance(ctx, a.machine.Identity.Account)
	if e == nil && have.Compare(need) < 0 {
		return failure.New(failure.Credit, "not enough coins for the run",
			fmt.Errorf("%s has %s, budget and deposit of the bid are %s and transactions cost a little", a.machine.Identity.Account, have.Coins(), need.Coins()),
			"ask a member to send coins to "+a.machine.Identity.Account.String()+", or lower pay.unit_price, train.rounds or network.max_units")
	}
	return failure.New(failure.General, "the ledger refused the run", err, "another --number makes another run of the same file")
}

// hired tells which machines the run has and at what price.
func (a *author) hired(ctx context.Context) error {
	leases, err := a.machine.Client.Leases(ctx, a.machine.Identity.Account)
	if err != nil {
		return err
	}
	units, dearest := uint64(0), market.Floor(money.Amount{})
	for _, l := range leases {
		if l.Job == a.run && l.Taken {
			units += uint64(l.Units)
			dearest = max(dearest, l.Quote.Buyer)
		}
	}
	price := market.Amount(dearest)
	a.tell(News{Event: "hired", Units: units, Price: price.String()}, "hired %d machines at %s a unit", units, price.Coins())
	return nil
}

// follow gives members what they need until the run has ended, and publishes.
func (a *author) follow(ctx context.Context) error {
	var height protocol.Height
	reported := work.Reason("")
	for {
		next, err := a.machine.Client.Next(ctx, height)
		if err != nil {
			return err
		}
		height = next
		select {
		case err := <-a.hiring:
			a.hiring = nil
			if errors.As(err, &a.short) {
				break // the run has ended
			}
			if err != nil && !errors.Is(err, context.Canceled) {
				return a.refused(ctx, err)
			}
		default:
		}
		state, err := a.machine.Client.Run(ctx, a.run)
		if err != nil {
			return err
		}
		a.machine.Meet(ctx, state.Peers())
		a.trainer.Collect(ctx, state)
		if state.Done > uint32(a.rounds) || state.Phase.Ended() {
			if err := a.closed(ctx); err != nil {
				return err
			}
		}
		if state.Phase.Ended() {
			return a.ended(ctx, state)
		}
		if reason, deadline, who := work.Waiting(state, height); reason != reported && reason != work.WaitBlock {
			reported = reason
			a.say("block %d: %s (%d members), until block %d at the latest", height, strings.ReplaceAll(string(reason), "-", " "), len(who), deadline)
		}
	}
}

// closed recomputes and evaluates rounds that have closed.
func (a *author) closed(ctx context.Context) error {
	list, err := a.machine.Client.Summaries(ctx, a.run)
	if err != nil {
		return err
	}
	for _, s := range list[min(a.rounds, len(list)):] {
		mine, err := a.trainer.Replay(ctx, a.last, s)
		if err != nil {
			return fmt.Errorf("round %d: %w", s.Round, err)
		}
		public, err := a.trainer.State(ctx, s.Next)
		if err != nil {
			return fmt.Errorf("round %d: %w", s.Round, err)
		}
		m, err := a.trainer.Round().Evaluate(public.Theta)
		if err != nil {
			return err
		}
		a.rounds, a.last = a.rounds+1, s.Next
		a.round(s, m, mine == s.Next)
	}
	return nil
}

func (a *author) round(s work.RoundSummary, m round.Metrics, same bool) {
	note := "recomputed here, same root"
	if !same {
		note = "RECOMPUTED HERE TO ANOTHER ROOT"
	}
	a.tell(News{Event: "round", Round: s.Round, Units: uint64(s.Admitted), Loss: m.Loss, Accuracy: m.Accuracy, Replayed: same, Model: s.Next.Model.String()},
		"round %d of %d · %d units · held-out loss %.3f, accuracy %.1f %% · %s", s.Round, a.spec.Rounds, s.Admitted, m.Loss, 100*m.Accuracy, note)
}

var errStopped = errors.New("too few members were left, or none came")

// ended publishes the model and writes it to a file.
func (a *author) ended(ctx context.Context, state *work.State) error {
	receipts, err := a.machine.Client.Receipts(ctx, a.run)
	if err != nil {
		return err
	}
	var back money.Amount
	for _, r := range receipts {
		if r.Kind == work.ForRefund {
			back = back.Plus(r.Amount)
		}
	}
	a.tell(News{Event: "ended", Model: state.Current.Model.String(), Back: back.String()}, "%s after %d of %d rounds · %s of the budget came back", state.Phase, state.Done, a.spec.Rounds, back.Coins())
	if state.Phase != work.PhaseFinished {
		if err := a.unhired(ctx); err != nil {
			return err
		}
		return failure.New(failure.Capacity, "the run ended early", fmt.Errorf("%w: %d of %d rounds", errStopped, state.Done, a.spec.Rounds), "another --number makes another run of the same file")
	}
	id, err := a.trainer.Publish(ctx, state)
	if err != nil {
		return failure.New(failure.General, "the model was not published", err, "the same command tries again")
	}
	if a.Model != "" {
		if err := a.write(ctx, state); err != nil {
			return failure.New(failure.General, "the model cannot be written", err, "choose another file with --model")
		}
	}
	a.tell(News{Event: "published", Model: id.String(), File: a.Model}, "model %s is published%s", id, map[bool]string{true: " and written to " + a.Model}[a.Model != ""])
	if len(receipts) > 0 {
		a.say("who was paid: mutirao credits receipts %.8s", a.run)
		a.say("proven to others: mutirao proof model %s · mutirao proof receipt %s %s", id, a.run, receipts[0].ID)
	}
	return nil
}

// shortageTimeout is how long hiring may take to see that the run has ended.
const shortageTimeout = 20 * time.Second

// unhired tells why a run stopped that never had its machines, or nil if it had them.
func (a *author) unhired(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, shortageTimeout)
	defer cancel()
	if a.order != nil && a.hiring != nil {
		select {
		case err := <-a.hiring:
			errors.As(err, &a.short)
		case <-ctx.Done():
		}
	}
	if a.short == nil {
		return nil
	}
	return failure.New(failure.Capacity, "the run could not hire its machines", a.short,
		fmt.Sprintf("mutirao market asks %s  shows what is offered; raise market.limit or lower market.providers, and choose another --number", a.order.Class))
}

// write keeps the model with its weights in a file.
func (a *author) write(ctx context.Context, state *work.State) error {
	public, err := a.trainer.State(ctx, state.Current)
	if err != nil {
		return err
	}
	g, err := a.trainer.Round().Artifact(public.Theta)
	if err != nil {
		return err
	}
	return os.WriteFile(a.Model, graph.Encode(g), 0o644)
}
