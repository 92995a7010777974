package work_test

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/work"
)

// FuzzDecodeMsg checks that whatever is accepted is valid, encodes to itself, and that nothing panics.
func FuzzDecodeMsg(f *testing.F) {
	for _, m := range []work.Msg{
		work.CreateRun{Spec: fullSpec(), Nonce: 3}, work.Join{Role: work.Provider, Peer: "/ip4"}, work.Ready{}, work.Leave{},
		work.Commit{Seal: hash("s")}, work.AuditCommit{Seal: hash("s")}, work.AuditReveal{Report: work.Report{Audits: []work.Opening{{Unit: 3}}}},
		work.AuditReveal{Report: work.Report{Available: []bool{true}, Audits: []work.Opening{{Unit: 1, Detail: "d"}}}},
		work.Aggregate{Next: state("x"), Rejected: []uint32{1, 2}, Trace: hash("t")},
	} {
		data, err := json.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(m.Kind(), data)
	}
	f.Fuzz(func(t *testing.T, kind string, data []byte) {
		m, err := work.DecodeMsg(kind, data)
		if err != nil {
			if !errors.Is(err, protocol.ErrInvalid) && !errors.Is(err, protocol.ErrTooLarge) {
				t.Fatalf("error without code: %v", err)
			}
			return
		}
		first, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		back, err := work.DecodeMsg(kind, first)
		if err != nil {
			t.Fatalf("%s is accepted as %s, which is not: %v", data, first, err)
		}
		if second, err := json.Marshal(back); err != nil || string(second) != string(first) {
			t.Fatalf("%s becomes %s, %v", first, second, err)
		}
	})
}

// FuzzApply plays a game of which every byte is a move: somebody acts honestly or not, sends nonsense, or a block closes.
// The rules must hold whatever the order.
func FuzzApply(f *testing.F) {
	f.Add([]byte("\x00\x10\x20\x30\x01\x00\x11\x21\x31\x02"))
	f.Add([]byte("abcdefghijklmnopqrstuvwxyz0123456789"))
	strategies := []strategy{honest, liar, copier, contrarian, shy, echo, stray, mute}
	names := []string{"p1", "p2", "p3", "v1", "v2", "v3", "v4"}
	f.Fuzz(func(t *testing.T, moves []byte) {
		if len(moves) > 400 {
			return
		}
		spec := testSpec()
		spec.MinVerifiers = 3
		w, err := newWorld(spec)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range names[:6] {
			role := work.Provider
			if n[0] == 'v' {
				role = work.Verifier
			}
			if err := w.join(n, role); err != nil {
				t.Fatal(err)
			}
		}
		r := rand.New(rand.NewPCG(uint64(len(moves)), 3))
		for i, move := range moves {
			who := names[int(move>>4)%len(names)]
			// Errors are the answer to most moves; the invariants are what is tested.
			switch verb := move & 15; {
			case verb < 8:
				w.act(who, strategies[verb])
			case verb < 11:
				w.ledger.Advance()
			case verb == 11:
				w.ledger.Submit(account(who), work.Leave{Run: w.run})
			case verb == 12:
				w.ledger.Submit(account(who), work.Ready{Run: w.run})
			case verb == 13:
				w.join(who, work.Verifier)
			default:
				w.ledger.Submit(account(who), nonsense(r, w.state()))
			}
			if move&15 != 8 && i < len(moves)-1 {
				continue // looking after every move would leave little time for moves
			}
			if err := w.check(); err != nil {
				t.Fatalf("after move %d: %v", i, err)
			}
		}
	})
}
