package commonscmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/mutirao/mutirao/agent/trainer"
	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/learn/data"
	"github.com/mutirao/mutirao/learn/recipe"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/marketcmd"
	"github.com/mutirao/mutirao/node/role"
	"github.com/mutirao/mutirao/node/running"
	"github.com/mutirao/mutirao/protocol/commons"
	"github.com/mutirao/mutirao/protocol/work"
)

type proposal struct {
	*options
	file, class, purpose, listen string
	providers, tenors, grade     uint32
	nonce, seed                  uint64
	once, calibration            bool
}

func newPropose(o *options) *cobra.Command {
	p := proposal{options: o}
	cmd := &cobra.Command{
		Use:   "propose RUN-FILE",
		Short: "Propose a run for the commons, serve its data, and publish its model",
		Long: `Propose a run for the commons. The data and the first model stay on this machine and are served to whoever works for the run,
so the command goes on until the run has ended, and then publishes its model. Ctrl-C loses nothing: the same command goes on.`,
		Example: `  mutirao commons propose run.toml --class cpu/home/audited/2 --purpose "a model of credit risk for all"
  mutirao commons propose run.toml --class cpu/home/audited/2 --purpose "…" --once      only propose it
  mutirao commons propose run.toml --class cpu/home/audited/2 --purpose "…" --calibration`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p.file = args[0]
			return p.run(cmd)
		},
	}
	f := cmd.Flags()
	f.StringVar(&p.class, "class", "", "class of the market in which the run hires, such as cpu/home/audited/2")
	f.StringVar(&p.purpose, "purpose", "", "what the model is good for, in a sentence")
	f.StringVar(&p.listen, "listen", "/ip4/127.0.0.1/tcp/0", "where to serve peers, as a multiaddr")
	f.Uint32Var(&p.providers, "providers", 0, "machines that it hires; default as the run file says")
	f.Uint32Var(&p.tenors, "tenors", 1, "for how many tenors of the class")
	f.Uint32Var(&p.grade, "min-reputation", 0, "least grade of the providers, 0 to 7")
	f.Uint64Var(&p.seed, "seed", 1, "of all draws of the run")
	f.Uint64Var(&p.nonce, "nonce", 0, "another number proposes the same run again")
	f.BoolVar(&p.calibration, "calibration", false, "a run for newcomers, who need no coins: they are paid four fifths of the class's price, and every unit is audited")
	f.BoolVar(&p.once, "once", false, "end when the proposal is on the ledger")
	for _, name := range []string{"class", "purpose"} {
		cmd.MarkFlagRequired(name) // fails only for a flag that does not exist
	}
	return cmd
}

var errLapsed = errors.New("not enough conviction stood behind it")

func (p proposal) run(cmd *cobra.Command) error {
	ctx := cmd.Context()
	class, err := marketcmd.ParseClass(p.class)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(p.file)
	if err != nil {
		return failure.New(failure.NotFound, "cannot read the run file", err, "examples/ in the source holds run files")
	}
	r, err := recipe.Parse(text)
	if err != nil {
		return failure.New(failure.Usage, "the run file cannot be used", err, "correct "+p.file)
	}
	set, err := data.Load(r, filepath.Dir(p.file))
	if err != nil {
		return failure.New(failure.NotFound, "the data of the run cannot be used", err, "correct [data] in "+p.file)
	}
	spec, err := trainer.Terms(r, p.seed, work.DefaultSpec().Windows)
	if err != nil {
		return failure.New(failure.Usage, "the run file cannot be used", err, "correct [pay] in "+p.file)
	}
	spec.Market = &work.Market{Class: class}
	urls, err := running.Endpoints(p.Network)
	if err != nil {
		return err
	}
	m, err := role.Open(ctx, role.Config{Dir: p.Dir, Ledger: urls, Listen: p.listen})
	if err != nil {
		return err
	}
	defer m.Close()
	if err := running.Answers(ctx, m.Client, urls); err != nil {
		return err
	}
	t, err := trainer.New(trainer.Config{Identity: m.Identity, Ledger: m.Client, Blobs: m.Blobs(), Recipe: r, Data: set})
	if err != nil {
		return err
	}
	switch {
	case p.calibration:
		spec.Calibration, spec.Audit.FloorPPM, p.providers, p.tenors = true, work.PPM, 0, 0
	case p.providers == 0:
		p.providers = uint32(r.Network.Providers)
	}
	id, err := t.Propose(ctx, spec, commons.Propose{
		Nonce: p.nonce, Purpose: p.purpose, Peer: m.Peer(), Providers: p.providers, Tenors: p.tenors, MinReputation: p.grade,
	}, client.Treasury())
	if err != nil {
		return running.Refused("the run was not proposed", err, "mutirao credits  says what "+m.Identity.Account.String()+" has; --nonce 1 proposes it again")
	}
	v, err := m.Client.Proposal(ctx, id)
	if err != nil {
		return err
	}
	if !p.once {
		if v, err = p.serve(ctx, cmd, m, t, v); err != nil {
			return err
		}
	}
	return p.Answer(cmd, shown{"mutirao.commons-proposal/v1", v}, func(w io.Writer) error { return printProposal(w, v, urls) })
}

