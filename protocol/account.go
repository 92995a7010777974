package protocol

import (
	"bytes"
	"encoding/hex"
	"fmt"
)

// Account is the 20-byte address of a key that owns coins. The zero value stands for "none".
type Account [20]byte

// ParseAccount reads "0x" and 40 hexadecimal digits of either case. The error wraps ErrInvalid.
func ParseAccount(s string) (Account, error) {
	var a Account
	if len(s) != 2+2*len(a) || s[:2] != "0x" {
		return Account{}, fmt.Errorf("%w: account needs 0x and 40 hexadecimal digits, got %d characters", ErrInvalid, len(s))
	}
	if _, err := hex.Decode(a[:], []byte(s[2:])); err != nil {
		return Account{}, fmt.Errorf("%w: account: %w", ErrInvalid, err)
	}
	return a, nil
}

// String returns "0x" and 40 lower-case digits.
func (a Account) String() string { return "0x" + hex.EncodeToString(a[:]) }

// IsZero reports whether a names nobody.
func (a Account) IsZero() bool { return a == Account{} }

// Compare orders accounts by their bytes; it is the order wherever a rule needs one.
func (a Account) Compare(b Account) int { return bytes.Compare(a[:], b[:]) }

// MarshalText returns the form of String.
func (a Account) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText accepts what ParseAccount accepts and leaves a unchanged on an error.
func (a *Account) UnmarshalText(text []byte) error {
	v, err := ParseAccount(string(text))
	if err != nil {
		return err
	}
	*a = v
	return nil
}
