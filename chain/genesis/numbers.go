package genesis

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"

	"cosmossdk.io/math"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
)

// settings are the parameters that a genesis begins with.
type settings struct {
	staking   stakingtypes.Params
	slashing  slashingtypes.Params
	consensus *cmttypes.ConsensusParams
}

// setters are the numbers that a network may begin with. Governance calls those that it may change by the same names; the bounds of its
// votes do not bind a genesis, so that a test network can be impatient.
var setters = map[string]func(s *settings, value uint64){
	"evidence.age_blocks":       func(s *settings, v uint64) { s.consensus.Evidence.MaxAgeNumBlocks = int64(v) },
	"slashing.window_blocks":    func(s *settings, v uint64) { s.slashing.SignedBlocksWindow = int64(v) },
	"slashing.jail_seconds":     func(s *settings, v uint64) { s.slashing.DowntimeJailDuration = seconds(v) },
	"slashing.downtime_ppm":     func(s *settings, v uint64) { s.slashing.SlashFractionDowntime = millionths(v) },
	"slashing.double_sign_ppm":  func(s *settings, v uint64) { s.slashing.SlashFractionDoubleSign = millionths(v) },
	"staking.unbonding_seconds": func(s *settings, v uint64) { s.staking.UnbondingTime = seconds(v) },
	"staking.max_validators":    func(s *settings, v uint64) { s.staking.MaxValidators = uint32(v) },
}

// maxNumber keeps every number within the types of the parameters.
const maxNumber = 1 << 31

// Settable lists the names of numbers that a Spec may set.
func Settable() []string { return slices.Sorted(maps.Keys(setters)) }

// setNumbers returns ErrSpec for a number that is unknown or that its module refuses.
func (s *settings) setNumbers(numbers map[string]uint64) error {
	for _, name := range slices.Sorted(maps.Keys(numbers)) {
		set, ok := setters[name]
		if !ok {
			return fmt.Errorf("%w: number %.40q; there are %s", ErrSpec, name, strings.Join(Settable(), ", "))
		}
		if numbers[name] > maxNumber {
			return fmt.Errorf("%w: %s of %d", ErrSpec, name, numbers[name])
		}
		set(s, numbers[name])
	}
	if err := s.staking.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrSpec, err)
	}
	if err := s.slashing.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrSpec, err)
	}
	if err := s.consensus.ValidateBasic(); err != nil {
		return fmt.Errorf("%w: %w", ErrSpec, err)
	}
	return nil
}

func seconds(v uint64) time.Duration { return time.Duration(v) * time.Second }

func millionths(v uint64) math.LegacyDec { return math.LegacyNewDecWithPrec(int64(v), 6) }
