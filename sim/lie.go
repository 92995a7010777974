package sim

// Lie is the way in which a member breaks the rules; None for an honest one.
type Lie string

// None is honesty.
const None Lie = ""

// Lies of providers.
const (
	Nudge     Lie = "nudge"      // one code of the payload is off by one
	WrongSeed Lie = "wrong-seed" // trained on other records than the draw says
	Stale     Lie = "stale"      // trained the first model instead of the current one
	Truncated Lie = "truncated"  // a payload that ends early
	Scrambled Lie = "scrambled"  // a payload that is not in the one canonical form
	Huge      Lie = "huge"       // a canonical payload, thousands of times too large
	Silent    Lie = "silent"     // seals and never opens
	Withhold  Lie = "withhold"   // opens and serves the payload to nobody
	Partial   Lie = "partial"    // opens and serves the payload to some only
	Copy      Lie = "copy"       // seals and opens what another worker sealed and opened
)

// Lies of verifiers. All who tell the same lie tell it in the same words, as accomplices would.
const (
	Misjudge   Lie = "misjudge"   // calls right results wrong, and disputes them
	Invent     Lie = "invent"     // calls results right without recomputing them
	Accomplice Lie = "accomplice" // recomputes, and calls whatever the worker claims right
	Echo       Lie = "echo"       // repeats another verifier's seal
	Mute       Lie = "mute"       // seals and never opens
	Blind      Lie = "blind"      // says that no payload can be had
	Misvote    Lie = "misvote"    // leaves a unit out of the aggregate
	Slander    Lie = "slander"    // disputes what others name as the aggregate
)

// ProviderLies and VerifierLies list the lies of each role.
var (
	ProviderLies = []Lie{Nudge, WrongSeed, Stale, Truncated, Scrambled, Huge, Silent, Withhold, Partial, Copy}
	VerifierLies = []Lie{Misjudge, Invent, Accomplice, Echo, Mute, Blind, Misvote, Slander}
)

// serves reports whether a machine gives a blob that it holds to another. Only those that withhold are choosy, and about
// everything: which blobs are payloads does not matter to them.
func (m *machine) serves(to *machine) bool {
	switch m.Lie {
	case Withhold:
		return false
	case Partial:
		return to.identity.Account[0]%2 == 0
	}
	return true
}
