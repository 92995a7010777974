package registry

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/evm/x/vm/statedb"

	"github.com/mutirao/mutirao/contracts"
	"github.com/mutirao/mutirao/protocol"
)

// tokenDomain keeps the addresses of tokens apart from everything else that is hashed to an address. No key and no contract's
// CREATE has such a preimage.
const tokenDomain = "mutirao/registry/token"

// tokenCode is what every token runs, contracts/src/ShareToken.sol: it differs by its first word of storage, the model's id.
var tokenCode = common.FromHex(contracts.Load("ShareToken").Deployed)

// TokenAddress is where the ERC-20 token of a model lives: the last 20 bytes of Keccak-256 of a domain and the id.
func TokenAddress(model protocol.Hash) common.Address {
	return common.Address(crypto.Keccak256([]byte(tokenDomain), model[:])[12:])
}

// World is the state of the EVM as a new token needs it.
type World interface {
	GetAccountOrEmpty(ctx sdk.Context, at common.Address) statedb.Account
	SetAccount(ctx sdk.Context, at common.Address, account statedb.Account) error
	SetCode(ctx sdk.Context, hash, code []byte)
	SetState(ctx sdk.Context, at common.Address, slot common.Hash, value []byte)
}

// Plant puts the token of a new model at its address. Coins that somebody sent there before stay there.
func Plant(ctx sdk.Context, w World, model protocol.Hash) error {
	at, hash := TokenAddress(model), crypto.Keccak256(tokenCode)
	account := w.GetAccountOrEmpty(ctx, at)
	account.Nonce, account.CodeHash = 1, hash // a contract's nonce begins with 1: EIP-161
	w.SetCode(ctx, hash, tokenCode)
	w.SetState(ctx, at, common.Hash{}, model[:])
	return w.SetAccount(ctx, at, account)
}
