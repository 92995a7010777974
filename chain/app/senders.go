package app

import (
	"sync"

	"github.com/ethereum/go-ethereum/common"
	ethtypes "github.com/ethereum/go-ethereum/core/types"

	sdk "github.com/cosmos/cosmos-sdk/types"
	evmtypes "github.com/cosmos/evm/x/vm/types"
)

// keptSenders bounds how many of the latest transactions a node knows the signers of: about ten full blocks of transfers in each of two
// generations, 3 MB in all.
const keptSenders = 20_000

// senders remembers who signed the Ethereum transactions that this node has seen, because a transaction comes by several times: into the
// pool, as part of a proposal, in a block. Who signed is a function of the transaction's hash, which covers the signature, so that
// what a node remembers changes nothing but its speed. It is safe for concurrent use.
type senders struct {
	mu            sync.Mutex
	recent, older map[common.Hash]common.Address
}

func newSenders() *senders { return &senders{recent: map[common.Hash]common.Address{}} }

func (s *senders) find(hash common.Hash) (common.Address, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	who, found := s.recent[hash]
	if !found {
		who, found = s.older[hash]
	}
	return who, found
}

func (s *senders) keep(hash common.Hash, who common.Address) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.recent) >= keptSenders {
		s.recent, s.older = make(map[common.Hash]common.Address, keptSenders), s.recent
	}
	s.recent[hash] = who
}

// of is who signed a transaction, by memory or by its signature.
func (s *senders) of(signer ethtypes.Signer, tx *ethtypes.Transaction) (common.Address, error) {
	if who, found := s.find(tx.Hash()); found {
		return who, nil
	}
	who, err := signer.Sender(tx)
	if err == nil {
		s.keep(tx.Hash(), who)
	}
	return who, err
}

// decoder is decode for transactions that know their signers already. What is signed by nobody stays as it is, for the checks to refuse.
func (s *senders) decoder(decode sdk.TxDecoder) sdk.TxDecoder {
	return func(raw []byte) (sdk.Tx, error) {
		tx, err := decode(raw)
		if err != nil {
			return nil, err
		}
		signer := ethtypes.LatestSigner(evmtypes.GetEthChainConfig())
		for _, m := range tx.GetMsgs() {
			msg, ok := m.(*evmtypes.MsgEthereumTx)
			if !ok || msg.Raw.Transaction == nil {
				continue
			}
			if who, err := s.of(signer, msg.Raw.Transaction); err == nil {
				_, _ = ethtypes.Sender(known{signer, who}, msg.Raw.Transaction) // a transaction keeps what it is told
			}
		}
		return tx, nil
	}
}

// known is a signer that has found out already who signed one transaction.
type known struct {
	ethtypes.Signer
	who common.Address
}

// Sender is who signed.
func (k known) Sender(*ethtypes.Transaction) (common.Address, error) { return k.who, nil }

// Equal lets signers of the same rules take over what was found out.
func (k known) Equal(other ethtypes.Signer) bool { return k.Signer.Equal(other) }
