package client

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	coretypes "github.com/cometbft/cometbft/rpc/core/types"
	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	feemarkettypes "github.com/cosmos/evm/x/feemarket/types"
	"github.com/cosmos/gogoproto/proto"

	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// greedy is an endpoint that names a base fee as it likes and says of every transaction that its gas is not enough.
type greedy struct {
	t       *testing.T
	baseFee []byte // feemarket's QueryBaseFeeResponse
	offered [][]byte
}

func (g *greedy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var request rpctypes.RPCRequest
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		g.t.Error(err)
		return
	}
	var params struct {
		Path string
		Tx   []byte
	}
	if err := json.Unmarshal(request.Params, &params); err != nil {
		g.t.Error(err)
	}
	var result any
	switch request.Method + params.Path {
	case "abci_info":
		result = coretypes.ResultABCIInfo{Response: abci.ResponseInfo{LastBlockHeight: 1}}
	case "abci_query/cosmos.auth.v1beta1.Query/AccountInfo":
		value, err := proto.Marshal(&authtypes.QueryAccountInfoResponse{Info: &authtypes.BaseAccount{}})
		if err != nil {
			g.t.Error(err)
		}
		result = coretypes.ResultABCIQuery{Response: abci.ResponseQuery{Value: value}}
	case "abci_query/cosmos.evm.feemarket.v1.Query/BaseFee":
		result = coretypes.ResultABCIQuery{Response: abci.ResponseQuery{Value: g.baseFee}}
	case "broadcast_tx_sync":
		g.offered = append(g.offered, params.Tx)
		result = coretypes.ResultBroadcastTx{Codespace: sdkerrors.RootCodespace, Code: sdkerrors.ErrOutOfGas.ABCICode()}
	default:
		g.t.Errorf("client asks %s%s", request.Method, params.Path)
	}
	if err := json.NewEncoder(w).Encode(rpctypes.NewRPCSuccessResponse(request.ID, result)); err != nil {
		g.t.Error(err)
	}
}

// TestFeeIsBounded sends a transfer through an endpoint that wants ever more: what the client signs stays below maxFee.
func TestFeeIsBounded(t *testing.T) {
	answer := func(baseFee math.LegacyDec) []byte {
		raw, err := proto.Marshal(&feemarkettypes.QueryBaseFeeResponse{BaseFee: &baseFee})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	for _, c := range []struct {
		name    string
		baseFee []byte
		signed  int // transactions
		high    bool
	}{
		{"the floor", answer(math.LegacyNewDec(network.MinGasPrice)), 6, false}, // gas times 4 until it is maxGas
		{"dear", answer(math.LegacyNewDec(1_000_000_000)), 3, true},
		{"too dear", answer(math.LegacyNewDecFromInt(math.NewIntWithDecimal(1, 11))), 0, true},
		{"more than there is", answer(math.LegacyNewDecFromInt(math.NewIntWithDecimal(1, 75))), 0, true},
		{"no number", []byte{0x0a, 0x00}, 6, false}, // the field with nothing in it
	} {
		g := &greedy{t: t, baseFee: c.baseFee}
		server := httptest.NewServer(g)
		key, err := NewKey([32]byte{1})
		if err != nil {
			t.Fatal(err)
		}
		client, err := Dial([]string{server.URL}, key)
		if err != nil {
			t.Fatal(err)
		}
		err = client.Send(t.Context(), protocol.Account{1}, money.New(1))
		server.Close()
		if err == nil || errors.Is(err, ErrFeeTooHigh) != c.high || len(g.offered) != c.signed {
			t.Errorf("%s: %d transactions, %v", c.name, len(g.offered), err)
		}
		for _, raw := range g.offered {
			tx, err := client.txConfig.TxDecoder()(raw)
			if err != nil {
				t.Fatal(err)
			}
			if fee := tx.(sdk.FeeTx).GetFee().AmountOf(network.Denom); fee.GT(math.NewInt(maxFee)) {
				t.Errorf("%s: signed a fee of %s", c.name, fee)
			}
		}
	}
}
