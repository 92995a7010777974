package dispute

import (
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/bisect"
)

// ClaimOf is what the worker of a unit of a run's open round claims, with what the ledger knows about the run and its data.
func ClaimOf(run *work.State, u work.Unit, data registry.Dataset) Claim {
	return Claim{Run: run.ID, Round: run.Round.Number, Unit: u.Index, Defender: u.Worker, Shard: u.Shard, Terms: bisect.Terms{
		Program: run.Spec.Program, Model: run.Current.Model, Dataset: data.Root, Records: int(data.Records), Steps: int(run.Spec.Steps),
		Trace: u.Result.Trace, Payload: u.Result.Payload.Root,
	}}
}

// AuditIn is the audit of a claim's unit in its run as it stands now.
func (c Claim) AuditIn(run *work.State) Audit {
	confirmed, due := run.Audit(c.Round, c.Unit)
	return Audit{confirmed, due}
}

// RulingIn finds the ruling among the effects of a transition; there is one exactly if the transition has ended a dispute.
func RulingIn(effects []protocol.Effect) (Ruling, bool) {
	for _, e := range effects {
		if record, ok := e.(protocol.Record); ok {
			if r, ok := record.Value.(Ruling); ok {
				return r, true
			}
		}
	}
	return Ruling{}, false
}

// Conviction is what the run hears of a ruling; nil if the claim stands.
func (r Ruling) Conviction() *work.Conviction {
	if r.Verdict != bisect.Refuted {
		return nil
	}
	return &work.Conviction{Detail: r.Reason, Second: r.Second, Bounty: func(amount money.Amount) []work.Payee {
		var list []work.Payee
		for _, s := range r.Bounty(amount) {
			list = append(list, work.Payee{To: s.Account, Amount: s.Bond})
		}
		return list
	}}
}