// serve stays until the run has ended and publishes its model.
func (p proposal) serve(ctx context.Context, cmd *cobra.Command, m *role.Machine, t *trainer.Trainer, v commons.View) (commons.View, error) {
	say := func(format string, args ...any) { fmt.Fprintf(cmd.ErrOrStderr(), format+"\n", args...) }
	say("proposal %s is on the ledger; vote for it: mutirao commons vote %.8s AMOUNT", v.ID, v.ID)
	h, err := m.Client.Height(ctx)
	var kept work.StateRef
	for last := commons.Open; err == nil; h, err = m.Client.Next(ctx, h) {
		if v, err = m.Client.Proposal(ctx, v.ID); err != nil {
			break
		}
		if v.Status != last {
			say("block %d: %s", h, state(v))
			last = v.Status
		}
		if v.Status == commons.Lapsed {
			return v, failure.New(failure.Denied, "the proposal has lapsed", errLapsed, "mutirao commons propose --nonce "+fmt.Sprint(p.nonce+1)+" …  proposes it again")
		}
		if v.Job == nil {
			continue
		}
		run, err := m.Client.Run(ctx, v.ID)
		if err != nil {
			return v, err
		}
		m.Meet(ctx, run.Peers())
		t.Collect(ctx, run)
		if kept, err = keep(ctx, m, t, run, kept); err != nil {
			return v, err
		}
		if !v.Job.Ended {
			continue
		}
		if run.Done == 0 {
			return v, nil
		}
		model, err := t.Publish(ctx, run)
		if err == nil {
			say("model %s is published", model)
		}
		return v, err
	}
	return v, err
}

// fetchPatience is how long a state of a run is waited for before it is computed here.
const fetchPatience = 5 * time.Second

// keep makes sure that the current state of the run is here, since its workers leave when the last round is over: fetched from them, or
// recomputed from the state before, kept, and from what the round's units revealed. It returns the state that is here now.
func keep(ctx context.Context, m *role.Machine, t *trainer.Trainer, run *work.State, kept work.StateRef) (work.StateRef, error) {
	if run.Current == kept {
		return kept, nil
	}
	wait, cancel := context.WithTimeout(ctx, fetchPatience)
	defer cancel()
	if _, err := t.State(wait, run.Current); err == nil {
		return run.Current, nil
	}
	list, err := m.Client.Summaries(ctx, run.ID)
	if err != nil || len(list) == 0 {
		return kept, err
	}
	if kept == (work.StateRef{}) {
		kept = run.Spec.Initial
	}
	if got, err := t.Replay(ctx, kept, list[len(list)-1]); err == nil && got == run.Current {
		return got, nil
	}
	return kept, nil // the next block tries again
}
