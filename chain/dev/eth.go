package dev

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	ethtypes "github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"

	"github.com/cosmos/evm/rpc/backend"
	rpctypes "github.com/cosmos/evm/rpc/types"
	evmtypes "github.com/cosmos/evm/x/vm/types"

	"github.com/mutirao/mutirao/chain/fill"
	"github.com/mutirao/mutirao/chain/prevrandao"
)

// ethAPI is what a development chain does differently in the namespace eth: it has keys, it mines at once, and a receipt is
// there or is not.
type ethAPI struct {
	chain   *Chain
	node    comet
	backend *backend.Backend
	version string
}

var (
	errNoKey  = errors.New("no key of this account, and it is not impersonated")
	errNoFrom = errors.New("from is missing")
)

// Accounts lists the funded accounts.
func (e *ethAPI) Accounts() []common.Address {
	list := make([]common.Address, len(e.chain.accounts))
	for i, a := range e.chain.accounts {
		list[i] = common.Address(a.Address)
	}
	return list
}

// BlockNumber is the height of the last block.
func (e *ethAPI) BlockNumber() hexutil.Uint64 { return hexutil.Uint64(e.chain.Height()) }

// ChainId is the EIP-155 id.
func (e *ethAPI) ChainId() hexutil.Uint64 { return hexutil.Uint64(e.chain.config.ChainID) }

// Syncing is false: there is nobody to catch up with.
func (e *ethAPI) Syncing() bool { return false }

// Mining is true: whoever sends gets a block.
func (e *ethAPI) Mining() bool { return true }

// GetTransactionCount is the next nonce of an account; with "pending" it counts what waits for a block.
func (e *ethAPI) GetTransactionCount(address common.Address, at *rpctypes.BlockNumberOrHash) (*hexutil.Uint64, error) {
	if at == nil || at.BlockNumber != nil && *at.BlockNumber == rpctypes.EthPendingBlockNumber {
		defer e.node.reading()()
		n, err := e.chain.pendingNonce(address)
		return (*hexutil.Uint64)(&n), err
	}
	ctx := context.Background()
	number, err := e.backend.BlockNumberFromComet(ctx, *at)
	if err != nil {
		return nil, err
	}
	return e.backend.GetTransactionCount(ctx, address, number)
}

// SendRawTransaction takes a signed transaction; when it returns, the transaction is in a block unless mining is not instant.
func (e *ethAPI) SendRawTransaction(data hexutil.Bytes) (common.Hash, error) {
	tx := new(ethtypes.Transaction)
	if err := tx.UnmarshalBinary(data); err != nil {
		return common.Hash{}, err
	}
	if !tx.Protected() {
		return common.Hash{}, errNoChainID
	}
	if id := new(big.Int).SetUint64(e.chain.config.ChainID); tx.ChainId().Cmp(id) != 0 {
		return common.Hash{}, fmt.Errorf("%w: the chain has %s, the transaction %s", errChainID, id, tx.ChainId())
	}
	from, err := ethtypes.Sender(e.signer(), tx)
	if err != nil {
		return common.Hash{}, err
	}
	return tx.Hash(), e.chain.Submit(tx, from)
}

func (e *ethAPI) signer() ethtypes.Signer {
	return ethtypes.LatestSignerForChainID(new(big.Int).SetUint64(e.chain.config.ChainID))
}

// SendTransaction signs and sends for one of the funded accounts or for one that is impersonated.
func (e *ethAPI) SendTransaction(ctx context.Context, args evmtypes.TransactionArgs) (common.Hash, error) {
	if args.From == nil {
		return common.Hash{}, errNoFrom
	}
	key, err := e.keyFor(*args.From)
	if err != nil {
		return common.Hash{}, err
	}
	if args.Nonce == nil {
		if args.Nonce, err = e.GetTransactionCount(*args.From, nil); err != nil {
			return common.Hash{}, err
		}
	}
	if args, err = fill.Transaction(ctx, e.backend, args); err != nil {
		return common.Hash{}, err
	}
	if id := args.ChainID.ToInt(); id.Cmp(new(big.Int).SetUint64(e.chain.config.ChainID)) != 0 {
		return common.Hash{}, fmt.Errorf("%w: the chain has %d, the transaction %s", errChainID, e.chain.config.ChainID, id)
	}
	tx, err := ethtypes.SignTx(args.ToTransaction(ethtypes.DynamicFeeTxType), e.signer(), key)
	if err != nil {
		return common.Hash{}, err
	}
	return tx.Hash(), e.chain.Submit(tx, *args.From)
}

// key returns the key of a funded account.
func (e *ethAPI) key(of common.Address) (*ecdsa.PrivateKey, error) {
	for _, a := range e.chain.accounts {
		if common.Address(a.Address) == of {
			return a.Key, nil
		}
	}
	return nil, fmt.Errorf("%w: %s", errNoKey, of)
}

// keyFor returns the key with which a transaction of an account is signed. That of an impersonated account is made from its
// address, so that its transactions have hashes of their own.
func (e *ethAPI) keyFor(from common.Address) (*ecdsa.PrivateKey, error) {
	e.chain.mu.RLock()
	acts := e.chain.anyActor || e.chain.actors[from]
	e.chain.mu.RUnlock()
	if key, err := e.key(from); err == nil || !acts {
		return key, err
	}
	return crypto.ToECDSA(crypto.Keccak256([]byte("impersonated"), from[:]))
}

