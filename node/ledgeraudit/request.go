package ledgeraudit

import (
	"crypto/sha256"
	"encoding/hex"
	"math/big"

	evmtypes "github.com/cosmos/evm/x/vm/types"
	"github.com/ethereum/go-ethereum/common"

	"github.com/mutirao/mutirao/audit"
)

// word is the size of a number in the data of a log.
const word = 32

// requestAct reads a log of the precompile of requests. Logs that move nothing are none.
func (d decoder) requestAct(l *evmtypes.Log) []audit.ContractAct {
	if len(l.Topics) < 2 {
		return nil
	}
	act := audit.ContractAct{Request: audit.Hash(common.HexToHash(l.Topics[1]))}
	if len(l.Topics) > 2 {
		act.From = audit.Account(common.HexToAddress(l.Topics[len(l.Topics)-1]))
	}
	number := func(i int) *big.Int { return new(big.Int).SetBytes(l.Data[i*word : (i+1)*word]) }
	switch d.request[common.HexToHash(l.Topics[0])] {
	case "Requested":
		if len(l.Topics) != 4 || len(l.Data) != 4*word {
			return nil
		}
		act.Kind, act.Model = audit.ActAsk, audit.Hash(common.HexToHash(l.Topics[2]))
		act.Parts, act.Price, act.Fee, act.Delivery = number(0).Int64(), number(1), number(2), number(3)
	case "Sealed":
		act.Kind = audit.ActSeal
	case "Opened": // an offset, the length, the numbers
		if len(l.Data) < word {
			return nil
		}
		act.Kind, act.Answer = audit.ActOpen, digest(l.Data[word:])
	case "Answered": // the finality, an offset, the length, the numbers
		if len(l.Data) < 2*word || number(0).Cmp(big.NewInt(windowOpen)) == 0 {
			return nil
		}
		act.Kind, act.Answer = audit.ActAnswer, digest(l.Data[2*word:])
	case "Delivered", "CallbackFailed":
		act.Kind = audit.ActCall
	default:
		return nil
	}
	return []audit.ContractAct{act}
}

// windowOpen is the finality of an answer that pays nobody yet: contracts/src/IRequests.sol.
const windowOpen = 1

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
