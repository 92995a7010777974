package dryrun

import (
	"math"

	"github.com/mutirao/mutirao/learn/recipe"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
)

// Schema names the form of the report in JSON.
const Schema = "mutirao.dry-run/v1"

// Assumptions about machines that are not here. Everything else in a report is measured or follows from the run file.
const (
	blockSeconds  = 1.0             // between two blocks; the demo's come faster
	linkBytes     = 10_000_000 / 8. // a second, up or down, of a home link of 10 Mbit/s
	blocksToShare = 2               // from a message to everybody's answer to it: one to be included, one to be read
)

// Report is the answer. Sizes are in bytes, times in seconds, money in coins.
type Report struct {
	Schema  string  `json:"schema"`
	Name    string  `json:"name"`
	Machine Machine `json:"machine"`
	Data    Data    `json:"data"`
	Model   Model   `json:"model"`
	Unit    Unit    `json:"unit"`
	Price   Price   `json:"price"`
	Time    Time    `json:"time"`
	Traffic Traffic `json:"traffic"`
	Rounds  []Round `json:"rounds"` // the first is before any training
}

// Machine is where it was measured.
type Machine struct {
	Cores  int    `json:"cores"`
	Kernel string `json:"kernel"`
}

// Data is what the model learns from.
type Data struct {
	Kind        string `json:"kind"`
	Records     int    `json:"records"`
	HeldOut     int    `json:"held_out"` // records read in an evaluation
	RecordBytes int    `json:"record_bytes"`
	Bytes       int    `json:"bytes"` // of the set as members fetch it
}

// Model is what is trained.
type Model struct {
	Kind    string `json:"kind"`
	Weights int    `json:"weights"`
}

// Unit is one unit of work as this machine computed it.
type Unit struct {
	Steps        int     `json:"steps"`
	Tokens       uint64  `json:"tokens"`
	Seconds      float64 `json:"seconds"`
	Loss         float32 `json:"loss"`  // mean over the steps, in nats
	Skips        int     `json:"skips"` // steps without a finite gradient
	PayloadBytes int     `json:"payload_bytes"`
	MemoryBytes  uint64  `json:"memory_bytes"` // that this process had taken from the system by then
}

// Price is what the run costs its author.
type Price struct {
	PerUnit       string `json:"per_unit"`
	UnitsPerRound int    `json:"units_per_round"` // with the providers that the run file expects
	Units         uint64 `json:"units"`           // in all rounds
	Expected      string `json:"expected"`
	MaxUnits      uint64 `json:"max_units"` // if every place is taken in every round
	Locked        string `json:"locked"`    // for these; what is not spent comes back
}

// Time is an estimate for machines like this one, side by side.
type Time struct {
	ComputeSeconds float64 `json:"compute_seconds"` // of a round: the unit
	AuditSeconds   float64 `json:"audit_seconds"`   // of a round, on average: the units that one verifier recomputes
	LinkSeconds    float64 `json:"link_seconds"`    // of a round: payloads over the assumed link
	LedgerSeconds  float64 `json:"ledger_seconds"`  // of a round: blocks of the assumed length
	BlocksPerRound uint64  `json:"blocks_per_round"`
	RoundSeconds   float64 `json:"round_seconds"`
	RunSeconds     float64 `json:"run_seconds"`
	BlockSeconds   float64 `json:"assumed_block_seconds"`
	LinkBytes      float64 `json:"assumed_link_bytes_per_second"`
}

// Traffic is what a provider sends and receives.
type Traffic struct {
	JoinBytes      uint64 `json:"join_bytes"`       // received once: data and first model
	UpBytes        uint64 `json:"round_up_bytes"`   // sent in a round if it serves everybody itself; neighbours share, so it is less
	DownBytes      uint64 `json:"round_down_bytes"` // received in a round: the other payloads, from which it makes the next model
	SimulatedBytes uint64 `json:"simulated_bytes"`  // received by two providers and a verifier together in a simulated round
}

// Round is the model after a round, on the records kept for testing.
type Round struct {
	Round       int     `json:"round"`
	Seconds     float64 `json:"seconds"` // that this machine took to be all three members
	Loss        float32 `json:"loss"`    // in nats
	Accuracy    float32 `json:"accuracy"`
	AUC         float32 `json:"auc,omitempty"`
	BitsPerByte float32 `json:"bits_per_byte,omitempty"`
}

// estimate works price, time and traffic out for the crowd that the run file expects.
func (p *Report) estimate(r *recipe.Recipe, terms work.Spec) {
	units := min(r.Network.Providers, r.Network.MaxUnits)
	rounds := uint64(r.Train.Rounds)
	p.Price = Price{
		PerUnit: terms.Price.PerUnit.Coins(), UnitsPerRound: units, Units: rounds * uint64(units),
		Expected: cost(terms, rounds*uint64(units)).Coins(), MaxUnits: rounds * uint64(terms.MaxUnits), Locked: terms.Budget().Coins(),
	}
	p.Traffic.UpBytes, p.Traffic.DownBytes = exchanged(p.Unit.PayloadBytes, units, r.Network.Verifiers)
	p.Time.BlockSeconds, p.Time.LinkBytes = blockSeconds, linkBytes
	p.Time.ComputeSeconds = p.Unit.Seconds
	p.Time.AuditSeconds = p.Unit.Seconds * audits(terms, units, r.Network.Verifiers)
	p.Time.LinkSeconds = float64(max(p.Traffic.UpBytes, p.Traffic.DownBytes)) / linkBytes
	p.Time.LedgerSeconds = float64(p.Time.BlocksPerRound*blocksToShare) * blockSeconds
	p.Time.RoundSeconds = p.Time.ComputeSeconds + p.Time.AuditSeconds + p.Time.LinkSeconds + p.Time.LedgerSeconds
	p.Time.RunSeconds = float64(rounds) * p.Time.RoundSeconds
}

// cost is the price of so many units.
func cost(terms work.Spec, units uint64) money.Amount { return terms.Price.PerUnit.Times(units) }

// exchanged is what one provider sends, at most, and receives in a round: its payload goes once to every other provider
// and every verifier, the other payloads come once.
func exchanged(payload, units, verifiers int) (up, down uint64) {
	return uint64(payload) * uint64(units-1+verifiers), uint64(payload) * uint64(units-1)
}

// audits is how many units the busiest verifier recomputes in a round, on average over the run, if all goes well: every
// unit of newcomers, then as many as the rate asks for.
func audits(terms work.Spec, units, verifiers int) float64 {
	sum := 0.0
	for done := range terms.Rounds {
		drawn := float64(units) * float64(terms.Audit.Rate(done)) / work.PPM
		sum += math.Ceil(drawn / float64(verifiers))
	}
	return sum / float64(terms.Rounds)
}
