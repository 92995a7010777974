package registry

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
)

// Lineage says how we know where something comes from.
type Lineage string

// The kinds of lineage.
const (
	Proven  Lineage = "proven"  // recomputed: a run that was verified round by round, and that began with exactly these weights
	Claimed Lineage = "claimed" // its author says so
)

// Parent is a model that another one is made from.
type Parent struct {
	Model   protocol.Hash `json:"model"`
	PPM     uint32        `json:"ppm"` // of what is passed up; those of a model's parents sum to 1,000,000
	Lineage Lineage       `json:"lineage"`
}

// Model is what a run produced: where it comes from and whom its uses pay.
type Model struct {
	Version   uint32           `json:"version"` // of the rules
	ID        protocol.Hash    `json:"id"`
	Name      string           `json:"name"` // of the run
	Run       protocol.Hash    `json:"run"`
	Dataset   protocol.Hash    `json:"dataset"`
	Program   protocol.Hash    `json:"program"` // of the model without its weights
	Weights   protocol.Hash    `json:"weights"` // state root of the weights
	Blob      protocol.Hash    `json:"blob"`    // content address of the run's last public state
	Lineage   Lineage          `json:"lineage"` // of the run and its dataset
	Parents   []Parent         `json:"parents,omitempty"`
	Rounds    uint32           `json:"rounds"`
	Tokens    uint64           `json:"tokens"`
	Author    protocol.Account `json:"author"`
	Publisher protocol.Account `json:"publisher"`
	Height    protocol.Height  `json:"height"`
	Callable  *Callable        `json:"callable,omitempty"` // absent if no artifact is on the ledger
	Shares    []Share          `json:"shares"`             // as they were first given; sum to 1,000,000
	Uses      uint64           `json:"uses"`
	Earned    money.Amount     `json:"earned"`           // fees of its own uses, and what came up from models made from it
	Flowed    money.Amount     `json:"flowed"`           // of Earned: divided between its holders and its parents
	Holders   money.Amount     `json:"holders"`          // of Flowed: what belongs to its holders
	Paid      money.Amount     `json:"paid"`             // of Holders: paid to them
	Deposit   money.Amount     `json:"deposit,omitzero"` // locked for the bytes of a deposited model
}

// ShareRole says for what a share is held.
type ShareRole string

// The roles, in the order of a model's shares.
const (
	ForCompute  ShareRole = "compute"
	ForData     ShareRole = "data"
	ForAuthor   ShareRole = "author"
	ForVerifier ShareRole = "verifier"
)

// Parts per million of a model that each role holds. Rule: spec/registry.md §3, from the provenance rule of the market design.
const (
	computePPM  = 500_000
	dataPPM     = 300_000
	authorPPM   = 150_000
	verifierPPM = 50_000
)

// Share is a part of what a model earns.
type Share struct {
	Holder protocol.Account `json:"holder"`
	Role   ShareRole        `json:"role"`
	PPM    uint32           `json:"ppm"` // parts per million
}

// ModelID names the model of a run.
func ModelID(program, weights, run protocol.Hash) protocol.Hash {
	return new(protocol.Preimage).Hash(program).Hash(weights).Hash(run).Digest(domainModel)
}

