package work

import (
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/verify/merkle"
	"github.com/mutirao/mutirao/verify/trace"
)

// Domains of this package's hashes. Rule: spec/work.md §2.
const (
	domainRun      = "mutirao/work/run"
	domainBeacon   = "mutirao/work/beacon"
	domainAssign   = "mutirao/work/assign"
	domainShard    = "mutirao/work/shard"
	domainReassign = "mutirao/work/reassign"
	domainCommit   = "mutirao/work/commit"
	domainDraw     = "mutirao/work/draw"
	domainAudit    = "mutirao/work/audit"
	domainAuditor  = "mutirao/work/auditor"
	domainReport   = "mutirao/work/report"
	domainOpening  = "mutirao/work/opening"
)

// RunID names the run that an author creates with a Spec and a nonce.
func RunID(author protocol.Account, m CreateRun) protocol.Hash {
	return m.Spec.preimage(new(protocol.Preimage).Account(author).Uint64(m.Nonce)).Digest(domainRun)
}

// preimage appends every field of a Spec in the order of its declaration; parents, after
// their number, only if there are any, the class only of a run that hires through the market, and what came later, each after its
// name, only if it is not zero.
func (s Spec) preimage(p *protocol.Preimage) *protocol.Preimage {
	p.Text(s.Name).Hash(s.Dataset).Hash(s.Program).Hash(s.InferenceProgram).Uint32(uint32(len(s.Params)))
	for _, name := range s.Params {
		p.Text(name)
	}
	p.Bytes(s.Recipe).Hash(s.Initial.Model).Hash(s.Initial.Outer).Hash(s.Initial.Blob)
	p.Uint32(s.Rounds).Uint32(s.Steps).Uint64(s.UnitTokens).Uint32(s.MaxUnits)
	p.Uint32(s.MinProviders).Uint32(s.MinVerifiers).Uint32(s.LeastVerifiers).Hash(s.Seed)
	p.Amount(s.Price.PerUnit).Uint32(s.Split.Provider).Uint32(s.Split.Verifiers).Uint32(s.Split.Burn)
	p.Amount(s.ProviderBond).Amount(s.VerifierBond)
	p.Uint32(s.Audit.NewcomerUnits).Uint32(s.Audit.CleanDivisor).Uint32(s.Audit.FloorPPM).Uint32(s.Audit.FinePrices)
	w := s.Windows
	p.Uint32(w.Compute).Uint32(w.Reveal).Uint32(w.AuditCommit).Uint32(w.AuditReveal).Uint32(w.Dispute).Uint32(w.Aggregate).Uint32(w.Wait)
	if len(s.Parents) > 0 {
		p.Uint32(uint32(len(s.Parents)))
		for _, parent := range s.Parents {
			p.Hash(parent.Model).Uint32(parent.PPM)
		}
	}
	if s.Market != nil {
		p.Hash(s.Market.Class.ID())
	}
	for _, n := range []struct {
		name  string
		value uint32
	}{{"challenge", w.Challenge}, {"vesting", s.Vesting.Rounds}, {"contest", w.Contest}} {
		if n.value > 0 {
			p.Text(n.name).Uint32(n.value)
		}
	}
	if s.Calibration {
		p.Text("calibration").Uint32(1)
	}
	return p
}

// FirstBeacon is the randomness of a run's first round.
func FirstBeacon(seed protocol.Hash) protocol.Hash {
	return new(protocol.Preimage).Hash(seed).Digest(domainBeacon)
}

// ShardSeed decides which data a worker reads in a unit, in which order, and all other randomness of the unit.
func ShardSeed(beacon protocol.Hash, round, unit, attempt uint32, worker protocol.Account) protocol.Hash {
	return new(protocol.Preimage).Hash(beacon).Uint32(round).Uint32(unit).Uint32(attempt).Account(worker).Digest(domainShard)
}

// CommitSeal is the seal of a result. The worker is inside, so whoever copies a seal can never open it.
func CommitSeal(run protocol.Hash, round, unit uint32, shard protocol.Hash, worker protocol.Account, r Result, salt protocol.Hash) protocol.Hash {
	p := new(protocol.Preimage).Hash(run).Uint32(round).Uint32(unit).Hash(shard).Account(worker)
	p.Hash(r.Payload.Root).Hash(r.Payload.Blob).Uint64(r.Payload.Size).Hash(r.Trace)
	return p.Hash(salt).Digest(domainCommit)
}

// DrawSeed is the randomness of audits: a hash of the round's beacon and of every worker and salt that was
// revealed, by unit index. Nobody knows it before the last reveal.
func DrawSeed(beacon protocol.Hash, round uint32, units []Unit) protocol.Hash {
	p := new(protocol.Preimage).Hash(beacon).Uint32(round)
	for i := range units {
		if u := &units[i]; u.Opened() {
			p.Uint32(u.Index).Account(u.Worker).Hash(u.Salt)
		}
	}
	return p.Digest(domainDraw)
}

// NextBeacon is the randomness of the round after one with this DrawSeed.
func NextBeacon(draw protocol.Hash) protocol.Hash {
	return new(protocol.Preimage).Hash(draw).Digest(domainBeacon)
}

// ReportSeal is the seal of a verifier's report in an audit pass.
func ReportSeal(run protocol.Hash, round, pass uint32, verifier protocol.Account, r Report, salt protocol.Hash) protocol.Hash {
	p := new(protocol.Preimage).Hash(run).Uint32(round).Uint32(pass).Account(verifier).Uint32(uint32(len(r.Available)))
	for _, available := range r.Available {
		p.Bool(available)
	}
	return openings(p, r.Audits).Hash(salt).Digest(domainReport)
}

func openings(p *protocol.Preimage, list []Opening) *protocol.Preimage {
	p.Uint32(uint32(len(list)))
	for i := range list {
		p.Uint32(list[i].Unit).Hash(list[i].Digest()).Text(list[i].Detail)
	}
	return p
}

// Digest is equal for two openings exactly if they found the same points and payload.
func (o *Opening) Digest() protocol.Hash {
	p := new(protocol.Preimage)
	for i := range o.Points {
		p.Hash(o.Points[i])
	}
	return p.Hash(o.Payload).Digest(domainOpening)
}

// Agrees reports whether the opening confirms a worker's result.
func (o *Opening) Agrees(r Result) bool {
	return o.Payload == r.Payload.Root && o.TraceRoot() == r.Trace
}

// TraceRoot is the root that a worker who found the same would have revealed.
func (o *Opening) TraceRoot() protocol.Hash {
	return trace.TraceRoot([trace.Points]merkle.Hash(o.Points), o.Payload)
}

func (o *Opening) finding(r Result) *Finding {
	return &Finding{Digest: o.Digest(), Agrees: o.Agrees(r), Detail: o.Detail}
}
