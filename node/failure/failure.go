// Package failure owns errors made for people: what failed, why, and the next command; and the exit codes of the program.
package failure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Exit codes of the program, stable for scripts.
const (
	OK          = 0
	General     = 1
	Usage       = 2
	NotFound    = 3
	Denied      = 4
	Network     = 5
	Credit      = 6
	Capacity    = 7
	Timeout     = 8
	Unverified  = 9
	Interrupted = 130
)

// Error is an error made for a person: what failed, the measured fact that made it fail, and the next command.
type Error struct {
	Code int    // exit code
	What string // what failed
	Why  error  // why: the measured fact
	Next string // the next command or action
}

func (f *Error) Error() string { return fmt.Sprintf("%s: %v", f.What, f.Why) }
func (f *Error) Unwrap() error { return f.Why }

// New builds an Error; next tells what to do about it.
func New(code int, what string, why error, next string) error {
	return &Error{Code: code, What: what, Why: why, Next: next}
}

// Report writes err in the three-line form and returns the exit code.
func Report(stderr io.Writer, err error) int {
	var f *Error
	switch {
	case err == nil:
		return OK
	case errors.As(err, &f):
		fmt.Fprintf(stderr, "error: %s\n  why:  %s\n  next: %s\n", plain(f.What), plain(f.Why.Error()), plain(f.Next))
		return f.Code
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "interrupted")
		return Interrupted
	case errors.Is(err, context.DeadlineExceeded):
		fmt.Fprintf(stderr, "error: the command ran out of time\n  why:  %s\n  next: try again\n", plain(err.Error()))
		return Timeout
	default:
		fmt.Fprintf(stderr, "error: the command failed\n  why:  %s\n  next: mutirao help\n", plain(err.Error()))
		return General
	}
}

// plain makes one line of a text that may come from a peer or a ledger: a terminal must not obey it.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r) || r == utf8.RuneError:
			return '·'
		}
		return r
	}, text)
}
