package marketcmd

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/running"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/market/auction"
	"github.com/mutirao/mutirao/protocol/money"
)

// Pending is a bid that was sealed and has to be opened. It lies in a file that only its owner can read, from before the seal is
// sent until the batch is over, so that whoever starts again after a crash can still open it.
type Pending struct {
	Schema string        `json:"schema"` // "mutirao.market-bid/v1"
	Bid    protocol.Hash `json:"bid"`
	Batch  uint64        `json:"batch"`
	Terms  market.Terms  `json:"terms"`
	Salt   protocol.Hash `json:"salt"`
}

const pendingSchema = "mutirao.market-bid/v1"

func (m *Market) folder() string { return filepath.Join(m.dir, "bids") }

func (m *Market) file(p Pending) string { return filepath.Join(m.folder(), p.Bid.String()+".json") }

func (m *Market) keep(p Pending) error {
	if err := os.MkdirAll(m.folder(), 0o700); err != nil {
		return err
	}
	raw, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return running.WriteFile(m.file(p), raw)
}

// Pending lists the bids that are kept in the folder.
func (m *Market) Pending() ([]Pending, error) {
	names, err := filepath.Glob(filepath.Join(m.folder(), "*.json"))
	if err != nil {
		return nil, err
	}
	var list []Pending
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var p Pending
		if err := protocol.DecodeJSON(raw, market.MaxMessage, &p); err != nil || p.Schema != pendingSchema {
			return nil, failure.New(failure.General, name+" holds no bid", errors.Join(err, errors.New("it cannot be opened")), "move the file away; its deposit comes back less the fee of a sealed bid")
		}
		list = append(list, p)
	}
	return list, nil
}

// Bid seals terms in the next batch that takes bids and returns what has to be opened. A deposit of zero means the most that the
// terms can cost.
func (m *Market) Bid(ctx context.Context, terms market.Terms, deposit money.Amount) (Pending, error) {
	if err := terms.Check(); err != nil {
		return Pending{}, running.Refused("the bid cannot be placed", err, "mutirao market bid --help")
	}
	if deposit.IsZero() {
		deposit = terms.Most()
	}
	if deposit.Compare(terms.Most()) < 0 {
		return Pending{}, failure.New(failure.Usage, "the deposit is too small", fmt.Errorf("the bid can cost %s, the deposit is %s", terms.Most().Coins(), deposit.Coins()), "leave --deposit away, or name more")
	}
	params, err := m.MarketParams(ctx)
	if err != nil {
		return Pending{}, err
	}
	for {
		batch, err := m.sealing(ctx, params)
		if err != nil {
			return Pending{}, err
		}
		p := Pending{Schema: pendingSchema, Batch: batch, Terms: terms}
		rand.Read(p.Salt[:]) // never fails (crypto/rand)
		seal := market.TermsSeal(terms, m.Account(), batch, p.Salt)
		p.Bid = market.BidID(m.Account(), batch, seal)
		if err := m.keep(p); err != nil {
			return p, failure.New(failure.General, "the bid's salt cannot be kept", err, "choose a folder that you may write to with --dir")
		}
		err = m.submit(ctx, market.SealBid{Seal: seal, Deposit: deposit, Batch: batch})
		if err == nil {
			return p, nil
		}
		if !errors.Is(err, protocol.ErrPhase) { // it may have reached a block all the same: the file stays until the batch is over
			return p, running.Refused("the bid was not sealed", err, "mutirao market open  opens it if it was")
		}
		os.Remove(m.file(p)) // the batch was over before a block took it: the next one
	}
}

// sealing waits for a block in which bids are sealed and returns the batch.
func (m *Market) sealing(ctx context.Context, p market.Params) (uint64, error) {
	h, err := m.Height(ctx)
	for err == nil {
		if next := h + 1; !p.Revealing(next) {
			return p.Batch(next), nil
		}
		h, err = m.Next(ctx, h)
	}
	return 0, err
}

