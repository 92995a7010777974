package encoding

import (
	"errors"

	"github.com/cosmos/cosmos-sdk/client"
	sdk "github.com/cosmos/cosmos-sdk/types"
	evmtypes "github.com/cosmos/evm/x/vm/types"
)

// ErrHollow reports an Ethereum message without the transaction that it should carry.
var ErrHollow = errors.New("an Ethereum message without a transaction")

// strict refuses to decode what cosmos/evm takes for granted: its pool, its streams and its RPC call methods of the transaction inside a
// message, which is nil if the message came without, in goroutines in which a panic would end the process.
type strict struct{ client.TxConfig }

// TxDecoder reads transactions as they travel.
func (s strict) TxDecoder() sdk.TxDecoder { return whole(s.TxConfig.TxDecoder()) }

// TxJSONDecoder reads them from JSON.
func (s strict) TxJSONDecoder() sdk.TxDecoder { return whole(s.TxConfig.TxJSONDecoder()) }

func whole(decode sdk.TxDecoder) sdk.TxDecoder {
	return func(raw []byte) (sdk.Tx, error) {
		tx, err := decode(raw)
		if err != nil {
			return nil, err
		}
		for _, m := range tx.GetMsgs() {
			if e, ok := m.(*evmtypes.MsgEthereumTx); ok && (e.Raw.Transaction == nil || len(e.From) != 20) {
				return nil, ErrHollow
			}
		}
		return tx, nil
	}
}
