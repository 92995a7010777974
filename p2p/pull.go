package p2p

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
)

// A peer is dropped for the rest of a fetch after so much trouble, or at once when it stalls.
const (
	maxRefusals = 3
	maxBroken   = 5
)

// How a session with a peer ended, besides trouble of the wire.
var (
	errUnreached = errors.New("not reached")                         // may come up: dial again
	errAbsent    = errors.New("does not have it")                    // may come: ask again
	errIdle      = errors.New("has nothing more of it")              // ask again when that may have changed
	errRefused   = errors.New("refused a piece that it said it has") // counted
	errLocal     = errors.New("own store failed")                    // ends the fetch, blames nobody
)

// pull takes pieces from one peer until the fetch ends or the peer is dropped.
func (f *fetch) pull(ctx context.Context, s *source) {
	wait := f.h.timing.pollMin
	for {
		if f.worthAsking(s) {
			select {
			case f.slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			gained, err := f.session(ctx, s)
			<-f.slots
			if ctx.Err() != nil || errors.Is(err, errLocal) || f.blame(s, err) {
				return
			}
			if gained {
				wait = f.h.timing.pollMin
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = min(2*wait, f.h.timing.pollMax)
	}
}

// worthAsking is false while a peer that holds the whole blob could give nothing, because others are fetching all of it.
func (f *fetch) worthAsking(s *source) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return s.held == nil || slices.Contains(s.held, false) || len(f.choose(s.held)) > 0
}

// blame books why a session ended and reports whether the peer is to be dropped.
func (f *fetch) blame(s *source, err error) (dropped bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case errors.Is(err, errUnreached), errors.Is(err, errAbsent), errors.Is(err, errIdle):
		if s.broken == 0 && s.refused == 0 {
			s.reason = err
		}
		return false
	case errors.Is(err, errStalled):
		s.reason, s.dropped = err, true
	case errors.Is(err, errRefused):
		s.refused++
		s.reason, s.dropped = fmt.Errorf("%d refusals, the last: %w", s.refused, err), s.refused >= maxRefusals
	default:
		s.broken++
		s.reason, s.dropped = fmt.Errorf("%d broken transfers, the last: %w", s.broken, err), s.broken >= maxBroken
	}
	return s.dropped
}

// session opens a stream, asks what the peer holds and takes pieces while there are any. It reports whether a piece came;
// the error is never nil.
func (f *fetch) session(ctx context.Context, s *source) (gained bool, err error) {
	l, err := f.dial(ctx, s)
	if err != nil {
		return false, fmt.Errorf("%w: %w", errUnreached, err)
	}
	stop := context.AfterFunc(ctx, func() { l.stream.Reset() })
	defer stop()
	defer l.stream.Reset()

	m, held, err := f.ask(l)
	if err != nil {
		return false, err
	}
	if !f.begin(m) {
		return false, errLocal
	}
	f.mu.Lock()
	s.held = held
	f.pulling++
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.pulling--
		f.mu.Unlock()
	}()
	for {
		batch := f.claim(held)
		if len(batch) == 0 {
			return gained, errIdle
		}
		n, err := f.take(l, m, batch)
		f.release(batch)
		gained = gained || n > 0
		if err != nil {
			return gained, err
		}
	}
}

func (f *fetch) dial(ctx context.Context, s *source) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, f.h.timing.dial)
	defer cancel()
	f.mu.Lock()
	info := s.info
	f.mu.Unlock()
	// libp2p would not dial a peer again for seconds to minutes after a failure; the waits of pull replace that.
	if sw, ok := f.h.host.Network().(*swarm.Swarm); ok {
		sw.Backoff().Clear(info.ID)
	}
	if err := f.h.host.Connect(ctx, info); err != nil {
		return nil, err
	}
	stream, err := f.h.host.NewStream(network.WithNoDial(ctx, "just connected"), info.ID, blobProtocol)
	if err != nil {
		return nil, err
	}
	return f.h.link(stream, f.h.timing.stall), nil
}

// ask returns the checked manifest and the pieces that the peer holds.
func (f *fetch) ask(l *link) (manifest, []bool, error) {
	if err := l.send(request{kind: kindHave, id: f.id}.encode()); err != nil {
		return manifest{}, nil, err
	}
	k, body, err := l.receive()
	switch {
	case err != nil:
		return manifest{}, nil, err
	case k == kindRefuse:
		r, err := decodeRefusal(body)
		if err == nil {
			err = errAbsent
			if r == refuseBusy {
				err = fmt.Errorf("%w yet: %v", errAbsent, r)
			}
		}
		return manifest{}, nil, err
	case k != kindHolding:
		return manifest{}, nil, fmt.Errorf("%w: kind %d answers a question for pieces", ErrMessage, k)
	}
	m, held, err := decodeHolding(body, f.max)
	if err != nil {
		return manifest{}, nil, err
	}
	if got := m.address(); got != f.id {
		return manifest{}, nil, fmt.Errorf("%w: it belongs to %s", ErrManifest, got)
	}
	return m, held, nil
}

// take asks for all pieces of batch and stores each that arrives right. It returns how many did.
func (f *fetch) take(l *link, m manifest, batch []int) (n int, err error) {
	var asks []byte
	for _, i := range batch {
		asks = append(asks, request{kind: kindGet, id: f.id, piece: uint32(i)}.encode()...)
	}
	if err := l.send(asks); err != nil {
		return 0, err
	}
	for _, i := range batch {
		k, body, err := l.receive()
		if err != nil {
			return n, fmt.Errorf("piece %d: %w", i, err)
		}
		switch k {
		case kindRefuse:
			r, err := decodeRefusal(body)
			if err == nil {
				err = fmt.Errorf("%w: piece %d: %v", errRefused, i, r)
			}
			return n, err
		case kindPiece:
		default:
			return n, fmt.Errorf("%w: kind %d answers a request for piece %d", ErrMessage, k, i)
		}
		data, err := decodePiece(body, i)
		if err != nil {
			return n, err
		}
		if err := m.check(i, data); err != nil {
			return n, err
		}
		if f.store(i, data) != nil {
			return n, errLocal
		}
		n++
	}
	return n, nil
}