// Fill is what became of a bid.
type Fill struct {
	Schema string         `json:"schema"` // "mutirao.market-fill/v1"
	Bid    protocol.Hash  `json:"bid"`
	Batch  uint64         `json:"batch"`
	Opened bool           `json:"opened"`
	Leases []market.Lease `json:"leases"`
}

var errSealed = errors.New("its batch ended before it was opened")

// Finish opens a bid when its batch lets it, waits for the clearing, and reads the leases. tell reports what is waited for.
func (m *Market) Finish(ctx context.Context, p Pending, tell func(string)) (Fill, error) {
	f := Fill{Schema: "mutirao.market-fill/v1", Bid: p.Bid, Batch: p.Batch, Leases: []market.Lease{}}
	params, err := m.MarketParams(ctx)
	if err != nil {
		return f, err
	}
	opens := protocol.Height((p.Batch+1)*params.BatchBlocks - params.RevealBlocks)
	closes := protocol.Height((p.Batch+1)*params.BatchBlocks - 1)
	tell(fmt.Sprintf("sealed in batch %d; opens from block %d, clears at the end of block %d", p.Batch, opens, closes))
	h, err := m.Height(ctx)
	for ; err == nil && h < closes; h, err = m.Next(ctx, h) {
		if h+1 < opens || f.Opened {
			continue
		}
		switch err := m.submit(ctx, market.OpenBid{Bid: p.Bid, Terms: p.Terms, Salt: p.Salt}); {
		case err == nil, errors.Is(err, protocol.ErrDuplicate):
			f.Opened = true
			tell("opened")
		case errors.Is(err, protocol.ErrPhase): // a block too early, or too late, which the loop sees
		default:
			return f, running.Refused("the bid was not opened", err, "mutirao market open  tries again")
		}
	}
	if err != nil {
		return f, err
	}
	if f.Leases, err = m.bought(ctx, p.Bid); err != nil {
		return f, err
	}
	os.Remove(m.file(p)) // the batch is over: nothing is left to open
	if !f.Opened && len(f.Leases) == 0 {
		return f, failure.New(failure.Timeout, "the bid was not opened", errSealed, "bid again; the deposit is back, less the fee of a sealed bid")
	}
	return f, nil
}

// bought lists the leases of a bid.
func (m *Market) bought(ctx context.Context, bid protocol.Hash) ([]market.Lease, error) {
	all, err := m.Leases(ctx, m.Account())
	list := []market.Lease{}
	for _, l := range all {
		if l.Bid == bid {
			list = append(list, l)
		}
	}
	return list, err
}

// Summary says what was bought.
func (f Fill) Summary() string {
	if len(f.Leases) == 0 {
		return fmt.Sprintf("batch %d: nothing was bought; the deposit is back", f.Batch)
	}
	var units uint64
	var cost money.Amount
	var prices []string
	seen := map[auction.Price]bool{}
	for _, l := range f.Leases {
		units += uint64(l.Units)
		cost = cost.Plus(l.Cost)
		if !seen[l.Quote.Buyer] {
			seen[l.Quote.Buyer] = true
			prices = append(prices, PriceText(l.Quote.Buyer))
		}
	}
	return fmt.Sprintf("batch %d: %d units of %d providers at %s a tenor, %s locked", f.Batch, units, len(f.Leases), strings.Join(prices, ", "), cost.Coins())
}

// Take leases units at once.
func (m *Market) Take(ctx context.Context, t market.TakeNow) (Fill, error) {
	var salt protocol.Hash
	rand.Read(salt[:]) // never fails (crypto/rand)
	for _, b := range salt[:8] {
		t.Nonce = t.Nonce<<8 | uint64(b)
	}
	f := Fill{Schema: "mutirao.market-fill/v1", Bid: market.TakeID(t, m.Account()), Opened: true}
	if err := m.submit(ctx, t); err != nil {
		return f, running.Refused("nothing was leased", err, "mutirao market quote "+ClassText(t.Class)+"  says what it costs now")
	}
	var err error
	f.Leases, err = m.bought(ctx, f.Bid)
	return f, err
}
