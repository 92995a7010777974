package commons

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
)

// Newcomer is what the commons notes of an account that began without coins.
type Newcomer struct {
	Run  protocol.Hash `json:"run"`  // the calibration run that it has joined; zero for none yet
	Free uint32        `json:"free"` // transactions whose fee was waived
}

// Newcomers counts those of an epoch.
type Newcomers struct {
	Epoch uint64 `json:"epoch"`
	Count uint32 `json:"count"`
}

// Admit lets an account work in a calibration run. Errors: ErrExists if it has worked in one before, ErrFull if as many as an epoch
// allows have begun in it. Rule: spec/commons.md §8.
func (n Newcomers) Admit(who Newcomer, run protocol.Hash, p Params, env protocol.Env) (Newcomers, Newcomer, error) {
	if now := p.epoch(env.Height); now != n.Epoch {
		n = Newcomers{Epoch: now}
	}
	switch {
	case !who.Run.IsZero():
		return n, who, fmt.Errorf("%w: the account was a newcomer in run %.8s", protocol.ErrExists, who.Run)
	case n.Count >= p.Newcomers:
		return n, who, fmt.Errorf("%w: %d newcomers have begun; the next epoch begins in block %d", protocol.ErrFull, n.Count, (n.Epoch+1)*p.EpochBlocks)
	}
	n.Count++
	who.Run = run
	return n, who, nil
}

// Waive reports whether the fee of another transaction about a calibration run is waived, and counts it. Rule: spec/commons.md §8.
func (n Newcomer) Waive(p Params) (Newcomer, bool) {
	if n.Free >= p.FreeTxs {
		return n, false
	}
	n.Free++
	return n, true
}
