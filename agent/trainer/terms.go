package trainer

import (
	"fmt"

	"github.com/mutirao/mutirao/learn/recipe"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
)

// Terms reads the pay and the crowd of a recipe. The seed of all draws follows from seed. Windows are in blocks.
func Terms(r *recipe.Recipe, seed uint64, windows work.Windows) (work.Spec, error) {
	s := work.DefaultSpec()
	s.MaxUnits = uint32(r.Network.MaxUnits)
	s.MinProviders, s.MinVerifiers = uint32(r.Network.MinProviders), uint32(r.Network.MinVerifiers)
	s.LeastVerifiers = max(1, s.MinVerifiers/2+1)
	s.Windows = windows
	s.Seed = new(protocol.Preimage).Uint64(seed).Digest("mutirao/run-seed")
	for _, a := range []struct {
		name, text string
		into       *money.Amount
	}{
		{"unit_price", r.Pay.UnitPrice, &s.Price.PerUnit},
		{"provider_bond", r.Pay.ProviderBond, &s.ProviderBond},
		{"verifier_bond", r.Pay.VerifierBond, &s.VerifierBond},
	} {
		amount, err := money.ParseMUT(a.text)
		if err != nil {
			return work.Spec{}, fmt.Errorf("pay.%s: %w", a.name, err)
		}
		*a.into = amount
	}
	return s, nil
}
