package app

import (
	dbm "github.com/cosmos/cosmos-db"
	"github.com/ethereum/go-ethereum/common"
	ethtypes "github.com/ethereum/go-ethereum/core/types"

	"cosmossdk.io/log/v2"
	sdk "github.com/cosmos/cosmos-sdk/types"
	evmkeeper "github.com/cosmos/evm/x/vm/keeper"
	evmtypes "github.com/cosmos/evm/x/vm/types"

	"github.com/mutirao/mutirao/chain/network"
)

// Solo makes an app for one developer's machine, whose host makes the blocks itself and may do there what nobody can on a
// network: change the state, and send transactions for accounts whose keys it lacks. All else is the app of the network.
type Solo struct {
	// EVMChainID is the EIP-155 id. A process can hold one app whose id is not network.EVMChainID, and no second app
	// after it: the EVM keeps the id in a global.
	EVMChainID uint64

	// Edit changes the state at the beginning of the block that ctx executes.
	Edit func(ctx sdk.Context) error
}

// NewSolo builds such an app. It has no mempool, and no referee: disputes are refused. Its sender of an Ethereum transaction is the one that the message names,
// whoever signed: the host must refuse from outside what is not signed by its sender.
func NewSolo(logger log.Logger, db dbm.DB, solo Solo) (*App, error) {
	return build(logger, db, Options{}, &solo)
}

func (a *App) evmChainID() uint64 {
	if a.solo == nil {
		return network.EVMChainID
	}
	return a.solo.EVMChainID
}

// Check runs the checks that a transaction must pass to enter a block on ctx, a branch of the state, where it leaves its
// fee and its nonce.
func (a *App) Check(ctx sdk.Context, tx sdk.Tx) error {
	_, err := a.poolAnte(ctx, tx, false)
	return err
}

// actsFor makes tx valid as its named sender's if somebody else has signed it, and reports whether that is so. It uses that
// a transaction remembers its sender together with the signer who found it out.
func (a *App) actsFor(tx sdk.Tx) bool {
	for _, m := range tx.GetMsgs() {
		msg, ok := m.(*evmtypes.MsgEthereumTx)
		if !ok || msg.Raw.Transaction == nil || len(msg.From) != common.AddressLength {
			continue
		}
		signer := ethtypes.LatestSigner(evmtypes.GetEthChainConfig())
		if by, err := a.senders.of(signer, msg.Raw.Transaction); err != nil || by == msg.GetSender() {
			continue
		}
		_, err := ethtypes.Sender(named{signer, msg.GetSender()}, msg.Raw.Transaction)
		return err == nil
	}
	return false
}

// named says of every transaction that it is from one account.
type named struct {
	ethtypes.Signer
	from common.Address
}

// Sender is the named account.
func (n named) Sender(*ethtypes.Transaction) (common.Address, error) { return n.from, nil }

// Equal lets every other signer take over what named found out.
func (named) Equal(ethtypes.Signer) bool { return true }

// anybody lets an account with code send a transaction, as tests that act for a contract need.
type anybody struct{ *evmkeeper.Keeper }

// GetCode answers the one question that it is asked about a sender: none has code.
func (anybody) GetCode(sdk.Context, common.Hash) []byte { return nil }
