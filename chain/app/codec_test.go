package app

import (
	"reflect"
	"testing"

	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	evmtypes "github.com/cosmos/evm/x/vm/types"

	"github.com/mutirao/mutirao/chain/encoding"
)

// TestQuickCodec compares quick with the codec inside it, on accounts of every kind, on damaged ones, and on parameters.
func TestQuickCodec(t *testing.T) {
	plain := encoding.New().Codec
	q := &quick{Codec: plain}
	address := sdk.AccAddress(make([]byte, 20))
	var stored [][]byte
	for _, account := range []sdk.AccountI{
		authtypes.NewBaseAccount(address, nil, 7, 1<<40),
		authtypes.NewBaseAccount(address, secp256k1.GenPrivKey().PubKey(), 0, 0),
		authtypes.NewEmptyModuleAccount("work", authtypes.Burner),
	} {
		raw, err := plain.MarshalInterface(account)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, raw, raw[:len(raw)-1], append(append([]byte{}, raw...), 0))
	}
	stranger := &authtypes.BaseAccount{PubKey: &codectypes.Any{TypeUrl: "/unknown.Key", Value: []byte{1}}}
	value, err := stranger.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := plain.Marshal(&codectypes.Any{TypeUrl: "/cosmos.auth.v1beta1.BaseAccount", Value: value})
	if err != nil {
		t.Fatal(err)
	}
	stored = append(stored, nil, basePrefix, raw)
	for i, raw := range stored {
		var want, got sdk.AccountI
		wantErr, gotErr := plain.UnmarshalInterface(raw, &want), q.UnmarshalInterface(raw, &got)
		if (wantErr == nil) != (gotErr == nil) {
			t.Errorf("%d: error %v, want %v", i, gotErr, wantErr)
		} else if wantErr == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%d: %v, want %v", i, got, want)
		}
	}

	params := evmtypes.DefaultParams()
	params.ActiveStaticPrecompiles = []string{"0x01", "0x02"}
	for range 2 {
		raw, err := plain.Marshal(&params)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			var want, got evmtypes.Params
			plain.MustUnmarshal(raw, &want)
			q.MustUnmarshal(raw, &got)
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("%v, want %v", got, want)
			}
			got.ActiveStaticPrecompiles[0] = "what a reader does with its copy"
			got.ExtendedDenomOptions = nil
		}
		params.HistoryServeWindow++
	}
}
