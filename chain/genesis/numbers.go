package genesis

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"cosmossdk.io/math"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
)

// setter writes one number into the parameters of staking and slashing.
type setter func(value uint64, staking *stakingtypes.Params, slashing *slashingtypes.Params)

// setters are the numbers that a network may begin with. Governance calls those that it may change by the same names; the bounds of its
// votes do not bind a genesis, so that a test network can be impatient.
var setters = map[string]setter{
	"slashing.window_blocks": func(v uint64, _ *stakingtypes.Params, p *slashingtypes.Params) { p.SignedBlocksWindow = int64(v) },
	"slashing.jail_seconds":  func(v uint64, _ *stakingtypes.Params, p *slashingtypes.Params) { p.DowntimeJailDuration = seconds(v) },
	"slashing.downtime_ppm": func(v uint64, _ *stakingtypes.Params, p *slashingtypes.Params) {
		p.SlashFractionDowntime = millionths(v)
	},
	"slashing.double_sign_ppm": func(v uint64, _ *stakingtypes.Params, p *slashingtypes.Params) {
		p.SlashFractionDoubleSign = millionths(v)
	},
	"staking.unbonding_seconds": func(v uint64, p *stakingtypes.Params, _ *slashingtypes.Params) { p.UnbondingTime = seconds(v) },
	"staking.max_validators":    func(v uint64, p *stakingtypes.Params, _ *slashingtypes.Params) { p.MaxValidators = uint32(v) },
}

// maxNumber keeps every number within the types of the parameters.
const maxNumber = 1 << 31

// Settable lists the names of numbers that a Spec may set.
func Settable() []string { return slices.Sorted(maps.Keys(setters)) }

// setNumbers returns ErrSpec for a number that is unknown or that its module refuses.
func setNumbers(numbers map[string]uint64, staking *stakingtypes.Params, slashing *slashingtypes.Params) error {
	for _, name := range slices.Sorted(maps.Keys(numbers)) {
		set, ok := setters[name]
		if !ok {
			return fmt.Errorf("%w: number %.40q; there are %s", ErrSpec, name, strings.Join(Settable(), ", "))
		}
		if numbers[name] > maxNumber {
			return fmt.Errorf("%w: %s of %d", ErrSpec, name, numbers[name])
		}
		set(numbers[name], staking, slashing)
	}
	if err := staking.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrSpec, err)
	}
	if err := slashing.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrSpec, err)
	}
	return nil
}

func seconds(v uint64) time.Duration { return time.Duration(v) * time.Second }

func millionths(v uint64) math.LegacyDec { return math.LegacyNewDecWithPrec(int64(v), 6) }
