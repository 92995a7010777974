// Package money owns amounts of the network's coin: whole numbers of amut, of which 10^18 make one MUT. There are no
// fractions below an amut and no negative amounts; arithmetic is checked. It imports holiman/uint256 for 256-bit integers
// and nothing of this module.
package money

import (
	"errors"
	"fmt"
	"strings"

	"github.com/holiman/uint256"
)

// Decimals is the number of decimal places between the base unit, amut, and the coin people see, MUT.
const Decimals = 18

// Names of the units.
const (
	Base    = "amut"
	Display = "MUT"
)

// maxDigits is the length of 2^256-1 in decimal.
const maxDigits = 78

var (
	// ErrSyntax reports text that is not an amount.
	ErrSyntax = errors.New("not an amount")
	// ErrRange reports a result below zero or above 2^256-1.
	ErrRange = errors.New("amount out of range")
)

// Amount is a number of amut between 0 and 2^256-1. It is a value: copies are independent. The zero value is 0.
type Amount struct{ v uint256.Int }

// New returns n amut.
func New(n uint64) Amount { return Amount{*uint256.NewInt(n)} }

// MUT returns n whole coins.
func MUT(n uint64) Amount {
	return New(n).Times(1_000_000_000_000_000_000)
}

// Parse reads a whole number of amut: decimal digits without sign and without superfluous zeros. The error is ErrSyntax
// or ErrRange.
func Parse(s string) (Amount, error) {
	if len(s) == 0 || len(s) > maxDigits || (len(s) > 1 && s[0] == '0') || !digits(s) {
		return Amount{}, fmt.Errorf("%w: %.80q is not a whole number of %s", ErrSyntax, s, Base)
	}
	var a Amount
	if err := a.v.SetFromDecimal(s); err != nil {
		return Amount{}, fmt.Errorf("%w: %s", ErrRange, s)
	}
	return a, nil
}

