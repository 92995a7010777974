package p2p

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// timing holds the deadlines of transfers; tests shorten them.
type timing struct {
	dial     time.Duration // to connect and open a stream
	stall    time.Duration // without a byte: the peer is given up
	frame    time.Duration // for one frame, however steadily it drips
	idle     time.Duration // a server's patience between two requests
	pollMin  time.Duration // between two questions to one peer, doubling from here
	pollMax  time.Duration // up to here
	second   time.Duration // after which a piece under way may be asked of a second peer
	announce time.Duration // between two looks at the list of peers
}

var defaultTiming = timing{
	dial:     5 * time.Second,
	stall:    5 * time.Second,
	frame:    30 * time.Second, // 64 KiB at 17 kbit/s
	idle:     10 * time.Second,
	pollMin:  50 * time.Millisecond,
	pollMax:  time.Second,
	second:   time.Second,
	announce: 100 * time.Millisecond,
}

// errStalled reports a peer that sent or took nothing for timing.stall, or not one frame in timing.frame.
var errStalled = errors.New("no progress")

// link is one stream with deadlines and with its bytes counted. One goroutine uses it.
type link struct {
	stream network.Stream
	host   *Host
	stall  time.Duration
	until  time.Time // end of the current frame
}

func (h *Host) link(s network.Stream, stall time.Duration) *link {
	return &link{stream: s, host: h, stall: stall}
}

// receive reads one frame.
func (l *link) receive() (kind, []byte, error) {
	l.until = time.Now().Add(l.host.timing.frame)
	return readFrame(l, l.host.cfg.MaxBlob)
}

// Read is io.Reader for receive: each call has the stall deadline, all calls for one frame together that of the frame.
func (l *link) Read(p []byte) (int, error) {
	deadline := time.Now().Add(l.stall)
	if l.until.Before(deadline) {
		deadline = l.until
	}
	if err := l.stream.SetReadDeadline(deadline); err != nil {
		return 0, err
	}
	n, err := l.stream.Read(p)
	l.host.in.Add(uint64(n))
	return n, l.explain(err)
}

// send writes whole frames.
func (l *link) send(b []byte) error {
	if err := l.stream.SetWriteDeadline(time.Now().Add(l.host.timing.frame)); err != nil {
		return err
	}
	n, err := l.stream.Write(b)
	l.host.out.Add(uint64(n))
	return l.explain(err)
}

func (l *link) explain(err error) error {
	if t := net.Error(nil); errors.As(err, &t) && t.Timeout() {
		return fmt.Errorf("%w for %v", errStalled, l.stall)
	}
	if errors.Is(err, io.EOF) {
		return io.EOF // libp2p wraps it; io.ReadFull compares
	}
	return err
}