// Publish registers the model that a run ended with. known is the model with that ModelID if it exists: then only an
// artifact that it lacks is new; otherwise the holdings of the first holders are new, too. parents are the models that the run
// names, in its order. With an artifact, its program must be the run's inference program and its weights the
// run's result. The host keeps m.Artifact for calls. Errors: ErrNotFound if run or dataset are not those of the message,
// ErrNotFinished, ErrExists, ErrArtifact, ErrTooLarge, ErrShape. Rule: spec/registry.md §3.
func Publish(m PublishModel, run *work.State, data Dataset, parents []Model, known *Model, from protocol.Account, env protocol.Env) (Model, []Holding, []protocol.Effect, error) {
	fail := func(err error) (Model, []Holding, []protocol.Effect, error) { return Model{}, nil, nil, err }
	if err := m.Check(); err != nil {
		return fail(err)
	}
	switch {
	case from.IsZero():
		return fail(fmt.Errorf("%w: the sender is missing", protocol.ErrInvalid))
	case run == nil || run.ID != m.Run:
		return fail(fmt.Errorf("%w: run %s", protocol.ErrNotFound, m.Run))
	case data.ID != run.Spec.Dataset:
		return fail(fmt.Errorf("%w: dataset %s", protocol.ErrNotFound, run.Spec.Dataset))
	case !run.Phase.Ended() || run.Done == 0:
		return fail(fmt.Errorf("%w: run %s is in phase %s after %d rounds", protocol.ErrNotFinished, run.ID, run.Phase, run.Done))
	case known != nil && (known.Callable != nil || len(m.Artifact) == 0):
		return fail(fmt.Errorf("%w: model %s", protocol.ErrExists, known.ID))
	}
	var callable *Callable
	if len(m.Artifact) > 0 {
		a, err := openArtifact(m.Artifact, run.Spec.Params)
		if err != nil {
			return fail(err)
		}
		if a.program != run.Spec.InferenceProgram {
			return fail(fmt.Errorf("%w: its program is %s, the run's is %s", protocol.ErrArtifact, a.program, run.Spec.InferenceProgram))
		}
		if a.weights != run.Current.Model {
			return fail(fmt.Errorf("%w: its weights are %s, the run's are %s", protocol.ErrArtifact, a.weights, run.Current.Model))
		}
		callable = &a.callable
	}
	if known != nil {
		model := *known
		model.Callable = callable
		return model, nil, []protocol.Effect{event("model-callable", "model", model.ID.String())}, nil
	}
	edges, err := edges(run, parents)
	if err != nil {
		return fail(err)
	}
	model := Model{
		Version: Version, ID: ModelID(run.Spec.InferenceProgram, run.Current.Model, run.ID), Name: run.Spec.Name,
		Run: run.ID, Dataset: data.ID, Program: run.Spec.InferenceProgram, Weights: run.Current.Model, Blob: run.Current.Blob,
		Lineage: Proven, Parents: edges, Rounds: run.Done, Tokens: run.Tokens, Author: run.Author, Publisher: from, Height: env.Height,
		Callable: callable, Shares: shares(run, data.Steward),
	}
	return model, holdings(&model), []protocol.Effect{event("model-published", "model", model.ID.String(), "run", run.ID.String(), "dataset", data.ID.String())}, nil
}

// edges names the parents of a run's model. An edge is proven if the run began with the parent's weights: that is what every
// verifier recomputed from. Otherwise only the author says that the parent was used, by distillation for instance.
func edges(run *work.State, parents []Model) ([]Parent, error) {
	if len(parents) != len(run.Spec.Parents) {
		return nil, fmt.Errorf("%w: %d of %d parents", protocol.ErrNotFound, len(parents), len(run.Spec.Parents))
	}
	var list []Parent
	for i, p := range run.Spec.Parents {
		if parents[i].ID != p.Model {
			return nil, fmt.Errorf("%w: parent %s", protocol.ErrNotFound, p.Model)
		}
		edge := Parent{Model: p.Model, PPM: p.PPM, Lineage: Claimed}
		if run.Spec.Initial.Model == parents[i].Weights {
			edge.Lineage = Proven
		}
		list = append(list, edge)
	}
	return list, nil
}

// shares divides a model: compute by admitted units, data to the steward, the author's part, verifiers by paid duties.
// A role in which nobody did anything leaves its part to the author. Rule: spec/registry.md §3.
func shares(run *work.State, steward protocol.Account) []Share {
	compute := byWork(run.Members, ForCompute, computePPM, func(m work.Member) uint64 { return uint64(m.Units) })
	verify := byWork(run.Members, ForVerifier, verifierPPM, func(m work.Member) uint64 { return uint64(m.Duties) })
	author := uint32(authorPPM)
	if len(compute) == 0 {
		author += computePPM
	}
	if len(verify) == 0 {
		author += verifierPPM
	}
	list := append(compute, Share{steward, ForData, dataPPM}, Share{run.Author, ForAuthor, author})
	return append(list, verify...)
}

// byWork divides ppm among the members in proportion to their work by largest remainder; equal remainders go to the
// smaller account. Holders are in ascending order; a part of 0 is left out. Work is below 2^40, so products fit uint64.
func byWork(members []work.Member, role ShareRole, ppm uint32, of func(work.Member) uint64) []Share {
	type claim struct {
		Share
		remainder uint64
	}
	var list []claim
	sum := uint64(0)
	for _, m := range members {
		if w := of(m); w > 0 && m.Status != work.Expelled {
			list = append(list, claim{Share{m.Account, role, 0}, w})
			sum += w
		}
	}
	if len(list) == 0 {
		return nil
	}
	left := ppm
	for i := range list {
		product := list[i].remainder * uint64(ppm)
		list[i].PPM, list[i].remainder = uint32(product/sum), product%sum
		left -= list[i].PPM
	}
	slices.SortFunc(list, func(a, b claim) int {
		return cmp.Or(cmp.Compare(b.remainder, a.remainder), a.Holder.Compare(b.Holder))
	})
	for i := range left { // fewer than there are members
		list[i].PPM++
	}
	slices.SortFunc(list, func(a, b claim) int { return a.Holder.Compare(b.Holder) })
	var out []Share
	for _, c := range list {
		if c.PPM > 0 {
			out = append(out, c.Share)
		}
	}
	return out
}
