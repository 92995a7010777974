// Package child owns processes of this same binary that live and die with the process that started them.
package child

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/mutirao/mutirao/node/event"
)

// Child is a process that ends with its parent, however the parent ends: it reads its standard
// input, a pipe that the system closes when the parent is gone, and stops at the end of it (see UntilParentEnds).
type Child struct {
	name   string
	cmd    *exec.Cmd
	stdin  io.Closer
	events chan event.Event
	done   chan struct{} // closed when the process has been waited for
	err    error         // of Wait, valid after done
}

// Start runs this binary with args; its events come on Events(), what it says to people goes to dir/log.txt.
func Start(name, dir string, args ...string) (*Child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(dir, "log.txt"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the process has its own copy

	cmd := exec.Command(self, args...)
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C reaches the parent alone, which ends its children in order
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	c := &Child{name: name, cmd: cmd, stdin: stdin, events: make(chan event.Event, 256), done: make(chan struct{})}
	go c.read(stdout)
	return c, nil
}

// Name is the name that Start was given.
func (c *Child) Name() string { return c.name }

// Events delivers what the process reports; it is closed when the process has ended.
func (c *Child) Events() <-chan event.Event { return c.events }

// PID is the id of the process.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// maxEvent bounds one event in bytes; its detail may hold an error with a line for each of a thousand peers.
const maxEvent = 1 << 20

// read forwards the child's events and then reaps it. After a line that is too long nothing more is heard of the child,
// but its pipe is emptied to the end, or it would wait for that for ever.
func (c *Child) read(stdout io.Reader) {
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, maxEvent)
	for lines.Scan() {
		var e event.Event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue // not an event: nothing else is promised on this pipe
		}
		select {
		case c.events <- e:
		default: // nobody listens; events are news, not state
		}
	}
	io.Copy(io.Discard, stdout)
	c.err = c.cmd.Wait()
	close(c.events)
	close(c.done)
}

// Kill ends the process at once, as a power cut would.
func (c *Child) Kill() error {
	if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-c.done
	return nil
}

// Stop closes the child's standard input and gives it a while to end by itself.
func (c *Child) Stop(grace time.Duration) {
	c.stdin.Close()
	select {
	case <-c.done:
	case <-time.After(grace):
		c.cmd.Process.Kill()
		<-c.done
	}
}

// StopAll stops the children together.
func StopAll(children []*Child, grace time.Duration) {
	var wg sync.WaitGroup
	for _, c := range children {
		wg.Go(func() { c.Stop(grace) })
	}
	wg.Wait()
}

// UntilParentEnds returns a context that ends when in reaches its end, which for a pipe is when the parent is gone.
func UntilParentEnds(ctx context.Context, in io.Reader) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer cancel()
		io.Copy(io.Discard, in)
	}()
	return ctx
}
