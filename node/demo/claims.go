package demo

import (
	"context"
	"fmt"
	"strings"

	rpchttp "github.com/cometbft/cometbft/rpc/client/http"

	"github.com/mutirao/mutirao/learn/recipe"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/work"
)

// claim is something that the demo promises, with what was measured.
type claim struct {
	Name   string `json:"name"`
	Held   bool   `json:"held"`
	Detail string `json:"detail"`
}

// claims checks everything that the demo promises, from the ledger's records and from recomputation.
func (s *show) claims(ctx context.Context, r *report, model registry.Model, receipts []work.Receipt) ([]claim, error) {
	agree, err := s.validatorsAgree(ctx)
	if err != nil {
		return nil, err
	}
	hired, err := s.hiredByMarket(ctx)
	if err != nil {
		return nil, err
	}
	supply, err := s.supplyExact(ctx, r.Payments)
	if err != nil {
		return nil, err
	}
	token, err := s.sharesMove(ctx, model)
	if err != nil {
		return nil, err
	}
	list := []claim{
		agree,
		s.registered(),
		hired,
		s.neverStalled(),
		s.oneRoot(),
		s.learned(r.Result),
		s.liarCaught(r.Payments),
		s.gamePlayed(),
		s.copierUnpaid(r.Payments),
		s.killedReplaced(),
		s.lateJoined(r.Payments),
		s.honestUnharmed(),
		s.receiptsCover(receipts),
		supply,
		s.modelOwned(model),
		token,
	}
	if r.Contract != nil {
		return append(list, contractExact(r.Contract), usePaid(r.Contract)), nil
	}
	return append(list, wrote(r.Sample)), nil
}

// validatorsAgree compares the state of all validators after the same block.
func (s *show) validatorsAgree(ctx context.Context) (claim, error) {
	c := claim{Name: "validators-agree"}
	height := int64(1 << 62)
	for _, n := range s.ledger.nodes {
		height = min(height, n.Height())
	}
	hashes := map[string]int{}
	for _, endpoint := range s.ledger.endpoints() {
		rpc, err := rpchttp.New(endpoint, "/websocket")
		if err != nil {
			return c, err
		}
		block, err := rpc.Block(ctx, &height)
		if err != nil {
			return c, err
		}
		hashes[block.Block.AppHash.String()]++
	}
	c.Held = len(hashes) == 1 && len(s.ledger.nodes) == s.recipe.Network.Validators
	c.Detail = fmt.Sprintf("%d validators, %d different app hash(es) in block %d", len(s.ledger.nodes), len(hashes), height)
	return c, nil
}

func (s *show) registered() claim {
	spec := s.final.Spec
	return claim{"run-registered", !spec.Dataset.IsZero() && spec.Budget().Compare(s.spec.Budget()) == 0,
		fmt.Sprintf("dataset %s, run %s, %s locked before work began", spec.Dataset.String()[:12], s.run.String()[:12], spec.Budget().Coins())}
}

func (s *show) neverStalled() claim {
	held := s.final.Phase == work.PhaseFinished && s.final.Done == s.final.Spec.Rounds
	for _, x := range s.summaries {
		held = held && x.Admitted > 0
	}
	return claim{"training-never-stalled", held, fmt.Sprintf("%d of %d rounds done, each with admitted units", s.final.Done, s.final.Spec.Rounds)}
}

// oneRoot: verifiers voted for the ledger's root, the trainer replayed each round, and providers computed the same beside them.
func (s *show) oneRoot() claim {
	held, computed := true, 0
	for _, row := range s.rows {
		held = held && row.Replayed
		for _, root := range s.troupe.roots(row.Round) {
			held = held && root == row.Model
			computed++
		}
	}
	// Who continues a demo has not heard what was computed before; the replays stand for themselves.
	return claim{"one-model-root", held && (computed > 0 || s.continued), fmt.Sprintf("%d computations of %d aggregates by verifiers and providers, and a replay of each by the trainer: equal bit for bit", computed, len(s.rows))}
}

// learned asks for nine tenths of what the baseline takes off the loss, at most a tenth more loss than it has, and for tables at most three points
// less of accuracy and two and a half of AUC. The baseline itself must not be what has failed: texts lose 40 % of their first loss, tables, of which
// some hold little to learn, 20 %.
func (s *show) learned(r result) claim {
	c := claim{Name: "model-learned", Detail: fmt.Sprintf("held-out loss from %.3f to %.3f; %s; one machine with all data: %s", r.FirstLoss, r.Loss, r.words, r.centralWords)}
	base := r.Centralised
	c.Held = r.FirstLoss-r.Loss >= 0.9*(r.FirstLoss-base.Loss) && r.Loss < 1.1*base.Loss
	if s.recipe.Data.Kind == recipe.Text {
		c.Held = c.Held && r.Loss < 0.6*r.FirstLoss
	} else {
		c.Held = c.Held && r.Loss < 0.8*r.FirstLoss && r.Accuracy >= base.Accuracy-0.03 && r.AUC >= base.AUC-0.025
	}
	return c
}

func (s *show) liarCaught(p payments) claim {
	who := s.cast.named(liar)
	e := p.of(liar)
	for _, summary := range s.summaries {
		for _, x := range summary.Slashes {
			if x.Account == who.account {
				return claim{"liar-caught", e.Slashed.Compare(s.spec.ProviderBond) == 0 && s.paidAfter(who.account, summary.Round).IsZero(),
					fmt.Sprintf("%s in round %d: %s; slashed %s, unit unpaid", liar, summary.Round, x.Detail, x.Amount.Coins())}
			}
		}
	}
	return claim{"liar-caught", false, liar + " was never caught"}
}

