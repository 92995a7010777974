package lightproof

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/cometbft/cometbft/crypto/tmhash"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmtversion "github.com/cometbft/cometbft/proto/tendermint/version"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/cometbft/cometbft/version"
)

// forger makes headers of a chain whose validators it owns, over the state of a real proof.
type forger struct {
	t     *testing.T
	real  *Proof
	root  []byte
	keys  []cmttypes.MockPV
	began time.Time
}

func newForger(t *testing.T) *forger {
	real := parse(t, read(t, "balance.json"))
	blocks, err := real.blocks()
	if err != nil {
		t.Fatal(err)
	}
	f := &forger{t: t, real: real, root: blocks[len(blocks)-1].AppHash, began: made}
	for range 8 {
		f.keys = append(f.keys, cmttypes.NewMockPV())
	}
	return f
}

// set is of the keys with these numbers, with one vote each.
func (f *forger) set(who ...int) *cmttypes.ValidatorSet {
	var list []*cmttypes.Validator
	for _, i := range who {
		key, err := f.keys[i].GetPubKey()
		if err != nil {
			f.t.Fatal(err)
		}
		list = append(list, cmttypes.NewValidator(key, 1))
	}
	return cmttypes.NewValidatorSet(list)
}

// block is what a header says, and who signs it.
type block struct {
	chain     string
	height    int64
	at        time.Duration // after the first
	set, next *cmttypes.ValidatorSet
	signers   []int
}

func (f *forger) header(b block) *cmttypes.LightBlock {
	f.t.Helper()
	some := tmhash.Sum([]byte("some"))
	h := &cmttypes.Header{
		Version: cmtversion.Consensus{Block: version.BlockProtocol}, ChainID: b.chain, Height: b.height, Time: f.began.Add(b.at),
		LastBlockID:    cmttypes.BlockID{Hash: some, PartSetHeader: cmttypes.PartSetHeader{Total: 1, Hash: some}},
		LastCommitHash: some, DataHash: some, ValidatorsHash: b.set.Hash(), NextValidatorsHash: b.next.Hash(), ConsensusHash: some, AppHash: f.root,
		LastResultsHash: some, EvidenceHash: some, ProposerAddress: b.set.Validators[0].Address,
	}
	id := cmttypes.BlockID{Hash: h.Hash(), PartSetHeader: cmttypes.PartSetHeader{Total: 1, Hash: some}}
	sigs := make([]cmttypes.CommitSig, len(b.set.Validators))
	for i := range sigs {
		sigs[i] = cmttypes.NewCommitSigAbsent()
	}
	for _, who := range b.signers {
		key, err := f.keys[who].GetPubKey()
		if err != nil {
			f.t.Fatal(err)
		}
		at, _ := b.set.GetByAddress(key.Address())
		if at < 0 {
			f.t.Fatalf("%d does not vote", who)
		}
		vote := &cmtproto.Vote{Type: cmtproto.PrecommitType, Height: b.height, BlockID: id.ToProto(), Timestamp: h.Time, ValidatorAddress: key.Address(), ValidatorIndex: at}
		if err := f.keys[who].SignVote(b.chain, vote); err != nil {
			f.t.Fatal(err)
		}
		sigs[at] = cmttypes.CommitSig{BlockIDFlag: cmttypes.BlockIDFlagCommit, ValidatorAddress: key.Address(), Timestamp: h.Time, Signature: vote.Signature}
	}
	return &cmttypes.LightBlock{
		SignedHeader: &cmttypes.SignedHeader{Header: h, Commit: &cmttypes.Commit{Height: b.height, BlockID: id, Signatures: sigs}}, ValidatorSet: b.set,
	}
}

// proof is the real value under forged headers.
func (f *forger) proof(chain string, blocks ...*cmttypes.LightBlock) *Proof {
	f.t.Helper()
	p := &Proof{Schema: Schema, Chain: chain, Subject: f.real.Subject, Value: f.real.Value, Ops: f.real.Ops, Height: blocks[len(blocks)-1].Height - 1}
	for _, b := range blocks {
		pb, err := b.ToProto()
		if err != nil {
			f.t.Fatal(err)
		}
		raw, err := pb.Marshal()
		if err != nil {
			f.t.Fatal(err)
		}
		p.Headers = append(p.Headers, raw)
	}
	file, err := p.Encode()
	if err != nil {
		f.t.Fatal(err)
	}
	return parse(f.t, file)
}

