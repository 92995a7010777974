// Package recipe owns the run file: what is trained, on what, how, for what pay, by how many.
//
// A trainer writes a run file in TOML; Parse turns it into a Recipe and explains every mistake with
// its line. A Recipe also has exactly one canonical byte form (Encode, Decode), because its hash is
// committed on a ledger and every provider and verifier rebuilds the same training step from it.
// The package computes nothing and imports nothing of this module.
package recipe

// Kinds of data and of model. A table feeds an mlp, a text feeds a transformer.
const (
	Table       = "table"
	Text        = "text"
	MLP         = "mlp"
	Transformer = "transformer"
)

// Optimizers of the inner steps: package optim says what each does.
const (
	AdamW     = "adamw"
	SGD       = "sgd"
	Nesterov  = "nesterov" // SGD with Nesterov's momentum
	Muon      = "muon"     // hidden matrices; AdamW for the rest
	Adafactor = "adafactor"
)

// GoRoot is the one text source so far: the Go source below the machine's GOROOT.
const GoRoot = "goroot"

// Recipe is a validated run file. The zero value is not valid; obtain one from Parse or Decode.
type Recipe struct {
	Name    string  `toml:"name"`
	Data    Data    `toml:"data"`
	Model   Model   `toml:"model"`
	Train   Train   `toml:"train"`
	Pay     Pay     `toml:"pay"`
	Network Network `toml:"network"`
	Market  Market  `toml:"market"` // how the run hires; not in the canonical bytes, because nobody computes with it
}

// Data says where the records come from and how many are kept for testing.
type Data struct {
	Kind           string   `toml:"kind"`            // Table or Text
	Path           string   `toml:"path"`            // table: CSV file, relative to the run file
	Label          string   `toml:"label"`           // table: the column that holds 0 or 1
	Source         string   `toml:"source"`          // text: GoRoot
	Include        []string `toml:"include"`         // text: folders below the source, read in lexical order
	LimitBytes     int      `toml:"limit_bytes"`     // text: bytes read at most
	Licence        string   `toml:"licence"`         // SPDX expression; NOASSERTION where nothing is known
	HoldoutPercent int      `toml:"holdout_percent"` // percent of the records kept for testing
	EvaluateLimit  int      `toml:"evaluate_limit"`  // held-out records that one evaluation reads at most
}

// Model is the shape of the network.
type Model struct {
	Kind    string `toml:"kind"`    // MLP or Transformer
	Hidden  []int  `toml:"hidden"`  // mlp: width of each hidden layer
	Context int    `toml:"context"` // transformer: tokens in a window
	Width   int    `toml:"width"`   // transformer: channels
	Layers  int    `toml:"layers"`  // transformer: blocks
	Heads   int    `toml:"heads"`   // transformer: attention heads; divides Width
}

// Train is the inner optimizer, the outer one (Nesterov) and the length of the run.
type Train struct {
	Rounds        int     `toml:"rounds"`
	Steps         int     `toml:"steps"` // inner steps of one unit
	Batch         int     `toml:"batch"` // records in one inner step
	LR            float32 `toml:"lr"`
	Beta1         float32 `toml:"beta1"`
	Beta2         float32 `toml:"beta2"`
	Eps           float32 `toml:"eps"`
	WeightDecay   float32 `toml:"weight_decay"` // decoupled; multiplied by LR in each step
	Clip          float32 `toml:"clip"`         // largest norm of a step's whole gradient
	OuterLR       float32 `toml:"outer_lr"`
	OuterMomentum float32 `toml:"outer_momentum"`
	Seed          int64   `toml:"seed"`      // first weights and held-out split
	Optimizer     string  `toml:"optimizer"` // of the inner steps
	Momentum      float32 `toml:"momentum"`  // of sgd, nesterov and muon; beta1 and beta2 are AdamW's
}

// usesMomentum reports whether the optimizer has the key momentum.
func (t *Train) usesMomentum() bool {
	return t.Optimizer == SGD || t.Optimizer == Nesterov || t.Optimizer == Muon
}

// defaultMomentum is what a run file need not say.
const defaultMomentum = 0.95

// Pay holds amounts as decimal text, "1.5 MUT". They are parsed into money where money is kept;
// here only their form is checked.
type Pay struct {
	UnitPrice    string `toml:"unit_price"`
	ProviderBond string `toml:"provider_bond"`
	VerifierBond string `toml:"verifier_bond"`
}

// Network is the size of the run's crowd.
type Network struct {
	Providers    int `toml:"providers"`     // providers expected
	Verifiers    int `toml:"verifiers"`     // verifiers expected
	Validators   int `toml:"validators"`    // ledger validators of a network made for this run
	MinProviders int `toml:"min_providers"` // the run waits for that many
	MinVerifiers int `toml:"min_verifiers"` // the run waits for that many
	MaxUnits     int `toml:"max_units"`     // units in one round at most
}

// Market says how a run that is submitted to a network hires its providers. Without a class every provider has the same price.
type Market struct {
	Class     string `toml:"class"`     // RESOURCE/REGION/TIER/TENOR of the machines that are wanted
	Limit     string `toml:"limit"`     // the most that the run bids for a unit; pay.unit_price if not said
	Providers int    `toml:"providers"` // how many are hired; network.min_providers if not said
	Offers    int    `toml:"offers"`    // the run bids once so many offer; as many as it hires if not said
}

// complete fills in what the section need not say.
func (r *Recipe) complete() {
	m := &r.Market
	if m.Class == "" {
		return
	}
	if m.Limit == "" {
		m.Limit = r.Pay.UnitPrice
	}
	if m.Providers == 0 {
		m.Providers = r.Network.MinProviders
	}
	if m.Offers == 0 {
		m.Offers = m.Providers
	}
}

// defaults is what a run file need not say. The optimizer's values are those of profile S.
func defaults() Recipe {
	return Recipe{
		Data: Data{Licence: "NOASSERTION", HoldoutPercent: 20, EvaluateLimit: 512},
		Train: Train{
			Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, WeightDecay: 0.1, Clip: 1,
			OuterLR: 0.7, OuterMomentum: 0.9, Seed: 1, Optimizer: AdamW, Momentum: defaultMomentum,
		},
		Pay:     Pay{UnitPrice: "1 MUT", ProviderBond: "50 MUT", VerifierBond: "50 MUT"},
		Network: Network{Providers: 6, Verifiers: 4, Validators: 4, MinProviders: 2, MinVerifiers: 2, MaxUnits: 16},
	}
}
