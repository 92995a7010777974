package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mutirao/mutirao/learn/round"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/work"
)

// roundRow is one closed round as people and machines see it.
type roundRow struct {
	Round    uint32   `json:"round"`
	Loss     float32  `json:"loss"`          // held-out, in nats
	Accuracy float32  `json:"accuracy"`      // held-out
	AUC      float32  `json:"auc,omitempty"` // tables only
	Units    int      `json:"units"`
	Admitted uint32   `json:"admitted"`
	Audited  uint32   `json:"audited"`
	Up       uint64   `json:"up_bytes"`   // sent by a provider, on average
	Down     uint64   `json:"down_bytes"` // received by a provider, on average
	Seconds  float64  `json:"seconds"`
	Model    string   `json:"model_root"`
	Replayed bool     `json:"replayed"` // the trainer computed the same root from the admitted payloads
	Events   []string `json:"events"`
}

var errStoppedRun = errors.New("the run stopped before its last round")

// follow watches the ledger until the run has ended, and tells the story on the way.
func (s *show) follow(ctx context.Context) error {
	var height protocol.Height
	opened := time.Now()
	reported := work.Reason("")
	for {
		next, err := s.machine.Client.Next(ctx, height)
		if err != nil {
			return s.late(err)
		}
		height = next
		state, err := s.machine.Client.Run(ctx, s.run)
		if err != nil {
			return s.late(err)
		}
		s.machine.Meet(ctx, state.Peers())
		if state.Opened >= joinRound {
			if err := s.hireLate(ctx, state); err != nil {
				return s.late(err)
			}
		}
		if state.Done > 0 || state.Opened > 1 {
			if opened, err = s.closedRounds(ctx, opened); err != nil {
				return err
			}
		}
		if state.Phase.Ended() {
			s.final = state
			if state.Phase != work.PhaseFinished {
				return failure.New(failure.Capacity, "the run ended early", fmt.Errorf("%w: %s after %d of %d rounds", errStoppedRun, state.Phase, state.Done, state.Spec.Rounds), "look into "+s.dir)
			}
			return nil
		}
		reported = s.explainWait(state, height, reported)
	}
}

// late names what a run that takes too long waits for.
func (s *show) late(err error) error {
	if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return failure.New(failure.Timeout, fmt.Sprintf("the run did not end within %s", patience), err, "mutirao demo --keep --dir D, and look into D/*/log.txt")
}

// explainWait tells why the run waits, when that takes longer than a block or two.
func (s *show) explainWait(state *work.State, h protocol.Height, told work.Reason) work.Reason {
	reason, deadline, who := work.Waiting(state, h)
	if reason == told || reason == work.WaitBlock || deadline < h+4 || len(who) != 1 {
		return told
	}
	s.say("%s of %s, until block %d at the latest (now %d)", strings.ReplaceAll(string(reason), "-", " "), s.cast.name(who[0]), deadline, h)
	return reason
}

// closedRounds evaluates and prints the rounds that have closed since it was called last.
func (s *show) closedRounds(ctx context.Context, opened time.Time) (time.Time, error) {
	list, err := s.machine.Client.Summaries(ctx, s.run)
	if err != nil {
		return opened, err
	}
	for _, summary := range list[min(len(s.rows), len(list)):] {
		row, err := s.evaluate(ctx, summary)
		if err != nil {
			return opened, fmt.Errorf("round %d: %w", summary.Round, err)
		}
		if row.Seconds == 0 {
			row.Seconds = time.Since(opened).Seconds()
		}
		s.rows, s.summaries = append(s.rows, row), append(s.summaries, summary)
		s.remember(row)
		s.progress.above(func() { s.printRow(row) })
		opened = time.Now()
	}
	return opened, nil
}

func (s *show) evaluate(ctx context.Context, summary work.RoundSummary) (roundRow, error) {
	from := s.spec.Initial
	if n := len(s.summaries); n > 0 {
		from = s.summaries[n-1].Next
	}
	replayed, err := s.trainer.Replay(ctx, from, summary)
	if err != nil {
		return roundRow{}, err
	}
	public, err := s.trainer.State(ctx, summary.Next)
	if err != nil {
		return roundRow{}, err
	}
	m, err := s.round.Evaluate(public.Theta)
	if err != nil {
		return roundRow{}, err
	}
	row := roundRow{
		Round: summary.Round, Loss: m.Loss, Accuracy: m.Accuracy, AUC: m.AUC, Units: len(summary.Units),
		Admitted: summary.Admitted, Audited: summary.Audited, Model: summary.Next.Model.String(),
		Replayed: replayed == summary.Next,
	}
	if row.Events, err = s.events(ctx, summary); err != nil {
		return roundRow{}, err
	}
	if old := s.memory.metric(summary.Round); old != nil {
		row.Seconds, row.Up, row.Down = old.Seconds, old.Up, old.Down
	} else {
		row.Up, row.Down = s.moved(len(summary.Units))
	}
	return row, nil
}

// moved is what a provider sent and received since it was called last, on average.
func (s *show) moved(providers int) (up, down uint64) {
	d, u := s.troupe.total()
	up, down = (u-s.up)/uint64(max(1, providers)), (d-s.down)/uint64(max(1, providers))
	s.up, s.down = u, d
	return up, down
}

// events tells what happened in a round besides work.
func (s *show) events(ctx context.Context, r work.RoundSummary) ([]string, error) {
	list := []string{}
	if len(r.Slashes) > 0 {
		if err := s.hearRulings(ctx); err != nil {
			return nil, err
		}
	}
	for _, x := range r.Slashes {
		list = append(list, s.convicted(r, x))
	}
	for _, x := range r.Reassigned {
		list = append(list, fmt.Sprintf("%s was gone, its unit %d went to %s", s.cast.name(x.From), x.Unit, s.cast.name(x.To)))
	}
	for _, u := range r.Units {
		switch name := s.cast.name(u.Worker); {
		case u.Verdict == work.Missed && name == copier:
			list = append(list, fmt.Sprintf("%s copied a seal and could not open it", name))
		case u.Verdict == work.Missed || u.Verdict == work.Void || u.Verdict == work.Unavailable:
			list = append(list, fmt.Sprintf("unit %d of %s: %s", u.Index, name, u.Verdict))
		case name == s.cast.late.name && !s.appeared:
			s.appeared = true
			list = append(list, name+" has joined")
		}
	}
	return list, nil
}

// place is where a verifier found a difference, without the values: "fc1.weight[3,17]". The whole remark is among the claims.
func place(detail string) string {
	_, at, found := strings.Cut(detail, "first at ")
	if !found {
		return detail
	}
	at, _, _ = strings.Cut(at, ":")
	return at
}

// metricWords writes what a model of either kind achieves.
func metricWords(m round.Metrics, text bool) string {
	if text {
		return fmt.Sprintf("loss %.3f (%.2f bits per byte), next byte right %.1f %%", m.Loss, m.BitsPerByte, 100*m.Accuracy)
	}
	return fmt.Sprintf("accuracy %.1f %%, AUC %.3f", 100*m.Accuracy, m.AUC)
}