// GetTransactionReceipt is null until the transaction is in a block.
func (e *ethAPI) GetTransactionReceipt(ctx context.Context, hash common.Hash) (map[string]any, error) {
	if _, err := e.node.GetByTxHash(hash); err != nil {
		return nil, nil
	}
	return e.backend.GetTransactionReceipt(ctx, hash)
}

// GetTransactionByHash finds a transaction, also one that waits for a block.
func (e *ethAPI) GetTransactionByHash(ctx context.Context, hash common.Hash) (*rpctypes.RPCTransaction, error) {
	tx, err := e.backend.GetTransactionByHash(ctx, hash)
	return e.sent(tx), err
}

// GetTransactionByBlockNumberAndIndex finds a transaction of a block.
func (e *ethAPI) GetTransactionByBlockNumberAndIndex(ctx context.Context, number rpctypes.BlockNumber, index hexutil.Uint) (*rpctypes.RPCTransaction, error) {
	tx, err := e.backend.GetTransactionByBlockNumberAndIndex(ctx, number, index)
	return e.sent(tx), err
}

// GetTransactionByBlockHashAndIndex finds a transaction of a block.
func (e *ethAPI) GetTransactionByBlockHashAndIndex(ctx context.Context, hash common.Hash, index hexutil.Uint) (*rpctypes.RPCTransaction, error) {
	tx, err := e.backend.GetTransactionByBlockHashAndIndex(ctx, hash, index)
	return e.sent(tx), err
}

// GetBlockByNumber is a block with the hashes of its transactions, or with all of them.
func (e *ethAPI) GetBlockByNumber(ctx context.Context, number rpctypes.BlockNumber, full bool) (map[string]any, error) {
	b, err := e.backend.GetBlockByNumber(ctx, number, full)
	return e.sentIn(b), err
}

// GetBlockByHash is a block with the hashes of its transactions, or with all of them; null if there is none.
func (e *ethAPI) GetBlockByHash(ctx context.Context, hash common.Hash, full bool) (map[string]any, error) {
	if _, err := e.node.heightOf(hash); err != nil {
		return nil, nil
	}
	b, err := e.backend.GetBlockByHash(ctx, hash, full)
	return e.sentIn(b), err
}

// sent corrects the sender of a transaction of an impersonated account, which the signature does not tell.
func (e *ethAPI) sent(tx *rpctypes.RPCTransaction) *rpctypes.RPCTransaction {
	if tx == nil {
		return nil
	}
	defer e.node.reading()()
	if m, found := e.chain.byHash[tx.Hash]; found {
		tx.From = m.from
	}
	for _, w := range e.chain.pool {
		if w.tx.Hash() == tx.Hash {
			tx.From = w.from
		}
	}
	return tx
}

// sentIn corrects a block: the senders of its transactions, and the random value that cosmos/evm leaves out.
func (e *ethAPI) sentIn(b map[string]any) map[string]any {
	prevrandao.Before(e.node.before).Mix(b)
	list, _ := b["transactions"].([]any)
	for _, tx := range list {
		if full, ok := tx.(*rpctypes.RPCTransaction); ok {
			e.sent(full)
		}
	}
	return b
}

// Sign signs a message as EIP-191 says.
func (e *ethAPI) Sign(address common.Address, data hexutil.Bytes) (hexutil.Bytes, error) {
	return e.signHash(address, accounts.TextHash(data))
}

// typedData is EIP-712 data as an object or, as some clients send it, as JSON in a string.
type typedData struct{ apitypes.TypedData }

// UnmarshalJSON reads either.
func (d *typedData) UnmarshalJSON(text []byte) error {
	var quoted string
	if json.Unmarshal(text, &quoted) == nil {
		text = []byte(quoted)
	}
	return json.Unmarshal(text, &d.TypedData)
}

// SignTypedData signs as EIP-712 says.
func (e *ethAPI) SignTypedData(address common.Address, data typedData) (hexutil.Bytes, error) {
	hash, _, err := apitypes.TypedDataAndHash(data.TypedData)
	if err != nil {
		return nil, err
	}
	return e.signHash(address, hash)
}

// SignTypedData_v4 is SignTypedData under the name that clients use.
func (e *ethAPI) SignTypedData_v4(address common.Address, data typedData) (hexutil.Bytes, error) {
	return e.SignTypedData(address, data)
}

func (e *ethAPI) signHash(address common.Address, hash []byte) (hexutil.Bytes, error) {
	key, err := e.key(address)
	if err != nil {
		return nil, err
	}
	signature, err := crypto.Sign(hash, key)
	if err == nil {
		signature[crypto.RecoveryIDOffset] += 27
	}
	return signature, err
}

// personalAPI is personal_sign, which wallets use instead of eth_sign.
type personalAPI struct{ eth *ethAPI }

// Sign signs a message as EIP-191 says.
func (p *personalAPI) Sign(data hexutil.Bytes, address common.Address) (hexutil.Bytes, error) {
	return p.eth.Sign(address, data)
}

type netAPI struct{ chain *Chain }

// Version is the chain id in decimal.
func (n *netAPI) Version() string { return strconv.FormatUint(n.chain.config.ChainID, 10) }

// Listening is true.
func (n *netAPI) Listening() bool { return true }

// PeerCount is 0.
func (n *netAPI) PeerCount() hexutil.Uint { return 0 }

type web3API struct{ version string }

// ClientVersion names the program. Hardhat's helpers work with what begins like this and refuse all else.
func (w *web3API) ClientVersion() string { return "anvil-compatible mutirao/" + w.version }

// Sha3 is keccak256.
func (w *web3API) Sha3(data hexutil.Bytes) hexutil.Bytes { return crypto.Keccak256(data) }
