package dev

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"time"

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

// syncTimeout bounds the wait for a receipt.
const syncTimeout = 30 * time.Second

var (
	errUnmined = errors.New("the transaction is in no block")

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

// RequestAccounts is Accounts under the name that wallets use.
func (e *ethAPI) RequestAccounts() []common.Address { return e.Accounts() }

// Coinbase is the account that the EVM sees as the maker of blocks. Nothing is paid to it.
func (e *ethAPI) Coinbase() (common.Address, error) {
	defer e.node.reading()()
	s, err := e.scene(nil, nil)
	if err != nil {
		return common.Address{}, err
	}
	return s.config.CoinBase, nil
}

// BlobBaseFee is 0: there are no blobs.
func (e *ethAPI) BlobBaseFee() hexutil.Uint { return 0 }

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
		return common.Hash{}, invalid(err)
	}
	if !tx.Protected() {
		return common.Hash{}, rejected(errNoChainID)
	}
	if id := new(big.Int).SetUint64(e.chain.config.ChainID); tx.ChainId().Cmp(id) != 0 {
		return common.Hash{}, rejected(fmt.Errorf("%w: the chain has %s, the transaction %s", errChainID, id, tx.ChainId()))
	}
	from, err := ethtypes.Sender(e.signer(), tx)
	if err != nil {
		return common.Hash{}, invalid(err)
	}
	return tx.Hash(), rejected(e.chain.Submit(tx, from))
}

// SendRawTransactionSync is SendRawTransaction and the receipt, for which it waits at most so many milliseconds (EIP-7966).
func (e *ethAPI) SendRawTransactionSync(ctx context.Context, data hexutil.Bytes, timeout *quantity) (map[string]any, error) {
	hash, err := e.SendRawTransaction(data)
	if err != nil {
		return nil, err
	}
	return e.await(ctx, hash, timeout)
}

// SendTransactionSync is SendTransaction and the receipt.
func (e *ethAPI) SendTransactionSync(ctx context.Context, args evmtypes.TransactionArgs, timeout *quantity) (map[string]any, error) {
	hash, err := e.SendTransaction(ctx, args)
	if err != nil {
		return nil, err
	}
	return e.await(ctx, hash, timeout)
}

// await waits for the receipt of a transaction.
func (e *ethAPI) await(ctx context.Context, hash common.Hash, timeout *quantity) (map[string]any, error) {
	limit := syncTimeout
	if timeout != nil && timeout.IsInt64() && timeout.Int64() < int64(limit/time.Millisecond) {
		limit = time.Duration(timeout.Int64()) * time.Millisecond
	}
	late := time.After(limit)
	for {
		unlock := e.node.reading()
		changed := e.chain.changed
		unlock()
		if r, err := e.GetTransactionReceipt(ctx, hash); r != nil || err != nil {
			return r, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-late:
			return nil, refusal{fmt.Errorf("%w after %s: %s", errUnmined, limit, hash), codeUnmined, hash}
		}
	}
}

func (e *ethAPI) signer() ethtypes.Signer {
	return ethtypes.LatestSignerForChainID(new(big.Int).SetUint64(e.chain.config.ChainID))
}

// SendTransaction signs and sends for one of the funded accounts or for one that is impersonated.
func (e *ethAPI) SendTransaction(ctx context.Context, args evmtypes.TransactionArgs) (common.Hash, error) {
	if args.From == nil {
		return common.Hash{}, invalid(errNoFrom)
	}
	key, err := e.keyFor(*args.From)
	if err != nil {
		return common.Hash{}, invalid(err)
	}
	return e.sendWith(ctx, args, key)
}

// SendUnsignedTransaction sends for any account, whoever has its key.
func (e *ethAPI) SendUnsignedTransaction(ctx context.Context, args evmtypes.TransactionArgs) (common.Hash, error) {
	if args.From == nil {
		return common.Hash{}, invalid(errNoFrom)
	}
	key, err := e.key(*args.From)
	if err != nil {
		key, err = standIn(*args.From)
	}
	if err != nil {
		return common.Hash{}, err
	}
	return e.sendWith(ctx, args, key)
}

func (e *ethAPI) sendWith(ctx context.Context, args evmtypes.TransactionArgs, key *ecdsa.PrivateKey) (common.Hash, error) {
	tx, err := e.signed(ctx, args, key)
	if err != nil {
		return common.Hash{}, err
	}
	return tx.Hash(), rejected(e.chain.Submit(tx, *args.From))
}

// SignTransaction completes and signs a transaction of a funded account and sends nothing.
func (e *ethAPI) SignTransaction(ctx context.Context, args evmtypes.TransactionArgs) (hexutil.Bytes, error) {
	if args.From == nil {
		return nil, invalid(errNoFrom)
	}
	key, err := e.key(*args.From)
	if err != nil {
		return nil, invalid(err)
	}
	tx, err := e.signed(ctx, args, key)
	if err != nil {
		return nil, err
	}
	return tx.MarshalBinary()
}

