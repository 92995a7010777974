package ledgeraudit

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"

	sdkquery "github.com/cosmos/cosmos-sdk/types/query"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/mutirao/mutirao/audit"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/x/commons/commonspb"
	"github.com/mutirao/mutirao/chain/x/dispute/disputepb"
	"github.com/mutirao/mutirao/chain/x/registry/registrypb"
	"github.com/mutirao/mutirao/chain/x/work/workpb"
)

// stateAt asks the validator for all books after a block.
func stateAt(ctx context.Context, s source, height int64) (audit.State, error) {
	st := audit.State{
		Balances: map[audit.Account]*big.Int{}, Runs: map[audit.Hash]audit.RunState{}, Models: map[audit.Hash]audit.ModelState{},
		Channels: map[audit.Hash]audit.ChannelState{}, Uploads: map[audit.Hash]*big.Int{}, Receipts: map[audit.Receipt]int{},
	}
	for _, read := range []func(context.Context, source, int64, *audit.State) error{balances, runs, models, channels, uploads, commonsBooks, stakes, earned} {
		if err := read(ctx, s, height, &st); err != nil {
			return st, err
		}
	}
	return st, nil
}

func balances(ctx context.Context, s source, height int64, st *audit.State) error {
	var supply banktypes.QuerySupplyOfResponse
	if err := ask(ctx, s, height, "/cosmos.bank.v1beta1.Query/SupplyOf", &banktypes.QuerySupplyOfRequest{Denom: network.Denom}, &supply); err != nil {
		return err
	}
	st.Supply = supply.Amount.Amount.BigInt()
	var next []byte
	for {
		var page banktypes.QueryDenomOwnersResponse
		request := &banktypes.QueryDenomOwnersRequest{Denom: network.Denom, Pagination: &sdkquery.PageRequest{Key: next, Limit: 1000}}
		if err := ask(ctx, s, height, "/cosmos.bank.v1beta1.Query/DenomOwners", request, &page); err != nil {
			return err
		}
		for _, o := range page.DenomOwners {
			who, err := account(o.Address)
			if err != nil {
				return err
			}
			st.Balances[who] = o.Balance.Amount.BigInt()
		}
		if next = page.Pagination.GetNextKey(); len(next) == 0 {
			return nil
		}
	}
}

func commonsBooks(ctx context.Context, s source, height int64, st *audit.State) error {
	var answer commonspb.JSONResponse
	if err := ask(ctx, s, height, "/mutirao.commons.v1.Query/Status", &commonspb.StatusRequest{}, &answer); err != nil {
		return err
	}
	var state struct{ Minted, Promised audit.Coins }
	if err := json.Unmarshal(answer.Json, &state); err != nil {
		return fmt.Errorf("state of the commons: %w", err)
	}
	st.Minted, st.Promised = state.Minted.Int, state.Promised.Int
	return nil
}

func runs(ctx context.Context, s source, height int64, st *audit.State) error {
	for after := uint64(0); ; {
		var page workpb.RunsResponse
		if err := ask(ctx, s, height, "/mutirao.work.v1.Query/Runs", &workpb.RunsRequest{After: after}, &page); err != nil || len(page.Ids) == 0 {
			return err
		}
		after += uint64(len(page.Ids))
		for _, raw := range page.Ids {
			if err := run(ctx, s, height, raw, st); err != nil {
				return err
			}
		}
	}
}

func run(ctx context.Context, s source, height int64, raw []byte, st *audit.State) error {
	id := audit.Hash(raw)
	var answer workpb.RunResponse
	if err := ask(ctx, s, height, "/mutirao.work.v1.Query/Run", &workpb.RunRequest{Id: raw}, &answer); err != nil {
		return err
	}
	var state struct {
		Budget  audit.Coins
		Members []struct {
			Account audit.Account
			Bond    audit.Coins
			Kept    []audit.Coins
		}
	}
	if err := json.Unmarshal(answer.Json, &state); err != nil {
		return fmt.Errorf("run %s: %w", id, err)
	}
	bonds, kept := map[audit.Account]*big.Int{}, map[audit.Account]*big.Int{}
	for _, m := range state.Members {
		bonds[m.Account], kept[m.Account] = m.Bond.Int, new(big.Int)
		for _, a := range m.Kept {
			if a.Int != nil {
				kept[m.Account].Add(kept[m.Account], a.Int)
			}
		}
	}
	st.Runs[id] = audit.RunState{Budget: state.Budget.Int, Bonds: bonds, Kept: kept}
	for after := ""; ; {
		var page workpb.RecordsResponse
		request := &workpb.RecordsRequest{Run: raw, Kind: "receipt", After: after}
		if err := ask(ctx, s, height, "/mutirao.work.v1.Query/Records", request, &page); err != nil || len(page.Records) == 0 {
			return err
		}
		for _, r := range page.Records {
			var receipt struct {
				Kind   string
				To     audit.Account
				Amount audit.Coins
			}
			if err := json.Unmarshal(r.Json, &receipt); err != nil {
				return fmt.Errorf("receipt %s: %w", r.Key, err)
			}
			st.Receipts[audit.Receipt{Owner: id, Kind: receipt.Kind, To: receipt.To, Amount: receipt.Amount.String()}]++
			after = r.Key
		}
	}
}

func models(ctx context.Context, s source, height int64, st *audit.State) error {
	for after := []byte(nil); ; {
		var page registrypb.ModelsResponse
		if err := ask(ctx, s, height, "/mutirao.registry.v1.Query/Models", &registrypb.ModelsRequest{After: after}, &page); err != nil || len(page.Ids) == 0 {
			return err
		}
		for _, raw := range page.Ids {
			if err := model(ctx, s, height, raw, st); err != nil {
				return err
			}
			after = raw
		}
	}
}

