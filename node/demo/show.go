package demo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mutirao/mutirao/agent/trainer"
	"github.com/mutirao/mutirao/examples"
	"github.com/mutirao/mutirao/learn/data"
	"github.com/mutirao/mutirao/learn/recipe"
	"github.com/mutirao/mutirao/learn/round"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/role"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/work"
)

// show is one performance of the demo.
type show struct {
	Options
	dir   string
	began time.Time

	progress *progress

	recipe *recipe.Recipe
	set    *data.Set
	round  *round.Trainer // for terms, evaluation and the baseline
	cast   *cast
	memory *memory
	// continued says that the folder held a demo that had been interrupted.
	continued bool

	run  protocol.Hash
	spec work.Spec

	order *trainer.Order // how the run hires

	ledger     *ledger
	machine    *role.Machine    // the trainer's
	trainer    *trainer.Trainer //
	members    sync.WaitGroup   // verifiers in this process
	cancel     context.CancelFunc
	unannounce func() // removes the note of how to reach the network

	troupe   *troupe // providers in processes of their own
	up, down uint64  // bytes of all providers when the last round closed

	noting sync.Mutex // guards memory once the network runs

	rows      []roundRow
	summaries []work.RoundSummary
	disputes  []disputeRow
	lateHired bool        // whether the late provider has been hired and has joined
	appeared  bool        // whether the late provider has been announced
	final     *work.State // of the ended run
}

// prepare reads the run file and its data and hires the cast. Nothing runs yet.
func (s *show) prepare() error {
	if err := checkLoopback(s.RPC); err != nil {
		return failure.New(failure.Denied, "the demo does not listen at "+s.RPC, err, "choose an address such as 127.0.0.1:8545")
	}
	folder, err := s.unpack()
	if err != nil {
		return err
	}
	file := filepath.Join(folder, "run.toml")
	text, err := os.ReadFile(file)
	if err != nil {
		return failure.New(failure.NotFound, "cannot read the run file", err, "mutirao demo --run diagnosis")
	}
	if s.recipe, err = recipe.Parse(text); err != nil {
		return failure.New(failure.Usage, "the run file cannot be used", err, "correct "+file)
	}
	if s.set, err = data.Load(s.recipe, folder); err != nil {
		return failure.New(failure.NotFound, "the data of the run cannot be used", err, "correct [data] in "+file)
	}
	if s.cast, err = newCast(s.Seed, s.recipe.Network.Providers, s.recipe.Network.Verifiers); err != nil {
		return err
	}
	if s.round, err = round.NewTrainer(s.recipe, s.set); err != nil {
		return fmt.Errorf("build the training step: %w", err)
	}
	if err := s.terms(); err != nil {
		return err
	}
	s.memory, err = recall(s.dir, s.Seed, s.Run)
	s.continued = err == nil && s.memory.Supply != ""
	return err
}

// terms are those of the run file, but the hiring and the first round wait for the whole cast, so that a seed always tells one story.
func (s *show) terms() error {
	w, err := trainer.Windows(s.round.StepGraph(), s.recipe.Train.Steps)
	if err != nil {
		return err
	}
	w.Challenge = challenge
	if s.spec, err = trainer.Terms(s.recipe, s.Seed, w); err != nil {
		return failure.New(failure.Usage, "the run file cannot be used", err, "correct [pay] in the run file")
	}
	s.spec.MinProviders, s.spec.MinVerifiers = uint32(len(s.cast.providers)), uint32(len(s.cast.verifiers))
	s.spec.LeastVerifiers = s.spec.MinVerifiers/2 + 1
	s.spec.Rounds = uint32(s.recipe.Train.Rounds)
	if s.order, err = trainer.OrderOf(s.recipe); err != nil {
		return err
	}
	if s.order == nil {
		return failure.New(failure.Usage, "the run file cannot be used", errNoMarket, "add [market] with class = \"cpu/home/audited/2\"")
	}
	s.order.Want, s.order.Offers = uint32(len(s.cast.providers)), len(s.cast.earners())
	return nil
}

// challenge is for how many blocks claims are open to dispute at least: here, where blocks are short and everybody is at hand, about as long
// as audits take anyway.
const challenge = 4

var errNoMarket = errors.New("it does not say what machines it hires, and the demo's hire through the market")

var errExposed = errors.New("its accounts follow from the seed, so it must not be reachable from elsewhere")

// checkLoopback refuses addresses that other machines could reach.
func checkLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil || host == "localhost" {
		return nil // empty, or for the validator to complain about
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return errExposed
	}
	return nil
}

// unpack writes the example's files into the demo's folder, where a person can read them.
func (s *show) unpack() (string, error) {
	files := examples.Files()
	names, err := fs.ReadDir(files, ".")
	if err != nil {
		return "", err
	}
	if !slices.ContainsFunc(names, func(e fs.DirEntry) bool { return e.Name() == s.Run }) {
		var known []string
		for _, e := range names {
			known = append(known, e.Name())
		}
		return "", failure.New(failure.NotFound, fmt.Sprintf("there is no example %q", s.Run), fmt.Errorf("the examples are: %s", strings.Join(known, ", ")), "mutirao demo --run "+known[0])
	}
	folder := filepath.Join(s.dir, "examples")
	if _, err := os.Stat(filepath.Join(folder, s.Run)); err == nil {
		return filepath.Join(folder, s.Run), nil
	}
	if err := os.CopyFS(folder, files); err != nil {
		return "", fmt.Errorf("unpack the example: %w", err)
	}
	return filepath.Join(folder, s.Run), nil
}

// close ends everything that the show started.
func (s *show) close() {
	s.troupe.stop()
	if s.cancel != nil {
		s.cancel()
	}
	s.members.Wait()
	if s.machine != nil {
		s.machine.Close()
	}
	if s.unannounce != nil {
		s.unannounce()
	}
	if s.ledger != nil {
		if err := s.ledger.stop(); err != nil {
			s.say("the validators did not stop cleanly: %v", err)
		}
	}
}