// What a trusted header vouches for, and what it does not, whoever signs: the rules of light clients (Braithwaite and others,
// "A Tendermint Light Client", 2020), of which each case is one side of a bound.
func TestForgedHeaders(t *testing.T) {
	f := newForger(t)
	old := f.set(0, 1, 2, 3)
	two, three, strangers := f.set(2, 3, 4, 5), f.set(1, 2, 3, 4), f.set(4, 5, 6, 7)
	const chain, minute = "c-1", time.Minute
	first := f.header(block{chain, 5, 0, old, old, []int{0, 1, 2, 3}})
	for name, c := range map[string]struct {
		later block
		want  error
	}{
		"the next one":                            {block{chain, 6, minute, old, old, []int{0, 1, 2}}, nil},
		"a later one":                             {block{chain, 9, minute, old, old, []int{0, 1, 2}}, nil},
		"half of the votes":                       {block{chain, 9, minute, old, old, []int{0, 1}}, ErrTrust},
		"nobody":                                  {block{chain, 9, minute, old, old, nil}, ErrTrust},
		"another set, next block":                 {block{chain, 6, minute, strangers, strangers, []int{4, 5, 6, 7}}, ErrTrust},
		"three of four are new, next block":       {block{chain, 6, minute, f.set(3, 4, 5, 6), old, []int{3, 4, 5, 6}}, ErrTrust},
		"another set, later":                      {block{chain, 9, minute, strangers, strangers, []int{4, 5, 6, 7}}, ErrTrust},
		"a quarter of the old votes":              {block{chain, 9, minute, three, three, []int{1, 4}}, ErrTrust},
		"a quarter of the old, enough of its own": {block{chain, 9, minute, f.set(3, 4, 5, 6), old, []int{3, 4, 5, 6}}, ErrTrust},
		"half of the old, enough of its own":      {block{chain, 9, minute, two, two, []int{2, 3, 4}}, nil},
		"half of the old, half of its own":        {block{chain, 9, minute, two, two, []int{2, 3}}, ErrTrust},
		"no later than the trusted":               {block{chain, 9, 0, old, old, []int{0, 1, 2, 3}}, ErrTrust},
		"from the future":                         {block{chain, 9, 2 * time.Hour, old, old, []int{0, 1, 2, 3}}, ErrTrust},
		"signed for another chain":                {block{"c-2", 9, minute, old, old, []int{0, 1, 2, 3}}, ErrForm},
	} {
		p := f.proof(chain, first, f.header(c.later))
		fact, err := p.Verify(Trust{Height: 5, Hash: first.Hash(), Now: f.began.Add(time.Hour)})
		if !errors.Is(err, c.want) || c.want == nil && string(fact.Value) != string(f.real.Value) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	// A third is not more than a third.
	thirds, third := f.set(0, 1, 2), f.set(2, 4, 5)
	start := f.header(block{chain, 5, 0, thirds, thirds, []int{0, 1, 2}})
	p := f.proof(chain, start, f.header(block{chain, 9, minute, third, third, []int{2, 4, 5}}))
	if _, err := p.Verify(Trust{Height: 5, Hash: start.Hash(), Now: f.began.Add(time.Hour)}); !errors.Is(err, ErrTrust) {
		t.Errorf("exactly a third: %v", err)
	}
	// The file says one chain, its headers another; and the reader trusts a header of the real one.
	other := f.header(block{"c-2", 5, 0, old, old, []int{0, 1, 2, 3}})
	if _, err := f.proof(chain, other).Verify(Trust{Height: 5, Hash: other.Hash(), Now: f.began}); !errors.Is(err, ErrForm) {
		t.Errorf("headers of another chain: %v", err)
	}
	if _, err := f.proof("c-2", other).Verify(Trust{Height: 5, Hash: first.Hash(), Now: f.began}); !errors.Is(err, ErrTrust) {
		t.Errorf("another chain: %v", err)
	}
}

// The hash of a header vouches for its validators: a file cannot bring others, nor another number of votes, nor other keys.
func TestTrustedHeaderHasItsValidators(t *testing.T) {
	f := newForger(t)
	old, strangers := f.set(0, 1, 2, 3), f.set(4, 5, 6, 7)
	first := f.header(block{"c", 5, 0, old, old, []int{0, 1, 2, 3}})
	later := f.header(block{"c", 9, time.Minute, strangers, strangers, []int{4, 5, 6, 7}})
	heavy := f.set(0, 1, 2, 3)
	heavy.Validators[0].VotingPower = 100
	stolen := f.set(0, 1, 2, 3)
	stolen.Validators[0].Address, stolen.Validators[1].Address = stolen.Validators[1].Address, stolen.Validators[0].Address
	for name, set := range map[string]*cmttypes.ValidatorSet{"strangers": strangers, "heavier": heavy, "others' addresses": stolen, "fewer": f.set(0, 1)} {
		swapped := *first
		swapped.ValidatorSet = set
		if _, err := f.proof("c", &swapped, later).Verify(Trust{Height: 5, Hash: first.Hash(), Now: f.began.Add(time.Hour)}); !errors.Is(err, ErrForm) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// More votes in the sum than there are do not count: they are counted again.
	pb, err := first.ToProto()
	if err != nil {
		t.Fatal(err)
	}
	pb.ValidatorSet.TotalVotingPower = 1
	raw, err := pb.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	p := f.proof("c", first, f.header(block{"c", 9, time.Minute, f.set(3, 4, 5, 6), strangers, []int{3, 4, 5, 6}}))
	p.Headers[0] = raw
	if _, err := p.Verify(Trust{Height: 5, Hash: first.Hash(), Now: f.began.Add(time.Hour)}); !errors.Is(err, ErrTrust) {
		t.Errorf("a false sum: %v", err)
	}
}

// A file is bounded before anything is verified.
func TestHugeFiles(t *testing.T) {
	f := newForger(t)
	old := f.set(0, 1, 2, 3)
	var blocks []*cmttypes.LightBlock
	for i := range maxHeaders + 1 {
		blocks = append(blocks, f.header(block{"c", int64(5 + i), time.Duration(i) * time.Second, old, old, []int{0, 1, 2, 3}}))
	}
	trust := Trust{Height: 5, Hash: blocks[0].Hash(), Now: f.began.Add(time.Hour)}
	if _, err := f.proof("c", blocks[:maxHeaders]...).Verify(trust); err != nil {
		t.Errorf("%d headers: %v", maxHeaders, err)
	}
	p := f.proof("c", blocks[:maxHeaders]...)
	p.Headers = append(p.Headers, slices.Clone(p.Headers[0]))
	file, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Parse(file); !errors.Is(err, ErrForm) {
		t.Errorf("%d headers: %v", maxHeaders+1, err)
	}
	if _, err := Parse(make([]byte, MaxFile+1)); !errors.Is(err, ErrForm) {
		t.Errorf("a huge file: %v", err)
	}
}
