package node

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/role"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
)

var (
	errBoth  = errors.New("--drill is for who computes units, --watch for who does not")
	errShare = errors.New("not a number from 0.0001 to 100")
)

// canDispute reports whether a watcher has the coins for a dispute about a unit of a run.
func canDispute(ctx context.Context, m *role.Machine, s *work.State, balance money.Amount) error {
	p, err := m.Client.DisputeParams(ctx)
	if err != nil {
		return failure.New(failure.Network, "the terms of disputes cannot be read", err, "try again")
	}
	if bond := p.For(s.Spec.Price.PerUnit).Bond; balance.Compare(bond) <= 0 {
		return failure.New(failure.Credit, "not enough coins for a dispute",
			fmt.Errorf("%s has %s, the bond of the first dispute is %s and a transaction costs a little", m.Identity.Account, balance.Coins(), bond.Coins()),
			"ask a member to send coins to "+m.Identity.Account.String())
	}
	return nil
}

// parseShare reads a share in percent, with up to four decimals, as parts per million. Empty is none.
func parseShare(text string) (uint32, error) {
	if text == "" {
		return 0, nil
	}
	whole, decimals, point := strings.Cut(strings.TrimSuffix(text, "%"), ".")
	if len(whole) < 1 || len(whole) > 3 || point && (len(decimals) < 1 || len(decimals) > 4) {
		return 0, fmt.Errorf("%w: %.20q", errShare, text)
	}
	n, err := strconv.ParseUint(whole+decimals+"0000"[len(decimals):], 10, 32)
	if err != nil || n < 1 || n > work.PPM {
		return 0, fmt.Errorf("%w: %.20q", errShare, text)
	}
	return uint32(n), nil
}
