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

// ParseClass reads a class as people write it: cpu/eu/audited/0.
func ParseClass(text string) (market.Class, error) {
	c, err := market.ParseClass(text)
	if err != nil {
		return market.Class{}, failure.New(failure.Usage, fmt.Sprintf("%q is no class", text), err, "mutirao market book  lists what is traded")
	}
	return c, nil
}

// ClassText is what ParseClass reads.
func ClassText(c market.Class) string { return c.String() }

// ParsePrice reads a price as people write it: "0.25 MUT" or "0.25".
func ParsePrice(text string) (auction.Price, error) {
	p, err := market.ParsePrice(text)
	if err != nil {
		return 0, failure.New(failure.Usage, fmt.Sprintf("%q is no price", text), err, "write it like --limit 0.25")
	}
	return p, nil
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