// paidAfter is what an account earned with units from a round on.
func (s *show) paidAfter(who protocol.Account, round uint32) (sum money.Amount) {
	for _, summary := range s.summaries {
		for _, u := range summary.Units {
			if summary.Round >= round && u.Worker == who && u.Verdict.Pays() {
				sum = sum.Plus(s.unitPrice(who))
			}
		}
	}
	return sum
}

func (s *show) copierUnpaid(p payments) claim {
	e, tried := p.of(copier), 0
	for _, summary := range s.summaries {
		for _, u := range summary.Units {
			if u.Worker == s.cast.named(copier).account {
				tried++
			}
		}
	}
	return claim{"copier-unpaid", tried > 0 && e.Earned.IsZero() && e.Units == 0, fmt.Sprintf("%s had %d unit(s), earned %s", copier, tried, e.Earned.Coins())}
}

func (s *show) killedReplaced() claim {
	for _, summary := range s.summaries {
		for _, x := range summary.Reassigned {
			if x.From != s.cast.named(victim).account {
				continue
			}
			unit := summary.Units[x.Unit]
			return claim{"killed-replaced", s.memory.Killed && unit.Worker == x.To && unit.Verdict.Pays(),
				fmt.Sprintf("%s killed (SIGKILL) in round %d, its unit %d done by %s", victim, summary.Round, x.Unit, s.cast.name(x.To))}
		}
	}
	return claim{"killed-replaced", false, "no unit of " + victim + " was reassigned"}
}

func (s *show) lateJoined(p payments) claim {
	e := p.of(s.cast.late.name)
	return claim{"late-joiner-earned", e.Units > 0, fmt.Sprintf("%s joined in round %d, %d verified unit(s), earned %s", e.Name, joinRound, e.Units, e.Earned.Coins())}
}

func (s *show) honestUnharmed() claim {
	var slashed []string
	held := true
	for _, summary := range s.summaries {
		for _, x := range summary.Slashes {
			name := s.cast.name(x.Account)
			slashed = append(slashed, name)
			held = held && name == liar
		}
	}
	return claim{"honest-never-slashed", held, "slashed: " + strings.Join(slashed, ", ")}
}

// receiptsCover: every unit that ended has a receipt, and every receipt that paid names its verifiers or the draw.
func (s *show) receiptsCover(receipts []work.Receipt) claim {
	have := map[string]bool{}
	for _, r := range receipts {
		have[r.ID] = true
	}
	units, missing := 0, 0
	for _, summary := range s.summaries {
		for _, u := range summary.Units {
			units++
			if !have[fmt.Sprintf("r%d-u%d", summary.Round, u.Index)] {
				missing++
			}
		}
	}
	return claim{"every-payment-has-a-receipt", units > 0 && missing == 0, fmt.Sprintf("%d receipts for %d units, duties, bonds and the refund; %d missing", len(receipts), units, missing)}
}

// supplyExact: nothing was made, and exactly what was burned is gone.
func (s *show) supplyExact(ctx context.Context, p payments) (claim, error) {
	now, err := s.machine.Client.Supply(ctx)
	if err != nil {
		return claim{}, err
	}
	before, err := money.Parse(s.memory.Supply)
	if err != nil {
		return claim{}, err
	}
	leases, err := s.forfeited(ctx)
	if err != nil {
		return claim{}, err
	}
	burned := p.Burned.Plus(leases)
	gone, err := before.Sub(now)
	held := err == nil && gone.Compare(burned) == 0 && p.Exact
	return claim{"coins-conserved", held, fmt.Sprintf("supply fell by %s amut, burned were %s amut; locked = paid + burned + refunded + returned: %v", gone, burned, p.Exact)}, nil
}

// forfeited is what was burned of the bonds of leases whose providers were convicted: half of each.
func (s *show) forfeited(ctx context.Context) (burned money.Amount, err error) {
	params, err := s.machine.Client.MarketParams(ctx)
	if err != nil {
		return burned, err
	}
	for _, m := range s.final.Members {
		if m.Status != work.Expelled || m.Lease.IsZero() {
			continue
		}
		l, err := s.machine.Client.Lease(ctx, m.Lease)
		if err != nil {
			return burned, err
		}
		bond := params.MinUnitBond.Times(uint64(l.Units))
		burned = burned.Plus(bond.Minus(bond.Part(1, 2)))
	}
	return burned, nil
}

func (s *show) modelOwned(m registry.Model) claim {
	var sum uint32
	for _, share := range m.Shares {
		sum += share.PPM
	}
	held := sum == 1_000_000 && m.Run == s.run && m.Dataset == s.final.Spec.Dataset && m.Weights == s.final.Current.Model && m.Lineage == registry.Proven
	return claim{"model-registered", held, fmt.Sprintf("%s: dataset -> run -> model %s, %d shares that sum to %d ppm", m.ID.String()[:12], m.Lineage, len(m.Shares), sum)}
}

func contractExact(r *contractReport) claim {
	equal := 0
	for _, a := range r.Answers {
		if a.Bits == a.Local {
			equal++
		}
	}
	return claim{"contract-equals-engine", equal == patients, fmt.Sprintf("%d of %d answers equal the local engine bit for bit, %d multiply-accumulates each", equal, patients, r.MACs)}
}

func usePaid(r *contractReport) claim {
	return claim{"use-paid-the-holders", r.Exact && len(r.Paid) > 0, fmt.Sprintf("%d uses at %s went to %d holders, to the last unit", len(r.Answers), r.Fee, len(r.Paid))}
}

func wrote(sample string) claim {
	return claim{"model-writes", len(sample) > len(samplePrompt), fmt.Sprintf("%d bytes sampled", len(sample)-len(samplePrompt))}
}
