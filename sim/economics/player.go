package economics

import (
	"encoding/binary"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/work"
)

// Provider is a strategy of a worker.
type Provider struct {
	League bool   // verifiers of the league confirm its lies
	LiePPM uint32 // share of its units that it makes up instead of computing
	Sleep  uint32 // clean units before the first lie
	Awake  uint32 // the clean units until which it lies in every unit, even if LiePPM is 0: newcomers' lies; 0: none
	Grind  uint32 // salts that it tries to keep a false unit from its audit, as if nobody else opened a unit
	Sybil  bool   // comes back under a new name when it is expelled
}

// Honest reports whether it never lies.
func (p Provider) Honest() bool { return p.LiePPM == 0 && p.Awake == 0 }

// Verifier is a strategy of an auditor.
type Verifier struct {
	League bool // confirms the lies of the league's workers, without executing anything
	Echo   bool // executes nothing: it seals what it cannot open, a made-up execution
	Slack  bool // reports nothing at all
	Frame  bool // finds another result than the true one
}

// player is a member, under all the names that it has had.
type player struct {
	kind     string
	role     work.Role
	index    int
	provider Provider
	verifier Verifier
	account  protocol.Account
	accounts []protocol.Account
	lives    int
	minted   int64
	executed uint64
	lied     uint64 // units made up and opened
	units    uint64 // units opened
	drawn    uint64 // audits
}

// ask lets a player do its duties.
func (n *Network) ask(p *player, s *work.State) {
	m, _ := s.Member(p.account)
	if m.Status == work.Expelled && (p.provider.Sybil || p.role == work.Verifier && p.verifier.League) {
		_ = n.join(p)
		return
	}
	for _, task := range work.Duty(s, p.account) {
		for _, msg := range n.do(p, s, m, task) {
			if err := n.ledger.Submit(p.account, msg); err != nil {
				n.Report.Refused++
			}
		}
	}
}

// do answers a task.
func (n *Network) do(p *player, s *work.State, m work.Member, task work.Task) []protocol.Msg {
	switch task.Kind {
	case work.TaskReady:
		if p.verifier.Slack {
			return nil
		}
		return []protocol.Msg{work.Ready{Run: s.ID}}
	case work.TaskCompute, work.TaskReveal:
		return n.compute(p, s, m, task)
	case work.TaskAuditCommit, work.TaskAuditReveal:
		return n.audit(p, s, task)
	case work.TaskDispute:
		return p.accuse(s, task)
	case work.TaskAggregate:
		h := s.Current.Model
		for _, i := range task.Units {
			h = new(protocol.Preimage).Hash(h).Hash(s.Round.Units[i].Result.Payload.Root).Digest("economics/aggregate")
		}
		return []protocol.Msg{work.Aggregate{Run: s.ID, Round: task.Round, Next: work.StateRef{Model: h, Outer: h, Blob: h}, Trace: h}}
	}
	return nil
}

// compute seals and opens units, true ones or false ones. What a unit is is decided when it is sealed, before any draw.
func (n *Network) compute(p *player, s *work.State, m work.Member, task work.Task) (list []protocol.Msg) {
	for _, i := range task.Units {
		u := &s.Round.Units[i]
		lie := p.lie(n, m, u.Shard)
		o := execution(u.Shard, !lie)
		result := work.Result{Payload: work.PayloadRef{Root: o.Payload, Blob: name("b"), Size: 1}, Trace: o.TraceRoot()}
		salt := salted(u.Shard, n.Seed, 0)
		if lie {
			salt = p.grind(n, s, *u, m)
		}
		if task.Kind == work.TaskCompute {
			list = append(list, work.Commit{Run: s.ID, Round: task.Round, Unit: i, Seal: work.CommitSeal(s.ID, task.Round, i, u.Shard, p.account, result, salt)})
			continue
		}
		p.units++
		if lie {
			p.lied++
			n.false_[o.Payload] = p.index
		} else {
			p.executed++
		}
		list = append(list, work.Reveal{Run: s.ID, Round: task.Round, Unit: i, Result: result, Salt: salt})
	}
	return list
}

