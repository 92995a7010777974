package registry

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
)

// Proven is the lineage of a model whose run was verified round by round. There is no other yet.
const Proven = "proven"

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
	Lineage   string           `json:"lineage"`
	Rounds    uint32           `json:"rounds"`
	Tokens    uint64           `json:"tokens"`
	Author    protocol.Account `json:"author"`
	Publisher protocol.Account `json:"publisher"`
	Height    protocol.Height  `json:"height"`
	Callable  *Callable        `json:"callable,omitempty"` // absent if no artifact is on the ledger
	Shares    []Share          `json:"shares"`             // sum to 1,000,000
	Uses      uint64           `json:"uses"`
	Earned    money.Amount     `json:"earned"` // fees of all uses
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
// artifact that it lacks is new. With an artifact, its program must be the run's inference program and its weights the
// run's result. The host keeps m.Artifact for calls. Errors: ErrNotFound if run or dataset are not those of the message,
// ErrNotFinished, ErrExists, ErrArtifact, ErrTooLarge, ErrShape. Rule: spec/registry.md §3.
func Publish(m PublishModel, run *work.State, data Dataset, known *Model, from protocol.Account, env protocol.Env) (Model, []protocol.Effect, error) {
	if err := m.Check(); err != nil {
		return Model{}, nil, err
	}
	switch {
	case from.IsZero():
		return Model{}, nil, fmt.Errorf("%w: the sender is missing", protocol.ErrInvalid)
	case run == nil || run.ID != m.Run:
		return Model{}, nil, fmt.Errorf("%w: run %s", protocol.ErrNotFound, m.Run)
	case data.ID != run.Spec.Dataset:
		return Model{}, nil, fmt.Errorf("%w: dataset %s", protocol.ErrNotFound, run.Spec.Dataset)
	case !run.Phase.Ended() || run.Done == 0:
		return Model{}, nil, fmt.Errorf("%w: run %s is in phase %s after %d rounds", protocol.ErrNotFinished, run.ID, run.Phase, run.Done)
	case known != nil && (known.Callable != nil || len(m.Artifact) == 0):
		return Model{}, nil, fmt.Errorf("%w: model %s", protocol.ErrExists, known.ID)
	}
	var callable *Callable
	if len(m.Artifact) > 0 {
		a, err := openArtifact(m.Artifact, run.Spec.Params)
		if err != nil {
			return Model{}, nil, err
		}
		if a.program != run.Spec.InferenceProgram {
			return Model{}, nil, fmt.Errorf("%w: its program is %s, the run's is %s", protocol.ErrArtifact, a.program, run.Spec.InferenceProgram)
		}
		if a.weights != run.Current.Model {
			return Model{}, nil, fmt.Errorf("%w: its weights are %s, the run's are %s", protocol.ErrArtifact, a.weights, run.Current.Model)
		}
		callable = &a.callable
	}
	if known != nil {
		model := *known
		model.Callable = callable
		return model, []protocol.Effect{event("model-callable", "model", model.ID.String())}, nil
	}
	model := Model{
		Version: Version, ID: ModelID(run.Spec.InferenceProgram, run.Current.Model, run.ID), Name: run.Spec.Name,
		Run: run.ID, Dataset: data.ID, Program: run.Spec.InferenceProgram, Weights: run.Current.Model, Blob: run.Current.Blob,
		Lineage: Proven, Rounds: run.Done, Tokens: run.Tokens, Author: run.Author, Publisher: from, Height: env.Height,
		Callable: callable, Shares: shares(run, data.Steward),
	}
	return model, []protocol.Effect{event("model-published", "model", model.ID.String(), "run", run.ID.String(), "dataset", data.ID.String())}, nil
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
