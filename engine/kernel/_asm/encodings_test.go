package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// known is what GNU as 2.40 makes of instructions: each form that the generator writes as a word, with registers of which every bit
// shows.
var known = []struct {
	word uint32
	text string
}{
	{0x4e3fd625, "fadd v5.4s, v17.4s, v31.4s"},
	{0x4ebfd625, "fsub v5.4s, v17.4s, v31.4s"},
	{0x6e3fde25, "fmul v5.4s, v17.4s, v31.4s"},
	{0x6e3ffe25, "fdiv v5.4s, v17.4s, v31.4s"},
	{0x4e3ff625, "fmax v5.4s, v17.4s, v31.4s"},
	{0x4ebff625, "fmin v5.4s, v17.4s, v31.4s"},
	{0x4e3fce25, "fmla v5.4s, v17.4s, v31.4s"},
	{0x4e3fe625, "fcmeq v5.4s, v17.4s, v31.4s"},
	{0x6e3fe625, "fcmge v5.4s, v17.4s, v31.4s"},
	{0x6ebfe625, "fcmgt v5.4s, v17.4s, v31.4s"},
	{0x4ebf6625, "smax v5.4s, v17.4s, v31.4s"},
	{0x4ebf6e25, "smin v5.4s, v17.4s, v31.4s"},
	{0x6ea1f93e, "fsqrt v30.4s, v9.4s"},
	{0x4e21d93e, "scvtf v30.4s, v9.4s"},
	{0x0e3fc225, "smull v5.8h, v17.8b, v31.8b"},
	{0x4e3fc225, "smull2 v5.8h, v17.16b, v31.16b"},
	{0x4e60693e, "sadalp v30.4s, v9.8h"},
	{0x4f9d13d7, "fmla v23.4s, v30.4s, v29.s[0]"},
	{0x4fbd1bd7, "fmla v23.4s, v30.4s, v29.s[3]"},
	{0x4fa31041, "fmla v1.4s, v2.4s, v3.s[1]"},
	{0x4f9debd7, "sdot v23.4s, v30.16b, v29.4b[2]"},
	{0x4fa3e041, "sdot v1.4s, v2.16b, v3.4b[1]"},
	{0x4f3f053e, "sshr v30.4s, v9.4s, #1"},
	{0x4f290441, "sshr v1.4s, v2.4s, #23"},
}

// TestEncodings encodes the known instructions from their text.
func TestEncodings(t *testing.T) {
	forms := make(map[string]encoding)
	for _, e := range []encoding{fadd, fsub, fmul, fdiv, fmax, fmin, fmla, fcmeq, fcmge, fcmgt, smax, smin, fsqrt, scvtf, smull,
		smull2, sadalp, fmlaElement, sdotElement, sshr} {
		forms[e.name+" "+strings.TrimRight(strings.Join(e.shape[:], " "), " ")] = e
	}
	operand := regexp.MustCompile(`v(\d+)\.(\w+)`)
	for _, k := range known {
		form, registers := strings.Fields(k.text)[0], []string(nil)
		for _, m := range operand.FindAllStringSubmatch(k.text, -1) {
			form += " " + m[2]
			registers = append(registers, "V"+m[1])
		}
		e, ok := forms[form]
		if !ok {
			t.Errorf("no encoding for %s", form)
			continue
		}
		f, n := new(file), 0
		switch _, rest, _ := strings.Cut(k.text, registers[len(registers)-1][1:]+"."+e.shape[len(registers)-1]); {
		case strings.HasPrefix(rest, "["):
			fmt.Sscanf(rest, "[%d]", &n)
			f.wordElement(e, registers[0], registers[1], registers[2], n)
		case strings.HasPrefix(rest, ", #"):
			fmt.Sscanf(rest, ", #%d", &n)
			f.wordShift(e, registers[0], registers[1], n)
		default:
			f.word(e, registers[0], registers[1:]...)
		}
		if got, want := f.text.String(), fmt.Sprintf("\tWORD $0x%08x // %s\n", k.word, k.text); got != want {
			t.Errorf("got %swant %s", got, want)
		}
	}
}

// TestWordsKnown: what is written as a word is of a known form.
func TestWordsKnown(t *testing.T) {
	numbers := regexp.MustCompile(`v\d+|\[\d+\]|#\d+`)
	forms := make(map[string]bool)
	for _, k := range known {
		forms[numbers.ReplaceAllString(k.text, "")] = true
	}
	words := 0
	for name, data := range generate() {
		for line := range strings.Lines(string(data)) {
			if _, text, ok := strings.Cut(strings.TrimSpace(line), " // "); ok && strings.HasPrefix(strings.TrimSpace(line), "WORD") {
				words++
				if !forms[numbers.ReplaceAllString(text, "")] {
					t.Fatalf("%s: nothing is known of %s", name, text)
				}
			}
		}
	}
	if words == 0 {
		t.Fatal("no words")
	}
}
