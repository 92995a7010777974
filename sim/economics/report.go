package economics

import (
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/work"
)

// Report is what a run came to.
type Report struct {
	Finished   bool
	Rounds     int // that admitted something
	Units      int // paid
	Entered    int // of these, false ones that have entered the model
	False      int // false ones that were paid: entered, and not lost with the pay that is kept back
	Caught     int // false ones that have not entered
	Audits     int
	Slashed    map[string]int // members by role who lost their bond
	Framed     int            // honest members among them
	Voided     int            // true units that were not paid
	Watched    int
	Grievances int
	Refused    int
	Blocks     int
	Vested     [len(Windows)]int // false units that would have been paid if pay were kept back for so many rounds
	Gain       []int64           // by player: what it has less what it brought and its executions cost, in millionths of a unit's price
	Lied       []uint64          // by player: false units that it opened
	Opened     []uint64          // by player: units that it opened
	Drawn      []uint64          // by player: audits that it was drawn for and sealed a report about
	Watcher    int64
	Griefer    int64
}

// Windows are the numbers of rounds for which pay might be kept back.
var Windows = [...]uint32{0, 1, 2, 4, 8, 16, 32, 64}

// finish reads the ledger's records.
func (r *Report) finish(n *Network, s *work.State) {
	r.Finished, r.Rounds, r.Slashed, r.Blocks = s.Phase == work.PhaseFinished, int(s.Done), map[string]int{}, int(n.ledger.Height())
	honest := map[protocol.Account]bool{}
	for _, p := range n.players {
		for _, a := range p.accounts {
			honest[a] = p.role == work.Provider && p.provider.Honest() || p.role == work.Verifier && p.verifier == Verifier{}
		}
	}
	expelled := map[protocol.Account]uint32{}
	summaries := n.ledger.Summaries(n.run)
	for _, sum := range summaries {
		r.Audits += int(sum.Audited)
		for _, x := range sum.Slashes {
			expelled[x.Account] = sum.Round
			r.Slashed[string(x.Role)]++
			if honest[x.Account] {
				r.Framed++
			}
		}
	}
	for _, sum := range summaries {
		for _, u := range sum.Units {
			_, lie := n.false_[u.Result.Payload.Root]
			switch {
			case u.Verdict.Pays() && lie:
				r.Entered++
				if at, out := expelled[u.Worker]; !out || at > sum.Round+n.Terms.Vesting.Rounds {
					r.False++
				}
				for i, w := range Windows {
					if at, out := expelled[u.Worker]; !out || at > sum.Round+w {
						r.Vested[i]++
					}
				}
			case lie:
				r.Caught++
			case !u.Verdict.Pays() && u.Verdict != work.Missed:
				r.Voided++
			}
			if u.Verdict.Pays() {
				r.Units++
			}
		}
	}
	cost := int64(n.CostPPM)
	for _, p := range n.players {
		gain := -p.minted - cost*int64(p.executed)
		for _, a := range p.accounts {
			gain += number(n.ledger.Balance(a))
		}
		r.Gain, r.Lied, r.Opened, r.Drawn = append(r.Gain, gain), append(r.Lied, p.lied), append(r.Opened, p.units), append(r.Drawn, p.drawn)
	}
	r.Watcher = number(n.ledger.Balance(n.watcher)) - purse*PPM
	r.Griefer = number(n.ledger.Balance(n.griefer)) - purse*PPM
}

// Play runs one network.
func Play(c Config) (*Report, error) {
	n, err := New(c)
	if err != nil {
		return nil, err
	}
	if err := n.Run(); err != nil {
		return nil, err
	}
	return &n.Report, nil
}
