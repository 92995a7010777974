package agent_test

import (
	"context"
	"errors"
	"testing"

	"github.com/mutirao/mutirao/agent"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/ledgertest"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/work"
)

// role is a provider that joins and fails at something else in the same step; then it waits for the end.
type role struct {
	account protocol.Account
	failed  int
}

var errElse = errors.New("something else failed")

func (r *role) Step(_ context.Context, s *work.State) ([]protocol.Msg, error) {
	if _, member := s.Member(r.account); member || s.Phase.Ended() {
		return nil, nil
	}
	r.failed++
	return []protocol.Msg{work.Join{Run: s.ID, Role: work.Provider}}, errElse
}

// newRun makes a run that waits a few blocks for a verifier who never comes.
func newRun(t *testing.T, l *ledgertest.Ledger) protocol.Hash {
	t.Helper()
	author, one := protocol.Account{1}, protocol.Hash{1}
	l.Mint(author, money.MUT(1))
	dataset := registry.RegisterDataset{Name: "d", Licence: "CC0-1.0", Root: one, Blob: one, Schema: one, Records: 1, RecordSize: 1}
	if err := l.Submit(author, dataset); err != nil {
		t.Fatal(err)
	}
	s := work.DefaultSpec()
	s.Name, s.Dataset, s.Program, s.InferenceProgram, s.Params = "r", registry.DatasetID(author, dataset), one, one, []string{"w"}
	s.Initial = work.StateRef{Model: one, Outer: one, Blob: one}
	s.Rounds, s.Steps, s.MaxUnits, s.Windows.Wait = 1, 1, 1, 3
	s.Price.PerUnit, s.ProviderBond, s.VerifierBond = money.New(1), money.New(1), money.New(1)
	create := work.CreateRun{Spec: s}
	if err := l.Submit(author, create); err != nil {
		t.Fatal(err)
	}
	return work.RunID(author, create)
}

// TestRunSendsWhatCouldBeDone checks that a step's messages go out although another part of the step failed, that the
// failure is told, and that the loop ends with the run.
func TestRunSendsWhatCouldBeDone(t *testing.T) {
	l := ledgertest.New()
	run := newRun(t, l)
	r := &role{account: protocol.Account{2}}
	l.Mint(r.account, money.New(1))
	l.Advance()
	told := make(chan agent.News, 100)
	done := make(chan error, 1)
	go func() {
		done <- agent.Run(t.Context(), l.Client(r.account), run, r, func(n agent.News) { told <- n })
	}()
	var names []string
	for n := range told {
		names = append(names, n.Name)
		if n.Name == agent.Trouble {
			s, err := l.Run(run)
			if err != nil {
				t.Fatal(err)
			}
			if _, member := s.Member(r.account); !member || n.Detail != errElse.Error() {
				t.Errorf("the message was lost with the error %q", n.Detail)
			}
			for range 4 {
				l.Advance()
			}
		}
		if n.Name == agent.Ended {
			break
		}
	}
	if err := <-done; err != nil || r.failed != 1 {
		t.Errorf("%v after %d failures; news: %v", err, r.failed, names)
	}
}

// stubborn is a provider that asks for the same impossible thing whenever it may.
type stubborn struct{}

func (stubborn) Step(_ context.Context, s *work.State) ([]protocol.Msg, error) {
	if s.Phase.Ended() {
		return nil, nil
	}
	return []protocol.Msg{work.Leave{Run: s.ID}}, nil
}

// TestRunDoesNotRepeatWhatWasRefused: a refused message costs a fee, so it is sent once a phase and not in every block.
func TestRunDoesNotRepeatWhatWasRefused(t *testing.T) {
	l := ledgertest.New()
	run := newRun(t, l)
	told := make(chan agent.News, 100)
	blocks := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- agent.Run(t.Context(), stepped{l.Client(protocol.Account{2}), blocks}, run, stubborn{}, func(n agent.News) { told <- n })
	}()
	for ended := false; !ended; { // the run waits for three blocks, then it ends
		l.Advance()
		select {
		case blocks <- struct{}{}:
		case err := <-done:
			if ended = true; err != nil {
				t.Fatal(err)
			}
		}
	}
	close(told)
	refused := 0
	for n := range told {
		if n.Name == agent.Refused {
			refused++
		}
	}
	if refused != 1 {
		t.Errorf("the same message was refused %d times in one phase", refused)
	}
}

// stepped is a ledger whose blocks a role sees one by one.
type stepped struct {
	*ledgertest.Client
	blocks <-chan struct{}
}

func (s stepped) Next(ctx context.Context, after protocol.Height) (protocol.Height, error) {
	<-s.blocks
	return s.Client.Next(ctx, after)
}
