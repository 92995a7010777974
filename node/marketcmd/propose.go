package marketcmd

import (
	"context"
	"fmt"
	"os"

	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/running"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
)

// Proposed is what a proposal file says.
type Proposed struct {
	Schema string        `json:"schema"` // "mutirao.market-proposal/v1"
	Batch  uint64        `json:"batch"`
	Deals  []market.Deal `json:"deals"`
}

// maxProposed bounds a proposal file: some 200 bytes a deal.
const maxProposed = 300 * market.MaxDeals

// ReadProposal reads a proposal file.
func ReadProposal(name string) (p Proposed, err error) {
	info, err := os.Stat(name)
	if err != nil {
		return p, failure.New(failure.NotFound, "the proposal cannot be read", err, "name a file that a solver wrote")
	}
	if info.Size() > maxProposed {
		return p, failure.New(failure.Usage, "the proposal is too large", fmt.Errorf("%d bytes, at most %d", info.Size(), maxProposed), "propose the best deals only")
	}
	text, err := os.ReadFile(name)
	if err == nil {
		err = protocol.DecodeJSON(text, maxProposed, &p)
	}
	if err != nil {
		return p, failure.New(failure.Usage, "the proposal cannot be read", err, `write {"batch": 12, "deals": [{"bid": "…", "ask": "…", "units": 2}]}`)
	}
	return p, nil
}

// Propose sends a proposal for the batch that is being opened.
func (m *Market) Propose(ctx context.Context, p Proposed) error {
	err := m.submit(ctx, market.Propose{Batch: p.Batch, Deals: market.PackDeals(p.Deals)})
	return running.Refused("the proposal was not taken", err, "mutirao market bids --json and market asks CLASS --json  are the book; bids must be open")
}
