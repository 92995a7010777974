package recipe

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// maxFile bounds a run file; the longest valid one is far smaller.
const maxFile = 64 << 10

// Parse reads a run file. Keys left out take their default. The error is an *Error that names the
// line; an unknown key comes with the nearest known one.
func Parse(file []byte) (*Recipe, error) {
	if len(file) > maxFile {
		return nil, &Error{What: "run file", Why: fmt.Sprintf("%d bytes; at most %d are possible", len(file), maxFile)}
	}
	r := defaults()
	if err := decode(file, &r); err != nil {
		return nil, explain(err)
	}
	r.complete()
	if err := r.validate(); err != nil {
		lines := keyLines(file)
		err.Line = lines[err.Key]
		if err.Line == 0 && err.Next == "" {
			err.Next = "add the key " + err.Key
		}
		return nil, err
	}
	return &r, nil
}

// decode reads TOML. The decoder panics for a date where a text belongs.
func decode(file []byte, into any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a value of another kind: %v", p)
		}
	}()
	return toml.NewDecoder(bytes.NewReader(file)).DisallowUnknownFields().Decode(into)
}

// explain turns the decoder's error into ours.
func explain(err error) *Error {
	var missing *toml.StrictMissingError
	if errors.As(err, &missing) && len(missing.Errors) > 0 {
		first := missing.Errors[0]
		line, _ := first.Position()
		key := strings.Join(first.Key(), ".")
		e := &Error{Line: line, Key: key, What: fmt.Sprintf("unknown key %q", clip(key)), Why: "no run file has this key"}
		if near := nearest(key); near != "" {
			e.Next = fmt.Sprintf("did you mean %q", near)
		}
		return e
	}
	var decode *toml.DecodeError
	if errors.As(err, &decode) {
		line, _ := decode.Position()
		key := strings.Join(decode.Key(), ".")
		return &Error{Line: line, Key: key, What: "run file cannot be read", Why: strings.TrimPrefix(decode.Error(), "toml: ")}
	}
	return &Error{What: "run file cannot be read", Why: strings.TrimPrefix(err.Error(), "toml: ")}
}

// keyLines maps each dotted key of a valid TOML file to the line of its first appearance.
func keyLines(file []byte) map[string]int {
	lines := map[string]int{}
	var p unstable.Parser
	p.Reset(file)
	prefix := ""
	for p.NextExpression() {
		e := p.Expression()
		var parts []string
		line := 0
		for it := e.Key(); it.Next(); {
			n := it.Node()
			parts = append(parts, string(n.Data))
			if line == 0 {
				line = p.Shape(n.Raw).Start.Line
			}
		}
		key := strings.Join(parts, ".")
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			prefix = key + "."
		case unstable.KeyValue:
			if key = prefix + key; lines[key] == 0 {
				lines[key] = line
			}
		}
	}
	return lines
}

// nearest returns the known key or section closest to an unknown one, or nothing when none is close.
func nearest(key string) string {
	var r Recipe
	best, bestDistance := "", 1+max(2, len(key)/3)
	for _, f := range r.fields() {
		section, _, _ := strings.Cut(f.key, ".")
		if d := distance(key, section); d < bestDistance {
			best, bestDistance = section, d
		}
		d := distance(key, f.key)
		// A key in the wrong section is a common mistake: compare the last parts too.
		if last(key) == last(f.key) {
			d = min(d, 1)
		}
		if d < bestDistance {
			best, bestDistance = f.key, d
		}
	}
	return best
}

func last(key string) string { return key[strings.LastIndexByte(key, '.')+1:] }

// distance is Levenshtein's: insertions, deletions and substitutions, each of cost one.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
