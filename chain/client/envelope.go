package client

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"cosmossdk.io/math"
	sdkclient "github.com/cosmos/cosmos-sdk/client"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/tx/signing"
	authsigning "github.com/cosmos/cosmos-sdk/x/auth/signing"

	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/x/commons/commonspb"
	"github.com/mutirao/mutirao/chain/x/dispute/disputepb"
	"github.com/mutirao/mutirao/chain/x/market/marketpb"
	"github.com/mutirao/mutirao/chain/x/params/paramspb"
	"github.com/mutirao/mutirao/chain/x/registry/registrypb"
	"github.com/mutirao/mutirao/chain/x/work/workpb"
	"github.com/mutirao/mutirao/protocol"
)

// Envelope is what surrounds the messages of a transaction.
type Envelope struct {
	Number   uint64          // of the account, from the ledger
	Sequence uint64          // how many transactions the account has sent
	Gas      uint64          // limit; all of it is paid for
	Price    math.Int        // amut per gas
	Expires  protocol.Height // the last block that may take the transaction; 0 for never
	Memo     string
	Granter  protocol.Account // pays the fee by an allowance; zero: the sender pays
}

// Sign returns the bytes of a transaction of messages that key signs.
func Sign(ctx context.Context, config sdkclient.TxConfig, key Key, e Envelope, msgs ...sdk.Msg) ([]byte, error) {
	b := config.NewTxBuilder()
	if err := b.SetMsgs(msgs...); err != nil {
		return nil, err
	}
	b.SetGasLimit(e.Gas)
	b.SetFeeAmount(sdk.NewCoins(sdk.NewCoin(network.Denom, e.Price.Mul(math.NewIntFromUint64(e.Gas)))))
	b.SetTimeoutHeight(uint64(e.Expires))
	b.SetMemo(e.Memo)
	if !e.Granter.IsZero() {
		b.SetFeeGranter(e.Granter[:])
	}

	public := key.secret.PubKey()
	data := &signing.SingleSignatureData{SignMode: signing.SignMode_SIGN_MODE_DIRECT}
	signature := signing.SignatureV2{PubKey: public, Data: data, Sequence: e.Sequence}
	// Key and sequence are part of what is signed: set them first, without a signature.
	if err := b.SetSignatures(signature); err != nil {
		return nil, err
	}
	signed, err := authsigning.GetSignBytesAdapter(ctx, config.SignModeHandler(), data.SignMode, authsigning.SignerData{
		Address: sdk.AccAddress(public.Address()).String(), ChainID: network.ChainID,
		AccountNumber: e.Number, Sequence: e.Sequence, PubKey: public,
	}, b.GetTx())
	if err != nil {
		return nil, err
	}
	if data.Signature, err = key.secret.Sign(signed); err != nil {
		return nil, err
	}
	if err := b.SetSignatures(signature); err != nil {
		return nil, err
	}
	return config.TxEncoder()(b.GetTx())
}

// Wrap makes the SDK's message for a message of the rules, and returns the length of its body in bytes. It panics for a
// message of no known module: that is a fault of the caller.
func Wrap(from protocol.Account, m protocol.Msg) (sdk.Msg, int, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return nil, 0, fmt.Errorf("message %s: %w", m.Kind(), err)
	}
	switch module, _, _ := strings.Cut(m.Kind(), "/"); module {
	case "work":
		return &workpb.MsgExecute{From: from.String(), Kind: m.Kind(), Body: body}, len(body), nil
	case "registry", "voucher":
		return &registrypb.MsgExecute{From: from.String(), Kind: m.Kind(), Body: body}, len(body), nil
	case "dispute":
		return &disputepb.MsgExecute{From: from.String(), Kind: m.Kind(), Body: body}, len(body), nil
	case "commons":
		return &commonspb.MsgExecute{From: from.String(), Kind: m.Kind(), Body: body}, len(body), nil
	case "market":
		return &marketpb.MsgExecute{From: from.String(), Kind: m.Kind(), Body: body}, len(body), nil
	case "params":
		return &paramspb.MsgExecute{From: from.String(), Kind: m.Kind(), Body: body}, len(body), nil
	}
	panic("client: message of unknown kind " + m.Kind())
}