// ParseMUT reads coins as people write them: "1.5 MUT", "1.5" or "20 amut", with at most 18 decimal places.
// The error is ErrSyntax or ErrRange.
func ParseMUT(s string) (Amount, error) {
	bad := func() (Amount, error) {
		return Amount{}, fmt.Errorf("%w: %.80q; write it like \"1.5 MUT\"", ErrSyntax, s)
	}
	text := strings.TrimSpace(s)
	if rest, ok := strings.CutSuffix(text, Base); ok {
		return Parse(strings.TrimSpace(rest))
	}
	text = strings.TrimSpace(strings.TrimSuffix(text, Display))
	whole, frac, dotted := strings.Cut(text, ".")
	if !digits(whole) || whole == "" || len(whole) > maxDigits || len(frac) > Decimals || !digits(frac) || (dotted && frac == "") {
		return bad()
	}
	all := strings.TrimLeft(whole+frac+strings.Repeat("0", Decimals-len(frac)), "0")
	if all == "" {
		return Amount{}, nil
	}
	if len(all) > maxDigits {
		return Amount{}, fmt.Errorf("%w: %s", ErrRange, s)
	}
	return Parse(all)
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// String returns the number of amut in decimal; Parse reads it back.
func (a Amount) String() string { return a.v.Dec() }

// Coins returns the amount for people, such as "1.5 MUT": all decimal places that are not zero, so nothing is rounded.
func (a Amount) Coins() string {
	s := a.v.Dec()
	if len(s) <= Decimals {
		s = strings.Repeat("0", Decimals+1-len(s)) + s
	}
	whole, frac := s[:len(s)-Decimals], strings.TrimRight(s[len(s)-Decimals:], "0")
	if frac == "" {
		return whole + " " + Display
	}
	return whole + "." + frac + " " + Display
}

// MarshalText returns the form of String, so that JSON holds amounts as decimal strings.
func (a Amount) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText accepts what Parse accepts and leaves a unchanged on an error.
func (a *Amount) UnmarshalText(text []byte) error {
	v, err := Parse(string(text))
	if err != nil {
		return err
	}
	*a = v
	return nil
}

// IsZero reports whether a is 0.
func (a Amount) IsZero() bool { return a.v.IsZero() }

// Compare returns -1, 0 or 1 as a is below, equal to or above b.
func (a Amount) Compare(b Amount) int { return a.v.Cmp(&b.v) }

// BitLen is the number of bits that a needs: 0 for 0.
func (a Amount) BitLen() int { return a.v.BitLen() }

// Bytes returns a in 32 bytes, big endian: the form that enters hashes.
func (a Amount) Bytes() [32]byte { return a.v.Bytes32() }

// FromBytes is the amount whose Bytes are b.
func FromBytes(b [32]byte) Amount {
	var a Amount
	a.v.SetBytes32(b[:])
	return a
}

// Add returns a + b, or ErrRange.
func (a Amount) Add(b Amount) (Amount, error) {
	var c Amount
	if _, over := c.v.AddOverflow(&a.v, &b.v); over {
		return Amount{}, fmt.Errorf("%w: %s + %s", ErrRange, a, b)
	}
	return c, nil
}

// Sub returns a - b, or ErrRange when b is larger than a.
func (a Amount) Sub(b Amount) (Amount, error) {
	var c Amount
	if _, under := c.v.SubOverflow(&a.v, &b.v); under {
		return Amount{}, fmt.Errorf("%w: %s - %s", ErrRange, a, b)
	}
	return c, nil
}

// Mul returns a * n, or ErrRange.
func (a Amount) Mul(n uint64) (Amount, error) {
	var c Amount
	if _, over := c.v.MulOverflow(&a.v, uint256.NewInt(n)); over {
		return Amount{}, fmt.Errorf("%w: %s * %d", ErrRange, a, n)
	}
	return c, nil
}

// MulDiv returns floor(a * n / d) with a product of 512 bits, or ErrRange when d is 0 or the quotient does not fit.
func (a Amount) MulDiv(n, d uint64) (Amount, error) {
	if d == 0 {
		return Amount{}, fmt.Errorf("%w: division by zero", ErrRange)
	}
	var c Amount
	if _, over := c.v.MulDivOverflow(&a.v, uint256.NewInt(n), uint256.NewInt(d)); over {
		return Amount{}, fmt.Errorf("%w: %s * %d / %d", ErrRange, a, n, d)
	}
	return c, nil
}

// Plus is Add where the bounds on messages exclude an overflow; it panics on one, which would be our own bug.
func (a Amount) Plus(b Amount) Amount { return must(a.Add(b)) }

// Minus is Sub where an invariant says that b is at most a; it panics otherwise, which would be our own bug.
func (a Amount) Minus(b Amount) Amount { return must(a.Sub(b)) }

// Times is Mul where the bounds on messages exclude an overflow; it panics on one, which would be our own bug.
func (a Amount) Times(n uint64) Amount { return must(a.Mul(n)) }

// Part returns floor(a * n / d) for n <= d and d > 0; it panics otherwise, which would be our own bug.
func (a Amount) Part(n, d uint64) Amount {
	if n > d {
		panic(fmt.Sprintf("money: part %d of %d", n, d))
	}
	return must(a.MulDiv(n, d))
}

// Share returns a·part/whole, rounded down. It panics if whole is zero or part is above it: a rule has divided by nothing.
func (a Amount) Share(part, whole Amount) Amount {
	if whole.IsZero() || part.Compare(whole) > 0 {
		panic("money: a share of " + part.String() + " in " + whole.String())
	}
	var v uint256.Int
	v.MulDivOverflow(&a.v, &part.v, &whole.v) // cannot overflow: part is at most whole
	return Amount{v}
}

func must(a Amount, err error) Amount {
	if err != nil {
		panic("money: " + err.Error())
	}
	return a
}
