package recipe

import (
	"errors"
	"fmt"
	"math"
	"path"
	"regexp"
	"strings"
)

// ErrInvalid is wrapped by every error of this package about a recipe's content.
var ErrInvalid = errors.New("invalid recipe")

// Error is a mistake in a run file, in three parts: what is wrong and where, the fact that makes it
// wrong, and what to do next.
type Error struct {
	Line int    // line in the run file, from 1; 0 when the recipe did not come from a file
	Key  string // the key concerned, "train.steps"; empty when the file is not TOML at all
	What string
	Why  string
	Next string
}

// Error joins the three parts in one line.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", e.Line)
	}
	fmt.Fprintf(&b, "%s: %s", e.What, e.Why)
	if e.Next != "" {
		fmt.Fprintf(&b, "; %s", e.Next)
	}
	return b.String()
}

// Unwrap lets errors.Is find ErrInvalid.
func (e *Error) Unwrap() error { return ErrInvalid }

var (
	slug   = regexp.MustCompile(`^[a-z0-9](-?[a-z0-9]){0,63}$`)
	column = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)
	// amount allows 18 decimals, the smallest part of a MUT, and no second spelling of one value.
	amount = regexp.MustCompile(`^(0|[1-9][0-9]{0,17})(\.[0-9]{0,17}[1-9])? MUT$`)
	// class has the names that protocol/market allows, and one of its tiers and tenors.
	class   = regexp.MustCompile(`^[!-.0-~]{1,32}/[!-.0-~]{1,32}/(audited|replicated)/[0-3]$`)
	licence = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.+() -]{0,63}$`)
)

// validate checks each field alone, then the fields against each other.
func (r *Recipe) validate() *Error {
	// The kinds come first, because they decide which other keys are wanted.
	for _, f := range r.fields() {
		if f.form == formData || f.form == formModel {
			if err := f.check(); err != nil {
				return err
			}
		}
	}
	if (r.Data.Kind == Table) != (r.Model.Kind == MLP) {
		return &Error{Key: "model.kind", What: fmt.Sprintf("model.kind = %q", r.Model.Kind),
			Why:  fmt.Sprintf("data.kind is %q; a table feeds an mlp and a text feeds a transformer", r.Data.Kind),
			Next: "change one of the two"}
	}
	for _, f := range r.fields() {
		if !f.used(r) {
			if !f.zero() && f.kind == hires {
				return &Error{Key: f.key, What: f.key, Why: "the run file does not say what class of machines it hires", Next: `say it, like market.class = "cpu/home/audited/2"`}
			}
			if !f.zero() {
				return &Error{Key: f.key, What: f.key, Why: fmt.Sprintf("it has a meaning only for kind %q", f.kind), Next: "remove it"}
			}
			continue
		}
		if err := f.check(); err != nil {
			return err
		}
	}
	return r.checkShape()
}

// check tests the field against its own bounds.
func (f field) check() *Error {
	switch v := f.ptr.(type) {
	case *string:
		return f.checkText(*v)
	case *[]string:
		if err := f.checkItems(len(*v)); err != nil {
			return err
		}
		for i, s := range *v {
			if err := f.checkText(s); err != nil {
				return err
			}
			if i > 0 && s <= (*v)[i-1] {
				return f.fail(fmt.Sprintf("%q comes after %q", s, (*v)[i-1]), "list each folder once, in lexical order")
			}
		}
	case *int:
		return f.checkNumber(int64(*v))
	case *int64:
		return f.checkNumber(*v)
	case *[]int:
		if err := f.checkItems(len(*v)); err != nil {
			return err
		}
		for _, n := range *v {
			if err := f.checkNumber(int64(n)); err != nil {
				return err
			}
		}
	case *float32:
		// Written so that NaN fails; the bits reject a second zero.
		if !(*v >= f.low && *v <= f.top) || math.Float32bits(*v) == 1<<31 {
			return f.fail(fmt.Sprintf("%v is outside %v to %v", *v, f.low, f.top), "")
		}
	}
	return nil
}

func (f field) fail(why, next string) *Error {
	return &Error{Key: f.key, What: f.key, Why: why, Next: next}
}

func (f field) checkNumber(n int64) *Error {
	if n < f.min || n > f.max {
		return f.fail(fmt.Sprintf("%d is outside %d to %d", n, f.min, f.max), "")
	}
	return nil
}

func (f field) checkItems(n int) *Error {
	if n < 1 || n > f.maxItems {
		return f.fail(fmt.Sprintf("%d items; 1 to %d are possible", n, f.maxItems), "")
	}
	return nil
}

func (f field) checkText(s string) *Error {
	switch f.form {
	case formSlug:
		if !slug.MatchString(s) {
			return f.fail(fmt.Sprintf("%q is not a name", clip(s)), "use 1 to 64 lower-case letters, digits and single hyphens")
		}
	case formColumn:
		if !column.MatchString(s) {
			return f.fail(fmt.Sprintf("%q is not the name of a column", clip(s)), "use 1 to 64 lower-case letters, digits and underscores")
		}
	case formPath:
		if s == "" || len(s) > 256 || path.Clean(s) != s || path.IsAbs(s) || s == ".." ||
			strings.HasPrefix(s, "../") || strings.ContainsAny(s, "\\\x00:") {
			return f.fail(fmt.Sprintf("%q is not a plain relative path", clip(s)), "write it with slashes, without leading slash and without ..")
		}
	case formAmount:
		if !amount.MatchString(s) {
			return f.fail(fmt.Sprintf("%q is not an amount", clip(s)), `write it like "1.5 MUT"`)
		}
	case formClass:
		if s != "" && !class.MatchString(s) {
			return f.fail(fmt.Sprintf("%q is not a class", clip(s)), `write RESOURCE/REGION/TIER/TENOR, like "cpu/home/audited/2"`)
		}
	case formLicence:
		if !licence.MatchString(s) {
			return f.fail(fmt.Sprintf("%q is not a licence", clip(s)), `write an SPDX expression such as "CC-BY-4.0", or leave it out`)
		}
	case formData:
		return f.checkChoice(s, Table, Text)
	case formModel:
		return f.checkChoice(s, MLP, Transformer)
	case formSource:
		return f.checkChoice(s, GoRoot)
	case formOptimizer:
		return f.checkChoice(s, AdamW, SGD, Nesterov, Muon, Adafactor)
	}
	return nil
}

func (f field) checkChoice(s string, choices ...string) *Error {
	for _, c := range choices {
		if s == c {
			return nil
		}
	}
	return f.fail(fmt.Sprintf("%q is unknown", clip(s)), "use "+strings.Join(choices, " or "))
}

// clip keeps an error short when the value is not.
func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}

// zero reports whether the field was left out.
func (f field) zero() bool {
	switch v := f.ptr.(type) {
	case *string:
		return *v == ""
	case *[]string:
		return len(*v) == 0
	case *[]int:
		return len(*v) == 0
	case *int:
		return *v == 0
	case *int64:
		return *v == 0
	case *float32:
		return *v == 0
	}
	return false
}

// Limits of the products of sizes. 2^24 weights are 64 MiB, of which a step holds a dozen copies; 2^28
// intermediate numbers of a step are 1 GiB.
const (
	maxParams      = 1 << 24
	maxActivations = 1 << 28
)

// checkShape tests sizes against each other.
func (r *Recipe) checkShape() *Error {
	m, t, n := r.Model, r.Train, r.Network
	switch m.Kind {
	case MLP:
		// At most eight layers of 1024 and 4096 rows: the bounds of the fields are enough.
	case Transformer:
		if m.Width%m.Heads != 0 {
			return &Error{Key: "model.heads", What: "model.heads",
				Why: fmt.Sprintf("width %d does not divide into %d heads", m.Width, m.Heads), Next: "choose heads that divide the width"}
		}
		if params := m.Layers*12*m.Width*m.Width + (512+m.Context)*m.Width; params > maxParams {
			return &Error{Key: "model.width", What: "model.width",
				Why: fmt.Sprintf("about %d weights; at most %d are possible", params, maxParams), Next: "use a smaller width or fewer layers"}
		}
		// What a block keeps for its derivative is about 16 numbers a channel and the attention scores; the
		// head keeps logits, their softmax and a gradient of each.
		tokens := t.Batch * m.Context
		if n := tokens * (m.Layers*(16*m.Width+m.Heads*m.Context) + 4*256); n > maxActivations {
			return &Error{Key: "train.batch", What: "train.batch",
				Why: fmt.Sprintf("a step on %d tokens keeps about %d numbers; at most %d are possible", tokens, n, maxActivations), Next: "use a smaller batch or context"}
		}
		if r.Data.LimitBytes < 8*(m.Context+1) {
			return &Error{Key: "data.limit_bytes", What: "data.limit_bytes", Why: "not even eight windows of text", Next: "read more bytes"}
		}
	}
	if t.Momentum != defaultMomentum && !t.usesMomentum() {
		return &Error{Key: "train.momentum", What: "train.momentum", Why: fmt.Sprintf("the optimizer is %q", t.Optimizer), Next: "remove it, or use sgd, nesterov or muon"}
	}
	if h := r.Market; h.Class != "" && h.Providers < n.MinProviders {
		return &Error{Key: "market.providers", What: "market.providers", Why: fmt.Sprintf("%d are hired and the run waits for %d", h.Providers, n.MinProviders), Next: "raise it, or lower network.min_providers"}
	}
	if h := r.Market; h.Offers < h.Providers {
		return &Error{Key: "market.offers", What: "market.offers", Why: fmt.Sprintf("the run bids for %d units and would not wait for as many offers", h.Providers), Next: "raise it"}
	}
	if n.MinProviders > n.MaxUnits {
		return &Error{Key: "network.min_providers", What: "network.min_providers",
			Why: fmt.Sprintf("%d providers cannot share %d units", n.MinProviders, n.MaxUnits), Next: "raise network.max_units"}
	}
	return nil
}
