package ledgeraudit

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"

	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/mutirao/mutirao/audit"
	"github.com/mutirao/mutirao/chain/fault"
	rewardshost "github.com/mutirao/mutirao/chain/x/rewards"
)

// pairs are the entries of a table of a module in a genesis.
type pairs []struct{ Key, Value []byte }

// rewardTerms are what validators and stake have earned at genesis.
func rewardTerms(appState []byte) (audit.RewardTerms, error) {
	t := audit.RewardTerms{Escrow: moduleAccount(rewardshost.ModuleName), Votes: map[audit.Account]*big.Int{}, Income: map[audit.Account]audit.Income{}}
	var state struct {
		Rewards struct {
			Votes, Validators, Holders pairs
			Book                       []struct{ Value []byte }
		}
	}
	if err := json.Unmarshal(appState, &state); err != nil {
		return t, fmt.Errorf("genesis of rewards: %w", err)
	}
	for _, b := range state.Rewards.Book {
		var book struct {
			Loose audit.Coins
			Left  int
			At    []byte
		}
		if err := json.Unmarshal(b.Value, &book); err != nil {
			return t, fmt.Errorf("genesis of rewards: %w", err)
		}
		t.Loose, t.Left = book.Loose.Int, book.Left
		if len(book.At) == 2*len(audit.Account{}) {
			t.Last = both(book.At)
		}
	}
	for _, e := range state.Rewards.Votes {
		weight, err := audit.ParseCoins(string(e.Value))
		if err != nil {
			return t, fmt.Errorf("genesis of rewards: votes of %x: %w", e.Key, err)
		}
		t.Votes[padded(e.Key)] = weight
	}
	for _, e := range state.Rewards.Validators {
		in, err := income(e.Value)
		if err != nil {
			return t, err
		}
		t.Income[padded(e.Key)] = in
	}
	return t, holders(state.Rewards.Holders, t.Income)
}

// both splits the key of a delegation into operator and owner.
func both(key []byte) [2]audit.Account {
	n := len(audit.Account{})
	return [2]audit.Account{padded(key[:n]), padded(key[n:])}
}

// income reads what the stake behind a validator has earned, without its delegations.
func income(raw []byte) (audit.Income, error) {
	var v struct{ Index, Rest, Earned audit.Coins }
	if err := json.Unmarshal(raw, &v); err != nil {
		return audit.Income{}, fmt.Errorf("what a validator has earned: %w", err)
	}
	return audit.Income{Index: v.Index.Int, Rest: v.Rest.Int, Earned: v.Earned.Int, Seen: map[audit.Account]*big.Int{}, Rests: map[audit.Account]*big.Int{}}, nil
}

// holders adds delegations to the income of their validators.
func holders(list pairs, to map[audit.Account]audit.Income) error {
	for _, e := range list {
		var h struct{ Seen, Rest audit.Coins }
		if err := json.Unmarshal(e.Value, &h); err != nil || len(e.Key) != 2*len(audit.Account{}) {
			return fmt.Errorf("genesis of rewards: delegation %x: %w", e.Key, err)
		}
		at := both(e.Key)
		if in, ok := to[at[0]]; ok {
			in.Seen[at[1]], in.Rests[at[1]] = h.Seen.Int, h.Rest.Int
		}
	}
	return nil
}

// signed are the addresses of the keys that signed the block before.
func signed(c *cmttypes.Commit) (list []audit.Account) {
	if c == nil {
		return nil
	}
	for _, s := range c.Signatures {
		if s.BlockIDFlag == cmttypes.BlockIDFlagCommit {
			list = append(list, padded(s.ValidatorAddress))
		}
	}
	return list
}

// earned reads what the stake behind the known validators has earned.
func earned(ctx context.Context, s source, height int64, st *audit.State) error {
	st.Earned = map[audit.Account]*big.Int{}
	for who := range st.Stakes {
		r, err := s.query(ctx, "/store/"+rewardshost.ModuleName+"/key", append([]byte{rewardshost.PrefixValidators}, who[:]...), height)
		if err == nil {
			err = fault.FromABCI(r.Codespace, r.Code, r.Log)
		}
		if err != nil {
			return fmt.Errorf("what validator %s has earned: %w", who, err)
		}
		if len(r.Value) == 0 {
			continue
		}
		in, err := income(r.Value)
		if err != nil {
			return err
		}
		st.Earned[who] = in.Earned
	}
	return nil
}
