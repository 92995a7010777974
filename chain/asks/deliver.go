package asks

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	ethtypes "github.com/ethereum/go-ethereum/core/types"

	precompile "github.com/mutirao/mutirao/chain/precompile/request"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/request"
)

// Deliver has the contract called that waits for the answer. failure is why its callback failed, in words; empty if it did not.
func (c *Client) Deliver(ctx context.Context, id protocol.Hash) (failure string, err error) {
	receipt, err := c.send(ctx, "deliver", [32]byte(id))
	if err != nil {
		return "", err
	}
	for _, l := range receipt.Logs {
		if l.Address == precompile.Address && l.Topics[0] == c.requests.Events["CallbackFailed"].ID && protocol.Hash(l.Topics[1]) == id {
			return Reason(c.reason(l.Data)), nil
		}
	}
	return "", nil
}

// reason is the data of the log of a callback that failed.
func (c *Client) reason(data []byte) []byte {
	values, err := c.requests.Events["CallbackFailed"].Inputs.NonIndexed().Unpack(data)
	if err != nil {
		return nil
	}
	return values[0].([]byte)
}

// gasDelivery is what a delivery takes beside what the callback may use, with some left.
const gasDelivery = 200_000

// DeliveryCost is what calling back takes in gas, at most, at the present price.
func (c *Client) DeliveryCost(ctx context.Context, r *request.Request) (money.Amount, error) {
	price, err := c.eth.SuggestGasPrice(ctx)
	if err != nil {
		return money.Amount{}, err
	}
	gas := r.Ask.CallbackGas + r.Ask.CallbackGas/63 + gasDelivery
	return money.Parse(new(big.Int).Mul(price, new(big.Int).SetUint64(gas)).String())
}

// Attempt is one call back of a contract.
type Attempt struct {
	Block     uint64           `json:"block"`
	Tx        protocol.Hash    `json:"tx"`
	By        protocol.Account `json:"by"` // who sent it and spent its gas
	Delivered bool             `json:"delivered"`
	Failure   string           `json:"failure,omitempty"` // why it failed, in words
	Data      []byte           `json:"-"`                 // with which it reverted
}

// logRange is for how many blocks logs are asked for at once: nodes bound that.
const logRange = 5_000

// Attempts lists the calls back for a request that was answered at a block, or later, in their order.
func (c *Client) Attempts(ctx context.Context, id protocol.Hash, from uint64, more ...abi.ABI) ([]Attempt, error) {
	head, err := c.eth.BlockNumber(ctx)
	if err != nil {
		return nil, err
	}
	done, failed := c.requests.Events["Delivered"].ID, c.requests.Events["CallbackFailed"].ID
	var list []Attempt
	for ; from <= head; from += logRange {
		logs, err := c.eth.FilterLogs(ctx, ethereum.FilterQuery{
			FromBlock: new(big.Int).SetUint64(from), ToBlock: new(big.Int).SetUint64(min(head, from+logRange-1)), Addresses: []common.Address{precompile.Address},
			Topics: [][]common.Hash{{done, failed}, {common.Hash(id)}},
		})
		if err != nil {
			return nil, err
		}
		for _, l := range logs {
			if len(l.Topics) != 4 {
				continue
			}
			a := Attempt{Block: l.BlockNumber, Tx: protocol.Hash(l.TxHash), By: protocol.Account(common.BytesToAddress(l.Topics[3][:])), Delivered: l.Topics[0] == done}
			if !a.Delivered {
				a.Data = c.reason(l.Data)
				a.Failure = Reason(a.Data, more...)
			}
			list = append(list, a)
			if a.Delivered {
				return list, nil
			}
		}
	}
	return list, nil
}

