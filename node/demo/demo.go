// Package demo shows the main job on one machine: a network of validators in this process and of providers in processes of
// their own trains a model on real data, while one provider lies, one copies, one is killed and one joins late. It checks
// what it shows, and says so. It has no rule and no arithmetic of its own.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/mutirao/mutirao/node/failure"
)

// Options are what a person decides.
type Options struct {
	Seed uint64    // of all keys and draws
	Run  string    // name of an example
	Dir  string    // where everything is kept; empty: a temporary folder that is removed
	RPC  string    // where Ethereum's JSON-RPC listens, host:port; empty: a free port of this machine's loopback
	Keep bool      // leave the network running at the end
	JSON bool      // the result as one JSON object instead of the table
	Out  io.Writer // results
	Err  io.Writer // progress
}

var errClaims = errors.New("not every claim held")

// Run shows the demo. It returns nil only if every claim was checked and held.
func Run(ctx context.Context, o Options) (err error) {
	began := time.Now()
	dir, cleanup, err := openDir(o)
	if err != nil {
		return err
	}
	defer cleanup()
	s := &show{Options: o, dir: dir, began: began, troupe: newTroupe(), progress: newProgress(o.Err, began)}
	defer s.progress.end() // after close, which may have something to say
	defer s.close()
	err = s.tell(ctx)
	if errors.Is(err, context.Canceled) {
		return failure.New(failure.Interrupted, "the demo was interrupted", err, o.again())
	}
	return err
}

// again is how to go on after an interruption.
func (o Options) again() string {
	if o.Dir == "" {
		return "mutirao demo --dir D  keeps what was done, so that the same command goes on"
	}
	return "the same command goes on from the last block"
}

// tell is the whole story.
func (s *show) tell(ctx context.Context) error {
	if err := s.prepare(); err != nil {
		return err
	}
	if err := s.perform(ctx); err != nil {
		return err
	}
	r, err := s.report(ctx)
	if err != nil {
		return err
	}
	s.progress.above(func() { err = s.print(r) })
	if err != nil {
		return err
	}
	if s.Keep {
		s.progress.above(s.explainKeep)
		s.say("running; Ctrl-C ends it")
		<-ctx.Done()
	} else {
		s.say("ending every process")
	}
	if failed := r.failed(); failed != "" {
		return failure.New(failure.Unverified, "the demo's claim did not hold: "+failed, errClaims, "mutirao demo --json | less  (field claims says what was measured)")
	}
	return nil
}

// openDir makes the folder of the demo. A temporary one is removed at the end.
func openDir(o Options) (dir string, cleanup func(), err error) {
	cleanup = func() {}
	if o.Dir == "" {
		if dir, err = os.MkdirTemp("", "mutirao-demo-"); err != nil {
			return "", nil, failure.New(failure.General, "cannot make a temporary folder", err, "name a folder with --dir")
		}
		return dir, func() { os.RemoveAll(dir) }, nil
	}
	if dir, err = filepath.Abs(o.Dir); err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return "", nil, failure.New(failure.General, "cannot use the folder "+o.Dir, err, "choose another with --dir")
	}
	return dir, cleanup, nil
}

// say reports progress to a person.
func (s *show) say(format string, args ...any) { s.progress.say(fmt.Sprintf(format, args...)) }
