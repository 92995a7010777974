package recipe

// field is one key of the run file: its name, where it lives, and the values it may take. The list
// of fields is the single source for parsing, bounds, the canonical bytes and suggestions.
type field struct {
	key  string // "train.steps"
	ptr  any    // *string, *int, *int64, *float32, *[]int, *[]string
	kind string // data or model kind that the key belongs to, or hires; empty means every run
	form form   // strings: the form of the text

	// Bounds, both inclusive: the value of a number or of each number in a list. Text is bounded by
	// its form.
	min, max int64
	low, top float32 // float32 fields
	maxItems int     // lists: at least one item, at most this many

	late  bool // in version 2 of the canonical bytes only
	local bool // not in the canonical bytes: it matters to whoever submits the run
}

// form is the shape of a text value.
type form uint8

const (
	formNone      form = iota
	formSlug           // lower-case letters, digits and hyphens
	formPath           // a local slash-separated path
	formColumn         // the name of a column
	formAmount         // "1.5 MUT"
	formClass          // RESOURCE/REGION/TIER/TENOR, or nothing
	formLicence        // an SPDX licence expression
	formData           // Table or Text
	formModel          // MLP or Transformer
	formSource         // GoRoot
	formOptimizer      // AdamW and the others
)

// hires is the kind of run that the keys of section market belong to.
const hires = "market"

// fields lists every key in the order of the canonical bytes. Bounds keep a hostile recipe from
// asking for more memory than a home machine has; checkShape bounds their products.
func (r *Recipe) fields() []field {
	d, m, t, n := &r.Data, &r.Model, &r.Train, &r.Network
	return []field{
		{key: "name", ptr: &r.Name, form: formSlug},
		{key: "data.kind", ptr: &d.Kind, form: formData},
		{key: "data.path", ptr: &d.Path, kind: Table, form: formPath},
		{key: "data.label", ptr: &d.Label, kind: Table, form: formColumn},
		{key: "data.source", ptr: &d.Source, kind: Text, form: formSource},
		{key: "data.include", ptr: &d.Include, kind: Text, form: formPath, maxItems: 64},
		{key: "data.limit_bytes", ptr: &d.LimitBytes, kind: Text, min: 4096, max: 16 << 20},
		{key: "data.licence", ptr: &d.Licence, form: formLicence},
		{key: "data.holdout_percent", ptr: &d.HoldoutPercent, min: 1, max: 50},
		{key: "data.evaluate_limit", ptr: &d.EvaluateLimit, min: 1, max: 1 << 16},
		{key: "model.kind", ptr: &m.Kind, form: formModel},
		{key: "model.hidden", ptr: &m.Hidden, kind: MLP, min: 1, max: 1024, maxItems: 8},
		{key: "model.context", ptr: &m.Context, kind: Transformer, min: 2, max: 1024},
		{key: "model.width", ptr: &m.Width, kind: Transformer, min: 8, max: 1024},
		{key: "model.layers", ptr: &m.Layers, kind: Transformer, min: 1, max: 16},
		{key: "model.heads", ptr: &m.Heads, kind: Transformer, min: 1, max: 32},
		{key: "train.rounds", ptr: &t.Rounds, min: 1, max: 10000},
		{key: "train.steps", ptr: &t.Steps, min: 1, max: 1000},
		{key: "train.batch", ptr: &t.Batch, min: 1, max: 4096},
		{key: "train.lr", ptr: &t.LR, low: 1e-7, top: 1},
		{key: "train.beta1", ptr: &t.Beta1, low: 0, top: 0.999},
		{key: "train.beta2", ptr: &t.Beta2, low: 0, top: 0.9999},
		{key: "train.eps", ptr: &t.Eps, low: 1e-12, top: 1e-2},
		{key: "train.weight_decay", ptr: &t.WeightDecay, low: 0, top: 10},
		{key: "train.clip", ptr: &t.Clip, low: 1e-3, top: 1e3},
		{key: "train.outer_lr", ptr: &t.OuterLR, low: 1e-3, top: 2},
		{key: "train.outer_momentum", ptr: &t.OuterMomentum, low: 0, top: 0.999},
		{key: "train.seed", ptr: &t.Seed, min: 0, max: 1<<63 - 1},
		{key: "pay.unit_price", ptr: &r.Pay.UnitPrice, form: formAmount},
		{key: "pay.provider_bond", ptr: &r.Pay.ProviderBond, form: formAmount},
		{key: "pay.verifier_bond", ptr: &r.Pay.VerifierBond, form: formAmount},
		{key: "network.providers", ptr: &n.Providers, min: 1, max: 256},
		{key: "network.verifiers", ptr: &n.Verifiers, min: 1, max: 64},
		{key: "network.validators", ptr: &n.Validators, min: 1, max: 100},
		{key: "network.min_providers", ptr: &n.MinProviders, min: 1, max: 256},
		{key: "network.min_verifiers", ptr: &n.MinVerifiers, min: 1, max: 64},
		{key: "network.max_units", ptr: &n.MaxUnits, min: 1, max: 256},
		{key: "train.optimizer", ptr: &t.Optimizer, form: formOptimizer, late: true},
		{key: "train.momentum", ptr: &t.Momentum, low: 0, top: 0.999, late: true},
		{key: "market.class", ptr: &r.Market.Class, form: formClass, local: true},
		{key: "market.limit", ptr: &r.Market.Limit, kind: hires, form: formAmount, local: true},
		{key: "market.providers", ptr: &r.Market.Providers, kind: hires, min: 1, max: 256, local: true},
		{key: "market.offers", ptr: &r.Market.Offers, kind: hires, min: 1, max: 1000, local: true},
	}
}

// used reports whether the field means anything for this recipe's kinds of data and model.
func (f field) used(r *Recipe) bool {
	return f.kind == "" || f.kind == r.Data.Kind || f.kind == r.Model.Kind || f.kind == hires && r.Market.Class != ""
}
