package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/accounts/abi/bind"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"

	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/contracts"
	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/data"
	"github.com/mutirao/mutirao/node/role"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
)

// patients is how many held-out patients the contract is asked about.
const patients = 10

// inferAddress is the precompile's, as in contracts/src/IInfer.sol.
var inferAddress = common.HexToAddress("0x0000000000000000000000000000000000000901")

// contractReport is what the contract answered, beside what the engine computes on this machine.
type contractReport struct {
	Address string   `json:"address"`
	Model   string   `json:"model"`
	MACs    uint64   `json:"macs"`
	Fee     string   `json:"fee"` // of one use
	Answers []answer `json:"answers"`
	Paid    []part   `json:"paid"`  // to share holders, for all uses
	Exact   bool     `json:"exact"` // balances of all holders grew by exactly their parts, and the ledger holds what rounding left
}

type answer struct {
	Patient     int     `json:"patient"` // row of the data set
	Bits        string  `json:"bits"`    // float32, as the contract returned it
	Local       string  `json:"local"`   // float32, as the engine computes it here
	Probability float32 `json:"probability"`
	Malignant   bool    `json:"malignant"` // the truth
	Gas         uint64  `json:"gas"`
	Tx          string  `json:"tx"`
}

type part struct {
	To     string       `json:"to"`
	Amount money.Amount `json:"amount"`
}

var errReverted = errors.New("transaction failed")

// clinic is the contract's user: an account, a connection to Ethereum's JSON-RPC, and the two contracts.
type clinic struct {
	eth   *ethclient.Client
	auth  *bind.TransactOpts
	risk  *bind.BoundContract
	abi   abi.ABI
	infer *bind.BoundContract
}

// callContract deploys RiskModel and asks it about held-out patients, each in a transaction of its own.
func (s *show) callContract(ctx context.Context, model registry.Model) (*contractReport, error) {
	local, err := s.localAnswers(ctx)
	if err != nil {
		return nil, err
	}
	c, address, err := s.deploy(ctx, model.ID)
	if err != nil {
		return nil, fmt.Errorf("deploy the contract: %w", err)
	}
	defer c.eth.Close()
	r := &contractReport{Address: address.Hex(), Model: model.ID.String(), MACs: model.Callable.MACs}
	fee, err := c.fee(ctx, model.ID)
	if err != nil {
		return nil, fmt.Errorf("ask for the fee: %w", err)
	}
	amount, err := money.Parse(fee.String())
	if err != nil {
		return nil, err
	}
	r.Fee = amount.Coins()
	for _, a := range local {
		if err := c.assess(ctx, s.set, &a, fee); err != nil {
			return nil, fmt.Errorf("patient %d: %w", a.Patient, err)
		}
		r.Answers = append(r.Answers, a)
	}
	return r, s.payHolders(ctx, r, model.ID, amount)
}

// wallet connects to Ethereum's JSON-RPC in somebody's name.
func (s *show) wallet(ctx context.Context, who actor) (*ethclient.Client, *bind.TransactOpts, error) {
	eth, err := ethclient.DialContext(ctx, s.ledger.jsonRPC())
	if err != nil {
		return nil, nil, err
	}
	secret := role.Derive(who.secret, "account")
	key, err := crypto.ToECDSA(secret[:])
	if err != nil {
		return nil, nil, err
	}
	id, err := eth.ChainID(ctx)
	if err != nil {
		return nil, nil, err
	}
	auth, err := bind.NewKeyedTransactorWithChainID(key, id)
	if err != nil {
		return nil, nil, err
	}
	auth.Context = ctx
	return eth, auth, nil
}

// deploy connects as the clinic and creates the contract.
func (s *show) deploy(ctx context.Context, model protocol.Hash) (*clinic, common.Address, error) {
	eth, auth, err := s.wallet(ctx, s.cast.user)
	if err != nil {
		return nil, common.Address{}, err
	}
	artifact := contracts.Load("RiskModel")
	parsed, err := abi.JSON(bytes.NewReader(artifact.ABI))
	if err != nil {
		return nil, common.Address{}, err
	}
	precompile, err := abi.JSON(bytes.NewReader(contracts.Load("IInfer").ABI))
	if err != nil {
		return nil, common.Address{}, err
	}
	address, tx, risk, err := bind.DeployContract(auth, parsed, common.FromHex(artifact.Bytecode), eth, [32]byte(model))
	if err != nil {
		return nil, common.Address{}, err
	}
	c := &clinic{eth: eth, auth: auth, risk: risk, abi: parsed, infer: bind.NewBoundContract(inferAddress, precompile, eth, eth, eth)}
	_, err = c.mined(ctx, tx)
	return c, address, err
}

func (c *clinic) mined(ctx context.Context, tx *types.Transaction) (*types.Receipt, error) {
	receipt, err := bind.WaitMined(ctx, c.eth, tx)
	if err != nil {
		return nil, err
	}
	if receipt.Status != types.ReceiptStatusSuccessful {
		return nil, fmt.Errorf("%w: %s", errReverted, tx.Hash())
	}
	return receipt, nil
}

func (c *clinic) fee(ctx context.Context, model protocol.Hash) (*big.Int, error) {
	var out []any
	if err := c.infer.Call(&bind.CallOpts{Context: ctx}, &out, "fee", [32]byte(model)); err != nil {
		return nil, err
	}
	return out[0].(*big.Int), nil
}

