package protocol

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/protocol/money"
)

// TestCodesAreStable pins the codes: they are on the wire and in logs for good.
func TestCodesAreStable(t *testing.T) {
	want := []error{
		1: ErrInvalid, 2: ErrNotFound, 3: ErrExists, 4: ErrInsufficient, 5: ErrOverflow, 6: ErrPhase, 7: ErrRound, 8: ErrNotMember,
		9: ErrNotAssigned, 10: ErrDuplicate, 11: ErrSealMismatch, 12: ErrFull, 13: ErrExpelled, 14: ErrBenched, 15: ErrNotAway,
		16: ErrFinished, 17: ErrNotFinished, 18: ErrArtifact, 19: ErrTooLarge, 20: ErrShape,
	}
	if len(want) != len(codes)+1 {
		t.Fatalf("%d codes, %d are pinned", len(codes), len(want)-1)
	}
	for code, err := range want {
		if got := Code(err); got != uint32(code) {
			t.Errorf("code of %v is %d, not %d", err, got, code)
		}
		if got := FromCode(uint32(code)); got != err {
			t.Errorf("error of code %d is %v, not %v", code, got, err)
		}
	}
	if got := Code(fmt.Errorf("unit 3: %w", ErrSealMismatch)); got != 11 {
		t.Errorf("code of a wrapped error is %d", got)
	}
	if got := Code(errors.New("disk is full")); got != CodeUnknown {
		t.Errorf("code of a foreign error is %d", got)
	}
	if FromCode(CodeUnknown) != nil || FromCode(99) != nil {
		t.Error("unknown codes have an error")
	}
	if _, err := money.New(1).Sub(money.New(2)); Code(err) != Code(ErrOverflow) {
		t.Errorf("arithmetic has code %d", Code(err))
	}
}

func TestAccountText(t *testing.T) {
	const text = "0x00112233445566778899aabbccddeeff01234567"
	a, err := ParseAccount("0x00112233445566778899AABBCCDDEEFF01234567")
	if err != nil || a.String() != text {
		t.Fatalf("%v, %v", a, err)
	}
	var b Account
	if err := json.Unmarshal([]byte(`"`+text+`"`), &b); err != nil || a != b {
		t.Errorf("JSON: %v, %v", b, err)
	}
	for _, bad := range []string{"", "0x", text[2:], text + "0", "0X" + text[2:], "0x" + strings.Repeat("g", 40)} {
		if err := b.UnmarshalText([]byte(bad)); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
		if a != b {
			t.Errorf("%q changed the account", bad)
		}
	}
}

func TestCheckText(t *testing.T) {
	for _, c := range []struct {
		text string
		ok   bool
	}{
		{"mutirão", true}, {"", false}, {strings.Repeat("x", 9), false}, {"a\nb", false}, {"a\x00", false}, {"\xff", false}, {"a\u0085b", false},
	} {
		if err := CheckText("name", c.text, 1, 8); (err == nil) != c.ok || (err != nil && !errors.Is(err, ErrInvalid)) {
			t.Errorf("%q: %v", c.text, err)
		}
	}
}

func TestDecodeJSON(t *testing.T) {
	type pair struct{ A, B int }
	for _, c := range []struct {
		json string
		want error
	}{
		{`{"A":1,"B":2}`, nil},
		{`{"A":1,"B":2,"C":3}`, ErrInvalid},
		{`{"A":1} {"A":2}`, ErrInvalid},
		{`{"A":1}]`, ErrInvalid},
		{`{"A":`, ErrInvalid},
		{`{"A":"x"}`, ErrInvalid},
		{`{"A":1,"B":2}` + strings.Repeat(" ", 100), ErrTooLarge},
	} {
		if err := DecodeJSON([]byte(c.json), 64, new(pair)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.json, err)
		}
	}
}

// TestPreimageSeparates has lists of fields whose bytes would be equal without lengths.
func TestPreimageSeparates(t *testing.T) {
	digests := map[Hash]string{}
	for name, d := range map[string]Hash{
		"ab+c":      new(Preimage).Text("ab").Text("c").Digest("d"),
		"a+bc":      new(Preimage).Text("a").Text("bc").Digest("d"),
		"abc":       new(Preimage).Text("abc").Digest("d"),
		"domain":    new(Preimage).Text("abc").Digest("e"),
		"uint32":    new(Preimage).Uint32(1).Digest("d"),
		"uint64":    new(Preimage).Uint64(1).Digest("d"),
		"true":      new(Preimage).Bool(true).Digest("d"),
		"false":     new(Preimage).Bool(false).Digest("d"),
		"amount":    new(Preimage).Amount(money.New(1)).Digest("d"),
		"hash":      new(Preimage).Hash(Hash{1}).Digest("d"),
		"account":   new(Preimage).Account(Account{1}).Digest("d"),
		"no fields": new(Preimage).Digest("d"),
	} {
		if other, ok := digests[d]; ok {
			t.Errorf("%s and %s have one digest", name, other)
		}
		digests[d] = name
	}
}
