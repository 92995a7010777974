package protocol

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// CheckText reports whether s is valid UTF-8 of min to max bytes without control characters. The error wraps ErrInvalid
// and names what.
func CheckText(what, s string, min, max int) error {
	if len(s) < min || len(s) > max {
		return fmt.Errorf("%w: %s has %d bytes, allowed are %d to %d", ErrInvalid, what, len(s), min, max)
	}
	if !utf8.ValidString(s) {
		return fmt.Errorf("%w: %s is not UTF-8", ErrInvalid, what)
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return fmt.Errorf("%w: %s contains a control character", ErrInvalid, what)
		}
	}
	return nil
}
