package validatorcmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/mutirao/mutirao/agent/workshop"
	"github.com/mutirao/mutirao/chain/validator"
	"github.com/mutirao/mutirao/node/event"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/running"
)

// watch is how often a running node is looked after.
const watch = time.Second

var (
	errUpgrade   = errors.New("the network goes on with another version of the program")
	errElsewhere = errors.New("has a signature of this node's key that this folder knows nothing of: another node signs with it, or the folder is an old copy")
)

// Start runs the node of a folder until ctx ends, the network needs another program, or another node signs with its key, which takeOver
// says is gone.
func Start(ctx context.Context, dir string, takeOver bool, news *event.Writer) (err error) {
	h, err := Open(dir)
	if err != nil {
		return err
	}
	c, err := h.node()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(dir, "log.txt"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return failure.New(failure.Denied, "the node cannot write its log", err, "check the permissions of "+dir)
	}
	defer log.Close()
	c.Log, c.Programs, c.TakeOver = log, workshop.NewPrograms(), takeOver
	n, err := validator.Start(ctx, c)
	if err != nil {
		return startFailure(h, err)
	}
	defer func() {
		err = errors.Join(err, n.Stop())
	}()
	forget, err := running.Announce(dir, []string{n.RPC()}, n.JSONRPC())
	if err != nil {
		return err
	}
	defer forget()
	news.Emit(event.Event{Name: "ready", Detail: fmt.Sprintf("account %s · peer %s · RPC %s%s", h.Key.Account(), made(h).Peer, n.RPC(), metricsAt(c))})
	return look(ctx, n, dir, news)
}

func metricsAt(c validator.Config) string {
	if c.Metrics == "" {
		return ""
	}
	return " · metrics http://" + c.Metrics + "/metrics"
}

// look tells when the node begins and ceases to follow the chain.
func look(ctx context.Context, n *validator.Node, dir string, news *event.Writer) error {
	said := ""
	for {
		h := n.Health()
		if h.Reason != said {
			said = h.Reason
			news.Emit(event.Event{Name: said, Detail: fmt.Sprintf("block %d · %d peers", h.Height, h.Peers)})
		}
		if h.Upgrade != "" {
			return failure.New(failure.General, fmt.Sprintf("the chain stopped before block %d", h.Height+1), fmt.Errorf("%w: upgrade %q", errUpgrade, h.Upgrade),
				"install the version with that upgrade and start it with the same command")
		}
		if h.Reason == "upgrade-early" { // voted for while this program ran
			return failure.New(failure.General, fmt.Sprintf("the node stopped at block %d", h.Height), validator.ErrEarly, nextEarly)
		}
		if h.Elsewhere > 0 {
			return failure.New(failure.Denied, "the node stopped before it signed", fmt.Errorf("block %d %w", h.Elsewhere, errElsewhere),
				"end the other node; if it is gone for good: mutirao validator start --take-over --home "+dir)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(watch):
		}
	}
}

// nextEarly is what to do with a program that is too new.
const nextEarly = "start the version before that upgrade; it says when this one is needed"

func startFailure(h *Home, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	next := "see " + filepath.Join(h.Dir, "log.txt")
	code := failure.General
	switch {
	case errors.Is(err, validator.ErrAddressInUse), errors.Is(err, validator.ErrAddress):
		next, code = "end the program that listens there, or change the address in "+filepath.Join(h.Dir, configFile), failure.Network
	case errors.Is(err, validator.ErrEarly):
		next = nextEarly
	case errors.Is(err, validator.ErrLocked):
		next, code = "end the other process: two nodes with one key would be punished", failure.Denied
	}
	return failure.New(code, "the node did not start", err, next)
}