// signed is the transaction of args, with what they leave out.
func (e *ethAPI) signed(ctx context.Context, args evmtypes.TransactionArgs, key *ecdsa.PrivateKey) (*ethtypes.Transaction, error) {
	var err error
	if args.Nonce == nil {
		if args.Nonce, err = e.GetTransactionCount(*args.From, nil); err != nil {
			return nil, err
		}
	}
	if args, err = fill.Transaction(ctx, e.backend, args); err != nil {
		return nil, told(err)
	}
	if id := args.ChainID.ToInt(); id.Cmp(new(big.Int).SetUint64(e.chain.config.ChainID)) != 0 {
		return nil, rejected(fmt.Errorf("%w: the chain has %d, the transaction %s", errChainID, e.chain.config.ChainID, id))
	}
	return ethtypes.SignTx(args.ToTransaction(ethtypes.DynamicFeeTxType), e.signer(), key)
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
	return standIn(from)
}

// standIn is the key that signs for an account whose key nobody here has.
func standIn(of common.Address) (*ecdsa.PrivateKey, error) {
	return crypto.ToECDSA(crypto.Keccak256([]byte("impersonated"), of[:]))
}

// GetTransactionReceipt is null until the transaction is in a block.
func (e *ethAPI) GetTransactionReceipt(ctx context.Context, hash common.Hash) (map[string]any, error) {
	if _, err := e.node.GetByTxHash(hash); err != nil {
		return nil, nil
	}
	return e.backend.GetTransactionReceipt(ctx, hash)
}

// GetBlockReceipts is the receipts of a block; null if there is none.
func (e *ethAPI) GetBlockReceipts(ctx context.Context, at rpctypes.BlockNumberOrHash) ([]map[string]any, error) {
	if at.BlockNumber != nil && int64(*at.BlockNumber) > e.chain.Height() {
		return nil, nil
	}
	if at.BlockHash != nil {
		if _, err := e.node.heightOf(*at.BlockHash); err != nil {
			return nil, nil
		}
	}
	return e.backend.GetBlockReceipts(ctx, at)
}

// accountInfo is what the state has of an account.
type accountInfo struct {
	Balance *hexutil.Big   `json:"balance"`
	Nonce   hexutil.Uint64 `json:"nonce"`
	Code    hexutil.Bytes  `json:"code"`
}

// GetAccountInfo is balance, nonce and code in one answer.
func (e *ethAPI) GetAccountInfo(address common.Address, at *rpctypes.BlockNumberOrHash) (*accountInfo, error) {
	defer e.node.reading()()
	s, err := e.scene(at, nil)
	if err != nil {
		return nil, err
	}
	account := e.chain.app.EVM.GetAccountOrEmpty(s.ctx, address)
	code := e.chain.app.EVM.GetCode(s.ctx, common.BytesToHash(account.CodeHash))
	return &accountInfo{(*hexutil.Big)(account.Balance.ToBig()), hexutil.Uint64(account.Nonce), code}, nil
}

// GetBalance is what an account has, in amut.
func (e *ethAPI) GetBalance(address common.Address, at *rpctypes.BlockNumberOrHash) (*hexutil.Big, error) {
	a, err := e.GetAccountInfo(address, at)
	if err != nil {
		return nil, err
	}
	return a.Balance, nil
}

// GetRawTransactionByHash is a transaction as it was signed; null if there is none.
func (e *ethAPI) GetRawTransactionByHash(hash common.Hash) (hexutil.Bytes, error) {
	tx, _, err := e.chain.find(hash)
	if tx == nil || err != nil {
		return nil, err
	}
	return tx.MarshalBinary()
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
	if number == rpctypes.EthPendingBlockNumber && b != nil {
		return e.pendingBlock(b, full)
	}
	return e.sentIn(b), err
}

// pendingBlock makes of the last block the one that would be made now. It has no hash and is not executed.
func (e *ethAPI) pendingBlock(last map[string]any, full bool) (map[string]any, error) {
	defer e.node.reading()()
	list, _, err := e.chain.ready()
	if err != nil {
		return nil, err
	}
	s, err := e.scene(nil, nil)
	if err != nil {
		return nil, err
	}
	clock, txs := e.chain.clock, []any{}
	for _, w := range list {
		if full {
			txs = append(txs, w.shown())
		} else {
			txs = append(txs, w.tx.Hash())
		}
	}
	last["parentHash"], last["hash"], last["nonce"], last["transactions"] = last["hash"], nil, nil, txs
	last["number"] = hexutil.Uint64(e.chain.height() + 1)
	last["timestamp"] = hexutil.Uint64(clock.tick(e.chain.last().Time).Unix())
	last["gasUsed"], last["logsBloom"] = hexutil.Uint64(0), ethtypes.Bloom{}
	if fee := e.chain.baseFee; fee != nil {
		last["baseFeePerGas"] = (*hexutil.Big)(fee.ToBig())
	} else {
		last["baseFeePerGas"] = (*hexutil.Big)(s.config.BaseFee)
	}
	return last, nil
}

// GetUncleByBlockNumberAndIndex is null: there are no uncles.
func (e *ethAPI) GetUncleByBlockNumberAndIndex(rpctypes.BlockNumber, hexutil.Uint) map[string]any {
	return nil
}

// Hashrate is 0.
func (e *ethAPI) Hashrate() hexutil.Uint { return 0 }

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
		return nil, invalid(err)
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
