package validator

import (
	"bytes"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cometbft/cometbft/privval"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
)

// errElsewhere reports that the chain has a signature of this node's key that this node did not make.
var errElsewhere = errors.New("another node signs with this key")

// checkedBlocks is how many of the last blocks are looked through for signatures of others. One that is older is of a node that has been
// gone for long.
const checkedBlocks = 1000

// commits are the blocks that a guard looks through.
type commits interface {
	Base() int64
	LoadBlockCommit(height int64) *cmttypes.Commit
	LoadSeenCommit(height int64) *cmttypes.Commit
}

// guard signs for a validator unless somebody else does. The signing state of the folder says what this node has signed last, and is written
// before a signature leaves; so a later signature of the key in the chain was made by another node, or the folder is an old copy. Whoever
// signs then may sign two blocks at one height, which costs a part of the stake and the place in the set for good. CometBFT's own check
// (double_sign_check_height) cannot tell the node's own signatures from others' and would keep out everybody who restarts.
type guard struct {
	*privval.FilePV
	blocks    commits // set before the node starts
	takeOver  bool    // it signs in any case, until it follows the chain: the operator says that the other node is gone
	elsewhere atomic.Int64
}

var _ cmttypes.PrivValidator = (*guard)(nil)

// SignVote signs a vote, or returns errElsewhere.
func (g *guard) SignVote(chain string, v *cmtproto.Vote) error {
	if err := g.check(v.Height); err != nil {
		return err
	}
	return g.FilePV.SignVote(chain, v)
}

// SignProposal signs a proposal, or returns errElsewhere.
func (g *guard) SignProposal(chain string, p *cmtproto.Proposal) error {
	if err := g.check(p.Height); err != nil {
		return err
	}
	return g.FilePV.SignProposal(chain, p)
}

// check looks through the blocks before height that are younger than this node's last signature. In a node that follows the chain there
// are none.
func (g *guard) check(height int64) error {
	if g.takeOver && g.LastSignState.Height+1 < height {
		return nil
	}
	g.takeOver = false
	if at := g.elsewhere.Load(); at > 0 {
		return fmt.Errorf("%w: block %d", errElsewhere, at)
	}
	for h := max(g.LastSignState.Height+1, height-checkedBlocks, g.blocks.Base(), 1); h < height; h++ {
		c := g.blocks.LoadBlockCommit(h)
		if c == nil {
			c = g.blocks.LoadSeenCommit(h)
		}
		if c != nil && signedBy(c, g.Key.Address) {
			g.elsewhere.Store(h)
			return fmt.Errorf("%w: block %d", errElsewhere, h)
		}
	}
	return nil
}

func signedBy(c *cmttypes.Commit, who cmttypes.Address) bool {
	for _, s := range c.Signatures {
		if s.BlockIDFlag != cmttypes.BlockIDFlagAbsent && bytes.Equal(s.ValidatorAddress, who) {
			return true
		}
	}
	return false
}
