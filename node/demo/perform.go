package demo

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/mutirao/mutirao/agent"
	"github.com/mutirao/mutirao/agent/member"
	"github.com/mutirao/mutirao/agent/trainer"
	"github.com/mutirao/mutirao/agent/verifier"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/role"
	"github.com/mutirao/mutirao/node/running"
)

// loopback is where every host of the demo listens: a free port that nobody outside of this machine reaches.
const loopback = "/ip4/127.0.0.1/tcp/0"

// startTimeout is how long the network has for its first block; patience bounds the whole run.
const (
	startTimeout = 90 * time.Second
	patience     = 30 * time.Minute
)

// perform starts the network and everybody in it and follows the run until it has ended.
func (s *show) perform(ctx context.Context) error {
	ctx, s.cancel = context.WithCancel(ctx)
	s.say("starting %d validators (CometBFT, Cosmos SDK, EVM) in this process", s.recipe.Network.Validators)
	var err error
	if s.ledger, err = openLedger(ctx, filepath.Join(s.dir, "ledger"), s.RPC, s.cast.master, s.recipe.Network.Validators, s.funds()); err != nil {
		return err
	}
	if s.unannounce, err = running.Announce(s.dir, s.ledger.endpoints(), s.ledger.jsonRPC()); err != nil {
		return err
	}
	if err := s.openTrainer(ctx); err != nil {
		return err
	}
	height, err := s.firstBlock(ctx)
	if err != nil {
		return err
	}
	s.say("block %d on all of them · JSON-RPC at %s", height, s.ledger.jsonRPC())
	if err := s.startRun(ctx); err != nil {
		return err
	}
	if err := s.startVerifiers(ctx); err != nil {
		return err
	}
	for _, a := range s.cast.earners() { // the late one only offers its machine, until it is hired
		if a.name == victim && s.memory.Killed {
			continue
		}
		if err := s.play(a); err != nil {
			return err
		}
	}
	s.say("%d providers in processes of their own, %d verifiers beside the validators", len(s.cast.earners()), len(s.cast.verifiers))
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := s.hire(ctx); err != nil {
		return s.late(err)
	}
	return s.follow(ctx)
}

// firstBlock waits until the network makes blocks.
func (s *show) firstBlock(ctx context.Context) (int64, error) {
	wait, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	before, err := s.machine.Client.Height(wait)
	if err == nil {
		before, err = s.machine.Client.Next(wait, before) // a network that goes on knows old blocks before it can take a transaction
	}
	if err != nil {
		return 0, failure.New(failure.Timeout, "the validators make no blocks", err, "look into "+filepath.Join(s.dir, "ledger", "log.txt"))
	}
	return int64(before), nil
}

func (s *show) openTrainer(ctx context.Context) (err error) {
	if s.machine, err = s.open(ctx, s.cast.trainer); err != nil {
		return err
	}
	s.trainer, err = trainer.New(trainer.Config{
		Identity: s.machine.Identity, Ledger: s.machine.Client, Blobs: s.machine.Blobs(), Recipe: s.recipe, Data: s.set,
	})
	return err
}

// open gives an actor of this process its folder and its connections.
func (s *show) open(ctx context.Context, a actor) (*role.Machine, error) {
	dir := filepath.Join(s.dir, a.name)
	if err := role.WriteKey(dir, a.secret); err != nil {
		return nil, err
	}
	return role.Open(ctx, role.Config{Dir: dir, Ledger: s.ledger.endpoints(), Listen: loopback})
}

// startRun registers data and run, or finds them on the ledger of an interrupted demo.
func (s *show) startRun(ctx context.Context) (err error) {
	if s.memory.Supply == "" {
		supply, err := s.machine.Client.Supply(ctx)
		if err != nil {
			return err
		}
		s.note(func(m *memory) { m.Supply = supply.String() })
	}
	if s.run, err = s.trainer.Start(ctx, s.spec, s.Seed); err != nil {
		return failure.New(failure.General, "the run could not be created", err, "mutirao demo, in another folder")
	}
	s.note(func(m *memory) { m.RunID = s.run })
	state, err := s.machine.Client.Run(ctx, s.run)
	if err != nil {
		return err
	}
	s.spec = state.Spec
	s.say("run %s · %s · %d records · budget %s locked", s.recipe.Name, s.run.String()[:12], s.set.Count, s.spec.Budget().Coins())
	return nil
}

// startVerifiers runs the verifiers, which end with the context.
func (s *show) startVerifiers(ctx context.Context) error {
	for _, a := range s.cast.verifiers {
		m, err := s.open(ctx, a)
		if err != nil {
			return err
		}
		if err := m.Host.Connect(ctx, s.machine.Host.Addrs()); err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
		v := verifier.New(member.Config{
			Identity: m.Identity, Run: s.run, Peer: m.Peer, Ledger: m.Client, Court: m.Client, Blobs: m.Blobs(),
			Observe: func(n agent.News) { s.heard(a.name, n.Name, n.Round, n.Detail) },
		}, verifier.DefaultPatience)
		s.members.Go(func() {
			defer m.Close()
			agent.Run(ctx, m.Client, s.run, v, nil) // ends with the run or with ctx; what it did is on the ledger
			<-ctx.Done()                            // a steward goes on serving payloads and models to whoever checks them
		})
	}
	return nil
}
