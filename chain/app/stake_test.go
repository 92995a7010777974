package app_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	dbm "github.com/cosmos/cosmos-db"

	"cosmossdk.io/log/v2"
	"cosmossdk.io/math"
	cryptocodec "github.com/cosmos/cosmos-sdk/crypto/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/mutirao/mutirao/chain/app"
	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/chain/genesis"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	paramrules "github.com/mutirao/mutirao/protocol/params"
)

// The audit recomputes stake that is bonded, moved and leaves, both slashes and the deposit of a proposal; and it finds a coin in the wrong
// pool, in the block in which it went there.
func TestAuditOfStake(t *testing.T) {
	ana, bia := newPerson(t, 1), newPerson(t, 2)
	keys := genesis.DeriveKeys([32]byte{1}, 3)
	spec := genesis.Spec{Time: time.Unix(1_700_000_000, 0), Validators: keys[:2], Stake: 1000, Voting: 10 * time.Second}
	for _, p := range []person{ana, bia} {
		spec.Accounts = append(spec.Accounts, genesis.Balance{Address: p.Account(), Amount: wealth})
	}
	doc, err := genesis.New(spec)
	if err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{`"signed_blocks_window":"5400"`: `"signed_blocks_window":"10"`, `"unbonding_time":"1814400s"`: `"unbonding_time":"60s"`} {
		if !bytes.Contains(doc.AppState, []byte(from)) {
			t.Fatalf("genesis without %s", from)
		}
		doc.AppState = bytes.Replace(doc.AppState, []byte(from), []byte(to), 1)
	}
	c := &chain{t: t, db: dbm.NewMemDB(), doc: doc, proposer: keys[0].Consensus.PubKey().Address()}
	fault := false
	c.app, err = app.NewSolo(log.NewNopLogger(), c.db, app.Solo{EVMChainID: network.EVMChainID, Edit: func(ctx sdk.Context) error {
		if !fault {
			return nil
		}
		return c.app.Bank.SendCoinsFromModuleToModule(ctx, stakingtypes.BondedPoolName, stakingtypes.NotBondedPoolName, network.Coins(money.New(1)))
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.app.Close() })
	if _, err := c.app.InitChain(app.InitRequest(doc)); err != nil {
		t.Fatal(err)
	}
	c.block()

	text := func(a protocol.Account) string { return sdk.AccAddress(a[:]).String() }
	operator := func(a protocol.Account) string { return sdk.ValAddress(a[:]).String() }
	coin := func(mut uint64) sdk.Coin { return network.Coins(money.MUT(mut))[0] }
	do := func(who person, m sdk.Msg) {
		t.Helper()
		if r := c.native(who, 3_000_000, m); r.Code != 0 {
			t.Fatalf("%T: %s", m, r.Log)
		}
	}
	key, err := cryptocodec.FromCmtPubKeyInterface(keys[2].Consensus.PubKey())
	if err != nil {
		t.Fatal(err)
	}
	create, err := stakingtypes.NewMsgCreateValidator(operator(ana.Account()), key, coin(300), stakingtypes.NewDescription("ana", "", "", "", ""),
		stakingtypes.NewCommissionRates(math.LegacyZeroDec(), math.LegacyOneDec(), math.LegacyOneDec()), math.OneInt())
	if err != nil {
		t.Fatal(err)
	}
	do(ana, create)
	do(bia, stakingtypes.NewMsgDelegate(text(bia.Account()), operator(ana.Account()), coin(200)))

	set, _, err := client.Wrap(client.Governance(), paramrules.Set{Name: "feemarket.min_gas_price", Value: 1500})
	if err != nil {
		t.Fatal(err)
	}
	propose, err := govv1.NewMsgSubmitProposal([]sdk.Msg{set}, network.Coins(money.MUT(100)), text(bia.Account()), "", "t", "s", false)
	if err != nil {
		t.Fatal(err)
	}
	do(bia, propose)
	voter := ana.Account()
	do(ana, govv1.NewMsgVote(voter[:], 1, govv1.OptionYes, ""))

	// The second validator of the genesis does not sign: it loses a ten-thousandth.
	seen := map[string]int{}
	block := func(edit func(*abci.RequestFinalizeBlock)) {
		t.Helper()
		c.height++
		req := &abci.RequestFinalizeBlock{Height: c.height, Time: doc.GenesisTime.Add(time.Duration(c.height) * time.Second), ProposerAddress: c.proposer}
		edit(req)
		for _, e := range c.execute(req).Events {
			seen[e.Type]++
		}
	}
	for range 20 {
		block(func(req *abci.RequestFinalizeBlock) {
			req.DecidedLastCommit.Votes = []abci.VoteInfo{{Validator: abci.Validator{Address: keys[1].Consensus.PubKey().Address(), Power: 1000}, BlockIdFlag: cmtproto.BlockIDFlagAbsent}}
		})
	}
	if seen["active_proposal"] != 1 || seen["slash"] == 0 {
		t.Fatalf("no decision or no slash: %v", seen)
	}
	c.audit()

	// Ana's signs twice at a height; what bia took out of it and moved elsewhere since then loses a twentieth, too.
	wrong := c.height
	do(bia, stakingtypes.NewMsgUndelegate(text(bia.Account()), operator(ana.Account()), coin(20)))
	do(bia, stakingtypes.NewMsgBeginRedelegate(text(bia.Account()), operator(ana.Account()), operator(keys[0].Operator), coin(40)))
	before := c.supply()
	block(func(req *abci.RequestFinalizeBlock) {
		req.Misbehavior = []abci.Misbehavior{{Type: abci.MisbehaviorType_DUPLICATE_VOTE, Validator: abci.Validator{Address: keys[2].Consensus.PubKey().Address(), Power: 500},
			Height: wrong, Time: req.Time.Add(-2 * time.Second), TotalVotingPower: 2500}}
	})
	if lost, err := before.Sub(c.supply()); err != nil || lost != money.MUT(25) {
		t.Errorf("%s were burned, not a twentieth of 500: %v", lost.Coins(), err)
	}
	c.audit()
	held := c.balance(bia.Account())
	for range 70 {
		block(func(*abci.RequestFinalizeBlock) {})
	}
	if back, err := c.balance(bia.Account()).Sub(held); err != nil || back != money.MUT(19) || seen["complete_unbonding"] != 1 {
		t.Errorf("%s came back of 20, not 19: %v, %v", back.Coins(), err, seen)
	}
	c.audit()

	fault = true
	c.block()
	fault = false
	c.block()
	report := c.audited()
	if len(report.Findings) != 2 || report.First != c.height-1 {
		t.Fatalf("a coin in the wrong pool in block %d: the audit finds, since block %d, %v", c.height-1, report.First, report.Findings)
	}
	for _, f := range report.Findings {
		if !strings.HasPrefix(f.Subject, "balance ") {
			t.Error(f)
		}
	}
}
