package demo

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// progress tells a person what goes on: one line that renews itself on a terminal, plain lines elsewhere.
type progress struct {
	out   io.Writer
	began time.Time
	file  *os.File // the terminal, or nil
	stop  chan struct{}
	done  sync.WaitGroup

	mu   sync.Mutex
	text string
}

// renewal is how often the line on a terminal shows the time that has passed.
const renewal = 250 * time.Millisecond

func newProgress(out io.Writer, began time.Time) *progress {
	p := &progress{out: out, began: began, stop: make(chan struct{})}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		p.file = f
		p.done.Go(p.renew)
	}
	return p
}

func (p *progress) renew() {
	tick := time.NewTicker(renewal)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			p.mu.Lock()
			p.show()
			p.mu.Unlock()
		}
	}
}

// say replaces what is shown.
func (p *progress) say(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text = text
	if p.file == nil {
		fmt.Fprintln(p.out, p.line())
		return
	}
	p.show()
}

func (p *progress) line() string {
	return fmt.Sprintf("%6.1f s  %s", time.Since(p.began).Seconds(), p.text)
}

// show requires p.mu. A line longer than the terminal would leave its rest behind when it is replaced.
func (p *progress) show() {
	if p.text == "" {
		return
	}
	line := []rune(p.line())
	if width, _, err := term.GetSize(int(p.file.Fd())); err == nil && width > 1 && len(line) >= width {
		line = append(line[:width-2], '…')
	}
	fmt.Fprintf(p.file, "\r\x1b[K%s", string(line))
}

// above runs print with the line out of its way.
func (p *progress) above(print func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file == nil {
		print()
		return
	}
	fmt.Fprint(p.file, "\r\x1b[K")
	print()
	p.show()
}

// end takes the line away.
func (p *progress) end() {
	close(p.stop)
	p.done.Wait()
	if p.file != nil {
		fmt.Fprint(p.file, "\r\x1b[K")
	}
}