func model(ctx context.Context, s source, height int64, raw []byte, st *audit.State) error {
	id := audit.Hash(raw)
	var answer registrypb.ModelResponse
	if err := ask(ctx, s, height, "/mutirao.registry.v1.Query/Model", &registrypb.ModelRequest{Id: raw}, &answer); err != nil {
		return err
	}
	var state struct {
		Uses                          uint64
		Earned, Flowed, Holders, Paid audit.Coins
	}
	if err := json.Unmarshal(answer.Json, &state); err != nil {
		return fmt.Errorf("model %s: %w", id, err)
	}
	m := audit.ModelState{
		Uses: state.Uses, Earned: state.Earned.Int, Flowed: state.Flowed.Int, Holder: state.Holders.Int, Paid: state.Paid.Int,
		Holdings: map[audit.Account]audit.HoldingState{},
	}
	for after := []byte(nil); ; {
		var page registrypb.HoldingsResponse
		if err := ask(ctx, s, height, "/mutirao.registry.v1.Query/Holdings", &registrypb.HoldingsRequest{Model: raw, After: after}, &page); err != nil {
			return err
		}
		if len(page.Json) == 0 {
			break
		}
		for _, one := range page.Json {
			var h struct {
				Holder    audit.Account
				PPM       int64
				Seen, Due audit.Coins
			}
			if err := json.Unmarshal(one, &h); err != nil {
				return fmt.Errorf("holding of model %s: %w", id, err)
			}
			m.Holdings[h.Holder] = audit.HoldingState{PPM: h.PPM, Seen: h.Seen.Int, Due: h.Due.Int}
			after = h.Holder[:]
		}
	}
	st.Models[id] = m
	for _, kind := range []string{"use", "dividend", "redemption", "channel"} {
		if err := modelRecords(ctx, s, height, id, kind, st); err != nil {
			return err
		}
	}
	return nil
}

func modelRecords(ctx context.Context, s source, height int64, id audit.Hash, kind string, st *audit.State) error {
	for after := ""; ; {
		var page registrypb.RecordsResponse
		request := &registrypb.RecordsRequest{Model: id[:], Kind: kind, After: after}
		if err := ask(ctx, s, height, "/mutirao.registry.v1.Query/Records", request, &page); err != nil || len(page.Records) == 0 {
			return err
		}
		for _, r := range page.Records {
			var receipt struct {
				Payer, Holder, Sender audit.Account
				Fee, Amount, Returned audit.Coins
				Channel               struct{ Payer audit.Account }
			}
			if err := json.Unmarshal(r.Json, &receipt); err != nil {
				return fmt.Errorf("record %s: %w", r.Key, err)
			}
			key := audit.Receipt{Owner: id, Kind: kind, To: receipt.Payer, Amount: receipt.Fee.String()}
			switch kind {
			case "dividend":
				key.To, key.Amount = receipt.Holder, receipt.Amount.String()
			case "redemption":
				key.To, key.Amount = receipt.Sender, receipt.Amount.String()
			case "channel":
				key.To, key.Amount = receipt.Channel.Payer, receipt.Returned.String()
			}
			st.Receipts[key]++
			after = r.Key
		}
	}
}

// disputeTerms reads the terms of all disputes, which nothing changes after genesis.
func disputeTerms(ctx context.Context, s source, height int64, g *audit.Genesis) error {
	var answer disputepb.ParamsResponse
	if err := ask(ctx, s, height, "/mutirao.dispute.v1.Query/Params", &disputepb.ParamsRequest{}, &answer); err != nil {
		return err
	}
	var params struct {
		Bond   audit.Coins
		Prices int64
	}
	if err := json.Unmarshal(answer.Json, &params); err != nil {
		return fmt.Errorf("terms of disputes: %w", err)
	}
	g.DisputeBond, g.DisputePrices = params.Bond.Int, params.Prices
	return nil
}

func channels(ctx context.Context, s source, height int64, st *audit.State) error {
	for after := []byte(nil); ; {
		var page registrypb.ChannelsResponse
		if err := ask(ctx, s, height, "/mutirao.registry.v1.Query/Channels", &registrypb.ChannelsRequest{After: after}, &page); err != nil || len(page.Json) == 0 {
			return err
		}
		for _, raw := range page.Json {
			var c struct {
				ID              audit.Hash
				Deposit, Amount audit.Coins
				Uses            uint64
			}
			if err := json.Unmarshal(raw, &c); err != nil || c.Deposit.Int == nil || c.Amount.Int == nil {
				return fmt.Errorf("channel %s: %w", c.ID, err)
			}
			st.Channels[c.ID] = audit.ChannelState{Left: new(big.Int).Sub(c.Deposit.Int, c.Amount.Int), Uses: c.Uses}
			after = c.ID[:]
		}
	}
}

func uploads(ctx context.Context, s source, height int64, st *audit.State) error {
	for after := []byte(nil); ; {
		var page registrypb.UploadsResponse
		if err := ask(ctx, s, height, "/mutirao.registry.v1.Query/Uploads", &registrypb.UploadsRequest{After: after}, &page); err != nil || len(page.Json) == 0 {
			return err
		}
		for _, raw := range page.Json {
			var u struct {
				ID      audit.Hash
				Deposit audit.Coins
			}
			if err := json.Unmarshal(raw, &u); err != nil || u.Deposit.Int == nil {
				return fmt.Errorf("upload %s: %w", u.ID, err)
			}
			st.Uploads[u.ID], after = u.Deposit.Int, u.ID[:]
		}
	}
}
