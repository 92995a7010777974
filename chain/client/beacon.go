package client

import (
	"context"

	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	"github.com/ethereum/go-ethereum/common"

	evmtypes "github.com/cosmos/evm/x/vm/types"

	"github.com/mutirao/mutirao/chain/prevrandao"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/beacon"
)

// Beacon is the chain's randomness as a node sees it, and what the node's own key adds.
type Beacon struct {
	Height   int64        `json:"height"`
	Value    beacon.Value `json:"value"`              // of that height; zero on a chain without a beacon
	Proposed int64        `json:"proposed,omitempty"` // last of the Looked blocks that this node's key proposed; 0 for none
	Revealed bool         `json:"revealed"`           // whether a reveal is in it
	Looked   int64        `json:"looked"`             // blocks up to Height
}

// A node tells of so many headers at once, and is asked so often.
const (
	headersAtOnce = 20
	headerPages   = 5
)

// Beacon asks one endpoint.
func (c *Client) Beacon(ctx context.Context) (Beacon, error) {
	var b Beacon
	err := c.endpoints.do(ctx, func(rpc *rpchttp.HTTP) error {
		s, err := rpc.Status(ctx)
		if err != nil {
			return err
		}
		b = Beacon{Height: s.SyncInfo.LatestBlockHeight}
		first := max(b.Height-headersAtOnce*headerPages+1, s.SyncInfo.EarliestBlockHeight, 1)
		b.Looked = max(b.Height-first+1, 0)
		for to := b.Height; to >= first && b.Proposed == 0; to -= headersAtOnce {
			page, err := rpc.BlockchainInfo(ctx, max(to-headersAtOnce+1, first), to)
			if err != nil {
				return err
			}
			for _, m := range page.BlockMetas { // the latest first
				if b.Proposed == 0 && m.Header.ProposerAddress.String() == s.ValidatorInfo.Address.String() {
					b.Proposed = m.Header.Height
				}
			}
		}
		if b.Proposed == 0 {
			return nil
		}
		block, err := rpc.Block(ctx, &b.Proposed)
		if err != nil {
			return err
		}
		_, proof := beacon.Split(block.Block.Txs.ToSliceOfBytes())
		b.Revealed = proof != nil
		return nil
	})
	if err != nil || b.Height < 1 {
		return b, err
	}
	var answer evmtypes.QueryStorageResponse
	request := &evmtypes.QueryStorageRequest{Address: prevrandao.Address.Hex(), Key: prevrandao.Slot(protocol.Height(b.Height)).Hex()}
	if err := c.query(ctx, "/cosmos.evm.vm.v1.Query/Storage", request, &answer); err != nil {
		return b, err
	}
	b.Value = beacon.Value(common.HexToHash(answer.Value))
	return b, nil
}
