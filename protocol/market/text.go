package market

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market/auction"
	"github.com/mutirao/mutirao/protocol/money"
)

// ParseClass reads a class as people write it, RESOURCE/REGION/TIER/TENOR, such as cpu/eu/audited/0. The error wraps
// protocol.ErrInvalid.
func ParseClass(text string) (Class, error) {
	parts := strings.Split(text, "/")
	bad := fmt.Errorf("%w: a class is RESOURCE/REGION/TIER/TENOR, such as cpu/eu/audited/0 (tiers: audited, replicated; tenors: 0 to 3)", protocol.ErrInvalid)
	if len(parts) != 4 {
		return Class{}, bad
	}
	tenor, err := strconv.ParseUint(parts[3], 10, 8)
	if err != nil {
		return Class{}, bad
	}
	c := Class{Resource: parts[0], Region: parts[1], Tier: Tier(parts[2]), Tenor: uint8(tenor)}
	return c, c.Check()
}

// String is what ParseClass reads.
func (c Class) String() string {
	return fmt.Sprintf("%s/%s/%s/%d", c.Resource, c.Region, c.Tier, c.Tenor)
}

// ParsePrice reads a price as people write it: "0.25 MUT" or "0.25". The error wraps protocol.ErrInvalid.
func ParsePrice(text string) (auction.Price, error) {
	amount, err := money.ParseMUT(text)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", protocol.ErrInvalid, err)
	}
	nano, ok := strings.CutSuffix(amount.String(), "000000000")
	if amount.IsZero() {
		nano, ok = "0", true
	}
	n, err := strconv.ParseUint(nano, 10, 64)
	if !ok || err != nil || auction.Price(n) > auction.MaxPrice {
		return 0, fmt.Errorf("%w: a price is an amount for a unit, with at most nine decimal places, such as \"0.25 MUT\"", protocol.ErrInvalid)
	}
	return auction.Price(n), nil
}

// Floor is the largest price that is not above an amount.
func Floor(amount money.Amount) auction.Price {
	var p auction.Price
	for bit := (auction.MaxPrice + 1) / 2; bit > 0; bit >>= 1 {
		if Amount(p|bit).Compare(amount) <= 0 {
			p |= bit
		}
	}
	return p
}
