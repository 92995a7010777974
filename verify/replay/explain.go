package replay

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/mutirao/mutirao/verify/trace"
)

// MaxDetail bounds an explanation in bytes: it travels in a verifier's report.
const MaxDetail = 200

// Payloads is what this package asks of a payload format.
type Payloads interface {
	// FirstDifference names the first element in which two payloads differ, such as "fc1.weight[3,17]", and reports whether
	// there is one. The error says why one of them is not a payload at all.
	FirstDifference(own, claimed []byte) (element string, found bool, err error)
}

// Explain says in at most MaxDetail bytes of UTF-8 how a claim differs from one's own execution, whose payload is own;
// claimed is the payload that the worker has served, or nil. It returns "" for a confirmed claim. The text informs people;
// no rule reads it.
func Explain(e Execution, own []byte, c Claim, claimed []byte, format Payloads) string {
	switch {
	case e.Confirms(c):
		return ""
	case e.Payload == c.Payload:
		return "the payload is right, the trace is not"
	case trace.PayloadRoot(claimed) != c.Payload:
		return "the payload differs; the bytes served are not those revealed"
	}
	element, found, err := format.FirstDifference(own, claimed)
	switch {
	case err != nil:
		return shorten(fmt.Sprintf("not a payload: %v", err))
	case !found:
		return "the payload differs in its encoding only"
	}
	return shorten("the payload differs first at " + element)
}

// shorten cuts s to MaxDetail bytes at the border of a character.
func shorten(s string) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) <= MaxDetail {
		return s
	}
	end := MaxDetail
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