func salted(shard protocol.Hash, seed uint64, try uint32) protocol.Hash {
	return new(protocol.Preimage).Hash(shard).Uint64(seed).Uint32(try).Digest("economics/salt")
}

// grind tries salts until the unit would escape its audit in a round in which it is the only one. In such a round the worker knows the draw
// before it seals.
func (p *player) grind(n *Network, s *work.State, u work.Unit, m work.Member) protocol.Hash {
	u.Status = work.Revealed
	for try := range p.provider.Grind {
		u.Salt = salted(u.Shard, n.Seed, try)
		draw := work.DrawSeed(s.Round.Beacon, s.Round.Number, []work.Unit{u})
		chance := new(protocol.Preimage).Hash(draw).Uint32(u.Index).Digest("mutirao/work/audit") // spec/work.md §2
		if binary.BigEndian.Uint64(chance[:])%PPM >= uint64(s.Spec.Audit.Rate(m.Clean)) {
			return u.Salt
		}
	}
	return salted(u.Shard, n.Seed, 0)
}

// lie decides about a unit: the same each time it is asked.
func (p *player) lie(n *Network, m work.Member, shard protocol.Hash) bool {
	if m.Clean < p.provider.Awake {
		return true
	}
	if m.Clean < p.provider.Sleep {
		return false
	}
	h := new(protocol.Preimage).Hash(shard).Uint64(n.Seed).Digest("economics/lie")
	return (uint32(h[0])<<24|uint32(h[1])<<16|uint32(h[2])<<8|uint32(h[3]))%PPM < p.provider.LiePPM
}

// accuse disputes what the player has called wrong; one that has executed nothing leaves it.
func (p *player) accuse(s *work.State, task work.Task) (list []protocol.Msg) {
	if p.verifier.Echo {
		return nil
	}
	for _, i := range task.Units {
		list = append(list, dispute.Open{Run: s.ID, Round: task.Round, Unit: i, Nonce: uint64(s.Round.Pass)})
	}
	return list
}

func (n *Network) audit(p *player, s *work.State, task work.Task) []protocol.Msg {
	if p.verifier.Slack {
		return nil
	}
	r := work.Report{Available: make([]bool, len(s.Round.Units)), Audits: n.findings(p, s, task)}
	for i := range r.Available {
		r.Available[i] = s.Round.Units[i].Opened()
	}
	salt := name("salt")
	if task.Kind == work.TaskAuditReveal {
		return []protocol.Msg{work.AuditReveal{Run: s.ID, Round: task.Round, Pass: task.Pass, Report: r, Salt: salt}}
	}
	return []protocol.Msg{work.AuditCommit{Run: s.ID, Round: task.Round, Pass: task.Pass, Seal: work.ReportSeal(s.ID, task.Round, task.Pass, p.account, r, salt)}}
}

// findings are a verifier's openings.
func (n *Network) findings(p *player, s *work.State, task work.Task) (list []work.Opening) {
	first := task.Kind == work.TaskAuditCommit
	if first {
		p.drawn += uint64(len(task.Units))
	}
	for _, i := range task.Units {
		u := &s.Round.Units[i]
		_, lied := n.false_[u.Result.Payload.Root]
		o := execution(u.Shard, true)
		switch {
		case p.verifier.Echo, p.verifier.Frame:
			o = execution(p.forged(u.Shard), false)
		case p.verifier.League && lied:
			o = execution(u.Shard, false)
		}
		if first && !p.verifier.Echo && !(p.verifier.League && lied) {
			p.executed++
			n.executed++
		}
		o.Unit = i
		list = append(list, o)
	}
	return list
}

// forged is what one who has executed nothing can say: something of its own.
func (p *player) forged(shard protocol.Hash) protocol.Hash {
	if p.verifier.League {
		return shard
	}
	return new(protocol.Preimage).Hash(shard).Account(p.account).Digest("economics/forged")
}