// TryCallback calls the contract as a delivery would now, without a transaction. It returns why that fails, or "".
func (c *Client) TryCallback(ctx context.Context, r *request.Request, output []uint32, more ...abi.ABI) (string, error) {
	data, err := answered.Pack("answered", [32]byte(r.ID), output, uint8(r.Finality))
	if err != nil {
		return "", err
	}
	to := common.Address(r.Ask.Callback)
	// The gas of a transaction comes on top of what the callback has.
	intrinsic := 21_000 + 16*uint64(len(data))
	_, err = c.eth.CallContract(ctx, ethereum.CallMsg{From: precompile.Address, To: &to, Gas: r.Ask.CallbackGas + intrinsic, Data: data}, nil)
	if err == nil {
		return "", nil
	}
	raw, ok := revertData(err)
	if !ok {
		return err.Error(), nil
	}
	return Reason(raw, more...), nil
}

var answered = load("IAnswered")

// knownABIs are the interfaces whose errors a callback passes on, because it calls them.
var knownABIs = []abi.ABI{load("IRequests"), load("IInfer"), load("IRegistry"), load("IMarket"), load("ICredits")}

// Reason says in words with what a call reverted: a text of require or revert, a panic, an error of the network's interfaces or of one of
// more, or the bytes themselves. It is for people only, and safe for a terminal.
func Reason(data []byte, more ...abi.ABI) string {
	if len(data) == 0 {
		return "no reason was given: out of its gas, or no contract with a function answered(bytes32,uint32[],uint8)"
	}
	if text, err := abi.UnpackRevert(data); err == nil {
		return fmt.Sprintf("%q", bounded(text))
	}
	if len(data) >= 4 {
		for _, names := range append(more, knownABIs...) {
			for name, e := range names.Errors {
				if !bytes.Equal(data[:4], e.ID[:4]) {
					continue
				}
				if values, err := e.Inputs.Unpack(data[4:]); err == nil {
					return bounded(name + words(values))
				}
			}
		}
	}
	return bounded(fmt.Sprintf("0x%x", data))
}

// words writes the values of an error.
func words(values []any) string {
	list := make([]string, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case [32]byte:
			list[i] = fmt.Sprintf("0x%x", v)
		case string:
			list[i] = fmt.Sprintf("%q", v)
		default:
			list[i] = fmt.Sprint(v)
		}
	}
	return "(" + strings.Join(list, ", ") + ")"
}

// maxWords bounds a reason in bytes.
const maxWords = 300

func bounded(text string) string {
	if len(text) > maxWords {
		return strings.ToValidUTF8(text[:maxWords], "") + "…"
	}
	return text
}

// ParseABI reads the ABI of a contract: a JSON list, or an object of a compiler with one under "abi".
func ParseABI(raw []byte) (abi.ABI, error) {
	var artifact struct{ ABI json.RawMessage }
	if json.Unmarshal(raw, &artifact) == nil && len(artifact.ABI) > 0 {
		raw = artifact.ABI
	}
	return abi.JSON(bytes.NewReader(raw))
}

// Head is the last block: its height and time.
func (c *Client) Head(ctx context.Context) (*ethtypes.Header, error) {
	return c.eth.HeaderByNumber(ctx, nil)
}

// Header is that of a block.
func (c *Client) Header(ctx context.Context, height uint64) (*ethtypes.Header, error) {
	return c.eth.HeaderByNumber(ctx, new(big.Int).SetUint64(height))
}

// PassTime makes a block on a development chain that made none by itself since height, so that windows close there, too; on any other chain
// it does nothing. It returns the height to come back with.
func (c *Client) PassTime(ctx context.Context, height uint64) (uint64, error) {
	head, err := c.eth.BlockNumber(ctx)
	if err != nil || head != height {
		return head, err
	}
	var version string
	if err := c.eth.Client().CallContext(ctx, &version, "web3_clientVersion"); err != nil || !strings.HasPrefix(version, devVersion) {
		return head, err
	}
	return head, c.eth.Client().CallContext(ctx, nil, "evm_mine")
}

// devVersion is how `mutirao dev` names itself.
const devVersion = "anvil-compatible mutirao/"