// assess sends one patient's features and reads the answer from the contract's event.
func (c *clinic) assess(ctx context.Context, set *data.Set, a *answer, fee *big.Int) error {
	features, err := fixedPoint(set, a.Patient)
	if err != nil {
		return err
	}
	opts := *c.auth
	opts.Value = fee
	tx, err := c.risk.Transact(&opts, "assess", big.NewInt(int64(a.Patient)), features)
	if err != nil {
		return err
	}
	receipt, err := c.mined(ctx, tx)
	if err != nil {
		return err
	}
	event := c.abi.Events["Assessed"]
	for _, l := range receipt.Logs {
		if len(l.Topics) == 0 || l.Topics[0] != event.ID {
			continue
		}
		values, err := event.Inputs.NonIndexed().Unpack(l.Data)
		if err != nil {
			return err
		}
		bits := values[0].(uint32)
		a.Bits, a.Probability = fmt.Sprintf("%#08x", bits), math.Float32frombits(bits)
		a.Gas, a.Tx = receipt.GasUsed, tx.Hash().Hex()
		return nil
	}
	return fmt.Errorf("%w: no event Assessed in %s", errReverted, tx.Hash())
}

// fixedPoint writes a patient's features with the contract's nine decimals. The shortest decimal of a float32 is the number
// that stands in the data; it gives the same float32 when the contract reads it.
func fixedPoint(set *data.Set, patient int) ([]*big.Int, error) {
	row := make([]float32, set.RecordSize/4-1)
	set.Row(row, patient)
	list := make([]*big.Int, len(row))
	for i, x := range row {
		exact, ok := new(big.Rat).SetString(strconv.FormatFloat(float64(x), 'f', -1, 32))
		if !ok {
			return nil, fmt.Errorf("feature %d of patient %d is %v", i, patient, x)
		}
		exact.Mul(exact, big.NewRat(1_000_000_000, 1))
		if !exact.IsInt() {
			return nil, fmt.Errorf("feature %d of patient %d has more than nine decimals: %v", i, patient, x)
		}
		list[i] = exact.Num()
	}
	return list, nil
}

// localAnswers computes the same patients with the engine on this machine, without the ledger.
func (s *show) localAnswers(ctx context.Context) ([]answer, error) {
	public, err := s.trainer.State(ctx, s.final.Current)
	if err != nil {
		return nil, err
	}
	artifact, err := s.round.Artifact(public.Theta)
	if err != nil {
		return nil, err
	}
	program, err := exec.Compile(artifact)
	if err != nil {
		return nil, err
	}
	split := data.NewSplit(s.set.Count, s.recipe.Data.HoldoutPercent, s.recipe.Train.Seed)
	var list []answer
	for i := range patients {
		patient := split.HeldAt(i)
		row := make([]float32, s.set.RecordSize/4-1)
		label := s.set.Row(row, patient)
		out, err := program.Run(map[string]*tensor.Tensor{artifact.Inputs[0].Name: tensor.FromFloat32(row, 1, len(row))})
		if err != nil {
			return nil, err
		}
		bits := math.Float32bits(out[artifact.Outputs[0].Name].Float32()[0])
		list = append(list, answer{Patient: patient, Local: fmt.Sprintf("%#08x", bits), Malignant: label == 1})
	}
	return list, nil
}

func (s *show) balances(ctx context.Context, holders []registry.Holding) (map[protocol.Account]money.Amount, error) {
	list := map[protocol.Account]money.Amount{}
	for _, h := range holders {
		b, err := s.machine.Client.Balance(ctx, h.Holder)
		if err != nil {
			return nil, err
		}
		list[h.Holder] = b
	}
	return list, nil
}

// payHolders lets the clinic claim every holder's dividend, which anybody may do, and compares what each received with its
// part of the fees.
func (s *show) payHolders(ctx context.Context, r *contractReport, model protocol.Hash, fee money.Amount) error {
	key, err := client.NewKey(role.Derive(s.cast.user.secret, "account"))
	if err != nil {
		return err
	}
	user, err := client.Dial(s.ledger.endpoints(), key)
	if err != nil {
		return err
	}
	holders, err := user.Holdings(ctx, model)
	if err != nil {
		return err
	}
	before, err := s.balances(ctx, holders)
	if err != nil {
		return err
	}
	var claims []protocol.Msg
	for _, h := range holders {
		claims = append(claims, registry.ClaimDividend{Model: model, Holder: h.Holder})
	}
	if err := user.Submit(ctx, claims...); err != nil {
		return fmt.Errorf("claim the dividends: %w", err)
	}
	after, err := s.balances(ctx, holders)
	if err != nil {
		return err
	}
	record, err := s.machine.Client.Model(ctx, model)
	if err != nil {
		return err
	}
	left := fee.Times(uint64(len(r.Answers)))
	r.Exact = true
	for _, h := range holders {
		due := fee.Times(uint64(len(r.Answers))).Part(uint64(h.PPM), 1_000_000)
		got, err := after[h.Holder].Sub(before[h.Holder])
		r.Exact = r.Exact && err == nil && got.Compare(due) == 0
		r.Paid = append(r.Paid, part{s.cast.name(h.Holder), got})
		left = left.Minus(due)
	}
	slices.SortFunc(r.Paid, func(a, b part) int { return strings.Compare(a.To, b.To) })
	r.Exact = r.Exact && record.Claims().Compare(left) == 0
	return nil
}
