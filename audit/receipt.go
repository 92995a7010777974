package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
)

// Receipt is a record that the ledger must keep: of which run or model, for what, to whom (of a use: from whom) and how much.
type Receipt struct {
	Owner  Hash
	Kind   string // unit, duties, bounty, bond, refund; use, dividend, redemption, channel
	To     Account
	Amount string // amut
}

func (r Receipt) String() string {
	return fmt.Sprintf("receipt of %s amut for %s, %s, in the records of %s", r.Amount, r.Kind, r.To, r.Owner)
}

func (b *Books) expect(r Receipt) { b.receipts[r]++ }

var errCoins = errors.New("not a number of amut")

// ParseCoins reads decimal digits without a sign.
func ParseCoins(s string) (*big.Int, error) {
	if len(s) == 0 || len(s) > 78 {
		return nil, fmt.Errorf("%w: %d digits", errCoins, len(s))
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return nil, fmt.Errorf("%w: %q", errCoins, s)
		}
	}
	v, _ := new(big.Int).SetString(s, 10)
	return v, nil
}

// Coins is an amount that JSON holds as a decimal string. Int is nil where the JSON had none.
type Coins struct{ *big.Int }

// UnmarshalJSON reads a string of decimal digits.
func (c *Coins) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	v, err := ParseCoins(s)
	c.Int = v
	return err
}

// String is 0 where there is no amount.
func (c Coins) String() string { return digits(c.Int) }
