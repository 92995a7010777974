package validator_test

import (
	"context"
	"testing"
	"time"

	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"cosmossdk.io/math"

	"github.com/mutirao/mutirao/chain/app"
	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/chain/genesis"
	"github.com/mutirao/mutirao/chain/validator"
	"github.com/mutirao/mutirao/protocol/money"
)

// floor reads the least price of gas, the rule that the upgrade changes.
func floor(t *testing.T, ctx context.Context, c *client.Client) uint64 {
	t.Helper()
	l, err := c.Numbers(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range l.List {
		if e.Name == "feemarket.min_gas_price" {
			return e.Value
		}
	}
	t.Fatal("no price of gas")
	return 0
}

// Four validators accept an upgrade by vote. The program that lacks it stops before its height, on all of them; the one that has it goes on
// with the new rule and with one state.
func TestUpgradeAtAHeight(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var operators []client.Key
	for i := range byte(4) {
		operators = append(operators, newKey(t, 21+i))
	}
	configs := fourOf(t, func(s *genesis.Spec) {
		s.Voting = 3 * time.Second
		for i, key := range operators {
			s.Validators[i].Operator = key.Account()
			s.Accounts = append(s.Accounts, genesis.Balance{Address: key.Account(), Amount: money.MUT(200)})
		}
	})
	begin := func(upgrades []app.Upgrade) (nodes []*validator.Node) {
		for _, c := range configs {
			c.Upgrades = upgrades
			nodes = append(nodes, start(t, c))
		}
		return nodes
	}
	end := func(nodes []*validator.Node) {
		for _, n := range nodes {
			if err := n.Stop(); err != nil {
				t.Error(err)
			}
		}
	}
	nodes := begin(nil)
	waitHeight(t, nodes[0], 1)
	clients := make([]*client.Client, len(nodes))
	for i, key := range operators {
		var err error
		if clients[i], err = client.Dial([]string{nodes[i].RPC()}, key); err != nil {
			t.Fatal(err)
		}
	}
	before := floor(t, ctx, clients[0])
	at := nodes[0].Height() + 40
	if err := clients[0].Propose(ctx, "dearer", "gas costs more", money.MUT(100), client.Upgrade("dearer", at, "")); err != nil {
		t.Fatal(err)
	}
	for _, c := range clients {
		if err := c.Vote(ctx, 1, client.Choices["yes"]); err != nil {
			t.Fatal(err)
		}
	}
	for i, n := range nodes {
		for h := n.Health(); h.Upgrade != "dearer" || h.Ready || n.Height() != at-1; h = n.Health() {
			if ctx.Err() != nil {
				t.Fatalf("validator %d is at %d of %d: %+v", i, n.Height(), at, h)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	if now := floor(t, ctx, clients[0]); now != before {
		t.Errorf("the rule changed early: %d", now)
	}
	end(nodes)

	nodes = begin([]app.Upgrade{{Name: "dearer", Apply: func(ctx sdk.Context, a *app.App) error {
		p := a.FeeMarket.GetParams(ctx)
		p.MinGasPrice = math.LegacyNewDec(5 * int64(before))
		return a.FeeMarket.SetParams(ctx, p)
	}}})
	defer end(nodes)
	waitHeight(t, nodes[3], at+2)
	if now := floor(t, ctx, clients[0]); now != 5*before {
		t.Errorf("the rule after the upgrade: %d, was %d", now, before)
	}
	var want string
	for i, n := range nodes {
		waitHeight(t, n, at+2)
		rpc, err := rpchttp.New(n.RPC(), "/websocket")
		if err != nil {
			t.Fatal(err)
		}
		height := at + 1
		commit, err := rpc.Commit(ctx, &height)
		if err != nil {
			t.Fatal(err)
		}
		if got := commit.AppHash.String(); i == 0 {
			want = got
		} else if got != want {
			t.Errorf("validator %d has state %s after the upgrade, not %s", i, got, want)
		}
	}
}
