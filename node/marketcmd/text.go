package marketcmd

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/market/auction"
	"github.com/mutirao/mutirao/protocol/money"
)

var (
	errClass = errors.New("a class is RESOURCE/REGION/TIER/TENOR, such as cpu/eu/audited/0 (tiers: audited, replicated; tenors: 0 to 3)")
	errPrice = errors.New("a price is an amount for a unit during a tenor, with at most nine decimal places, such as \"0.25 MUT\"")
)

// ParseClass reads a class as people write it: cpu/eu/audited/0.
func ParseClass(text string) (market.Class, error) {
	parts := strings.Split(text, "/")
	bad := func(err error) (market.Class, error) {
		return market.Class{}, failure.New(failure.Usage, fmt.Sprintf("%q is no class", text), err, "mutirao market book  lists what is traded")
	}
	if len(parts) != 4 {
		return bad(errClass)
	}
	tenor, err := strconv.ParseUint(parts[3], 10, 8)
	if err != nil {
		return bad(errClass)
	}
	c := market.Class{Resource: parts[0], Region: parts[1], Tier: market.Tier(parts[2]), Tenor: uint8(tenor)}
	if err := c.Check(); err != nil {
		return bad(err)
	}
	return c, nil
}

// ClassText is what ParseClass reads.
func ClassText(c market.Class) string {
	return fmt.Sprintf("%s/%s/%s/%d", c.Resource, c.Region, c.Tier, c.Tenor)
}

// ParsePrice reads a price as people write it: "0.25 MUT" or "0.25".
func ParsePrice(text string) (auction.Price, error) {
	bad := func(err error) (auction.Price, error) {
		return 0, failure.New(failure.Usage, fmt.Sprintf("%q is no price", text), err, "write it like --limit 0.25")
	}
	amount, err := money.ParseMUT(text)
	if err != nil {
		return bad(err)
	}
	nano, ok := strings.CutSuffix(amount.String(), "000000000")
	if amount.IsZero() {
		nano, ok = "0", true
	}
	n, err := strconv.ParseUint(nano, 10, 64)
	if !ok || err != nil || auction.Price(n) > auction.MaxPrice {
		return bad(errPrice)
	}
	return auction.Price(n), nil
}

// PriceText is a price for people.
func PriceText(p auction.Price) string { return money.New(uint64(p)).Times(market.Tick).Coins() }

// ParseAlternative reads CLASS:UNITS@LIMIT.
func ParseAlternative(text string) (market.Alternative, error) {
	bad := func() (market.Alternative, error) {
		return market.Alternative{}, failure.New(failure.Usage, fmt.Sprintf("%q is no alternative", text),
			errors.New("an alternative is CLASS:UNITS@LIMIT"), "mutirao market bid cpu/eu/audited/0:4@0.25")
	}
	class, rest, ok := strings.Cut(text, ":")
	number, limit, ok2 := strings.Cut(rest, "@")
	units, err := strconv.ParseUint(number, 10, 32)
	if !ok || !ok2 || err != nil || units == 0 || units > auction.MaxUnits {
		return bad()
	}
	c, err := ParseClass(class)
	if err != nil {
		return market.Alternative{}, err
	}
	p, err := ParsePrice(limit)
	return market.Alternative{Class: c, Units: uint32(units), Limit: p}, err
}
