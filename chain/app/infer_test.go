package app_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	evmtypes "github.com/cosmos/evm/x/vm/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/precompile/infer"
	"github.com/mutirao/mutirao/contracts"
	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
)

func readABI(t testing.TB, name string) abi.ABI {
	t.Helper()
	parsed, err := abi.JSON(bytes.NewReader(contracts.Load(name).ABI))
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func pack(t testing.TB, a abi.ABI, method string, args ...any) []byte {
	t.Helper()
	data, err := a.Pack(method, args...)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// publish finishes a run, registers its model and returns the model with the interface of the precompile.
func publish(t testing.TB) (*story, registry.Model, abi.ABI) {
	t.Helper()
	s := finishRun(t)
	broken := slices.Clone(s.artifact)
	broken[len(broken)-1] ^= 1
	if err := s.submit(s.provider, registry.PublishModel{Run: s.run, Artifact: broken}); !errors.Is(err, protocol.ErrArtifact) {
		t.Fatalf("an artifact with another weight: %v", err)
	}
	s.must(s.provider, registry.PublishModel{Run: s.run, Artifact: s.artifact})
	state := s.state()
	m, err := s.app.Registry.Model(s.context(), registry.ModelID(state.Spec.InferenceProgram, state.Current.Model, s.run), escrow.Free)
	if err != nil {
		t.Fatal(err)
	}
	return s, m, readABI(t, "IInfer")
}

// locally computes the answer's bits on the engine alone.
func locally(t testing.TB, input ...uint32) []uint32 {
	t.Helper()
	p, err := exec.Compile(artifact(t))
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float32, len(input))
	for i := range input {
		x[i] = math.Float32frombits(input[i])
	}
	out, err := p.Run(map[string]*tensor.Tensor{"features": tensor.FromFloat32(x, 1, len(x))})
	if err != nil {
		t.Fatal(err)
	}
	var bits []uint32
	for _, v := range out["probability"].Float32() {
		bits = append(bits, math.Float32bits(v))
	}
	return bits
}

func bitsOf(x ...float32) []uint32 {
	var out []uint32
	for _, v := range x {
		out = append(out, math.Float32bits(v))
	}
	return out
}

// ethCall asks the EVM as eth_call does.
func (c *chain) ethCall(from person, to common.Address, data []byte) ([]byte, error) {
	c.t.Helper()
	who := common.Address(from.Account())
	input := "0x" + common.Bytes2Hex(data)
	args, err := json.Marshal(map[string]any{"from": who, "to": to, "input": input})
	if err != nil {
		c.t.Fatal(err)
	}
	r, err := c.app.EVM.EthCall(c.context(), &evmtypes.EthCallRequest{Args: args, GasCap: 25_000_000, ProposerAddress: c.proposer, ChainId: network.EVMChainID})
	if err != nil {
		return nil, err
	}
	if r.Failed() {
		return r.Ret, errors.New(r.VmError)
	}
	return r.Ret, nil
}

func TestContractCallsModel(t *testing.T) {
	s, m, precompile := publish(t)
	risk := readABI(t, "RiskModel")
	arguments, err := risk.Pack("", [32]byte(m.ID))
	if err != nil {
		t.Fatal(err)
	}
	at := s.deploy(s.author, append(common.FromHex(contracts.Load("RiskModel").Bytecode), arguments...))

	raw, err := s.ethCall(s.author, infer.Address, pack(t, precompile, "fee", [32]byte(m.ID)))
	if err != nil {
		t.Fatal(err)
	}
	fee, err := money.Parse(new(big.Int).SetBytes(raw).String())
	if err != nil || fee.IsZero() {
		t.Fatalf("fee %s: %v", fee, err)
	}

	supply := s.supply()
	raw, err = s.ethCall(s.author, at, pack(t, risk, "DECIMALS"))
	if err != nil {
		t.Fatal(err)
	}
	quarter := new(big.Int).Exp(big.NewInt(10), new(big.Int).SetBytes(raw), nil)
	quarter.Quo(quarter, big.NewInt(4))
	features := []*big.Int{new(big.Int).Mul(quarter, big.NewInt(6)), new(big.Int).Neg(quarter)} // 1.5 and -0.25
	paid := fee.Times(3)                                                                        // two thirds come back
	answer := s.ethereum(s.author, &at, paid, 3_000_000, pack(t, risk, "assess", big.NewInt(7), features))
	if answer.Failed() {
		t.Fatalf("assess: %s %s", answer.VmError, reason(answer.Ret))
	}
	values, err := risk.Unpack("assess", answer.Ret)
	if err != nil {
		t.Fatal(err)
	}
	if want := locally(t, bitsOf(1.5, -0.25)...)[0]; values[0].(uint32) != want {
		t.Errorf("the contract got %#x, the engine computes %#x", values[0], want)
	}

	// The contract keeps nothing, the fee is the holders', no coin appeared or vanished.
	if left := s.balance(protocol.Account(at)); !left.IsZero() {
		t.Errorf("the contract holds %s", left.Coins())
	}
	claimed := map[protocol.Account]bool{s.author.Account(): true} // it pays for gas in the same transactions
	for _, share := range m.Shares {
		if claimed[share.Holder] {
			continue
		}
		claimed[share.Holder] = true
		h, err := s.app.Registry.Holding(s.context(), m.ID, share.Holder)
		if err != nil {
			t.Fatal(err)
		}
		before := s.balance(h.Holder)
		s.must(s.author, registry.ClaimDividend{Model: m.ID, Holder: h.Holder})
		if got, want := s.balance(h.Holder), before.Plus(fee.Part(uint64(h.PPM), 1_000_000)); got != want {
			t.Errorf("holder %s has %s, want %s", h.Holder, got, want)
		}
	}
	if now := s.supply(); now != supply {
		t.Errorf("supply went from %s to %s", supply, now)
	}
	after, err := s.app.Registry.Model(s.context(), m.ID, escrow.Free)
	if err != nil || after.Uses != 1 || after.Earned != fee {
		t.Errorf("model counts %d uses and %s: %v", after.Uses, after.Earned, err)
	}
	var used []string
	for _, l := range answer.Logs {
		if l.Address == infer.Address.Hex() {
			used = l.Topics
		}
	}
	if len(used) != 3 || used[0] != precompile.Events["Used"].ID.Hex() || used[1] != common.Hash(m.ID).Hex() || used[2] != common.BytesToHash(at[:]).Hex() {
		t.Errorf("topics of the use: %v", used)
	}
	s.moved()
}

// refusal reads the name of an error of the interface.
func refusal(precompile abi.ABI, ret []byte) string {
	for name, e := range precompile.Errors {
		if _, err := e.Unpack(ret); err == nil {
			return name
		}
	}
	return reason(ret)
}

// reason reads the text of a revert.
func reason(ret []byte) string {
	text, err := abi.UnpackRevert(ret)
	if err != nil {
		return common.Bytes2Hex(ret)
	}
	return text
}

func TestPreviewEqualsEngine(t *testing.T) {
	s, m, precompile := publish(t)
	nan := uint32(0x7FA0_0001) // signalling, with a payload: it must not leave a trace
	for _, input := range [][]uint32{bitsOf(0, 0), bitsOf(1e30, -1e30), bitsOf(-0.1, 3), {nan, 0}, bitsOf(float32(math.Inf(1)), 1)} {
		raw, err := s.ethCall(s.author, infer.Address, pack(t, precompile, "preview", [32]byte(m.ID), input))
		if err != nil {
			t.Fatalf("%x: %v %s", input, err, reason(raw))
		}
		values, err := precompile.Unpack("preview", raw)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := values[0].([]uint32), locally(t, input...); !slices.Equal(got, want) {
			t.Errorf("%x: preview %x, engine %x", input, got, want)
		}
		if input[0] == nan && values[0].([]uint32)[0] != 0x7FC0_0000 {
			t.Errorf("NaN is %x", values[0])
		}
	}
	raw, err := s.ethCall(s.author, infer.Address, pack(t, precompile, "macs", [32]byte(m.ID)))
	if err != nil || new(big.Int).SetBytes(raw).Uint64() != m.Callable.MACs {
		t.Errorf("macs %x: %v", raw, err)
	}
}

// TestEthereumsPrecompiles: signatures are recovered and hashes computed as everywhere.
func TestEthereumsPrecompiles(t *testing.T) {
	p := newPerson(t, 1)
	c := newChain(t, p)
	digest := crypto.Keccak256([]byte("message"))
	signature, err := crypto.Sign(digest, p.eth)
	if err != nil {
		t.Fatal(err)
	}
	v := common.LeftPadBytes([]byte{signature[64] + 27}, 32)
	who := p.Account()
	for address, want := range map[byte][]byte{1: common.LeftPadBytes(who[:], 32), 4: slices.Concat(digest, v, signature[:64])} {
		got, err := c.ethCall(p, common.BytesToAddress([]byte{address}), slices.Concat(digest, v, signature[:64]))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("precompile %d: %x %v, want %x", address, got, err, want)
		}
	}
	hash := sha256.Sum256(digest)
	if got, err := c.ethCall(p, common.BytesToAddress([]byte{2}), digest); err != nil || !bytes.Equal(got, hash[:]) {
		t.Errorf("sha256: %x %v", got, err)
	}
}

// forward returns creation code of a contract that passes its call data on to the precompile by the given operation and
// returns or reverts with the answer.
func forward(operation byte) []byte {
	address := []byte{0x61, 0x09, 0x01}         // PUSH2 0x0901
	code := []byte{0x36, 0x5f, 0x5f, 0x37}      // CALLDATACOPY(0, 0, CALLDATASIZE)
	code = append(code, 0x5f, 0x5f, 0x36, 0x5f) // out size, out, in size, in
	if operation == 0xf1 || operation == 0xf2 {
		code = append(code, 0x5f) // value
	}
	code = append(code, address...)
	code = append(code, 0x5a, operation)                                              // GAS, CALL
	code = append(code, 0x3d, 0x5f, 0x5f, 0x3e)                                       // RETURNDATACOPY(0, 0, RETURNDATASIZE)
	jump := byte(len(code) + 6)                                                       //
	code = append(code, 0x60, jump, 0x57, 0x3d, 0x5f, 0xfd)                           // PUSH1 jump, JUMPI, REVERT(0, RETURNDATASIZE)
	code = append(code, 0x5b, 0x3d, 0x5f, 0xf3)                                       // JUMPDEST, RETURN(0, RETURNDATASIZE)
	create := []byte{0x60, byte(len(code)), 0x80, 0x60, 0x09, 0x5f, 0x39, 0x5f, 0xf3} // CODECOPY, RETURN
	return append(create, code...)
}

func TestInferRefuses(t *testing.T) {
	s, m, precompile := publish(t)
	id, none := [32]byte(m.ID), [32]byte{1}
	input := bitsOf(1, 2)
	call := func(to common.Address, value money.Amount, data []byte) *evmtypes.MsgEthereumTxResponse {
		return s.ethereum(s.author, &to, value, 3_000_000, data)
	}
	direct := infer.Address
	uses := func() uint64 {
		m, err := s.app.Registry.Model(s.context(), m.ID, escrow.Free)
		if err != nil {
			t.Fatal(err)
		}
		return m.Uses
	}
	good := pack(t, precompile, "infer", id, input)

	plain, delegate, code, static := s.deploy(s.author, forward(0xf1)), s.deploy(s.author, forward(0xf4)), s.deploy(s.author, forward(0xf2)), s.deploy(s.author, forward(0xfa))
	for _, c := range []struct {
		name string
		to   common.Address
		data []byte
		want string
	}{
		{"unknown model", direct, pack(t, precompile, "infer", none, input), "ModelNotFound"},
		{"too short", direct, pack(t, precompile, "infer", id, bitsOf(1)), "WrongInputLength"},
		{"too long", direct, pack(t, precompile, "infer", id, bitsOf(1, 2, 3)), "WrongInputLength"},
		{"truncated", direct, good[:len(good)-40], "MalformedCall"},
		{"no such method", direct, []byte{1, 2, 3, 4}, "MalformedCall"},
		{"free ride", direct, pack(t, precompile, "preview", id, input), "PreviewInTransaction"},
		{"free ride of a contract", static, pack(t, precompile, "preview", id, input), "PreviewInTransaction"},
		{"contract without money", plain, good, "FeeNotCovered"},
		{"DELEGATECALL", delegate, good, "WriteProtected"},
		{"CALLCODE", code, good, "WriteProtected"},
		{"STATICCALL", static, good, "WriteProtected"},
	} {
		before := s.supply()
		r := call(c.to, money.Amount{}, c.data)
		if got := refusal(precompile, r.Ret); !r.Failed() || got != c.want {
			t.Errorf("%s: %q %q, want %s", c.name, r.VmError, got, c.want)
		}
		if s.supply() != before || uses() != 0 {
			t.Errorf("%s left a trace", c.name)
		}
	}
	if r := call(direct, money.New(1), good); !r.Failed() {
		t.Error("value was taken")
	}

	// Gas comes before the work: with less than the multiply-accumulates and the artifact cost, nothing is computed.
	from := s.author.Account()
	r := s.ethereum(s.author, &direct, money.Amount{}, 45_000, good)
	if !r.Failed() || !strings.Contains(r.VmError, "out of gas") || r.GasUsed != 45_000 {
		t.Errorf("little gas: %q, %d used", r.VmError, r.GasUsed)
	}
	// The same call with enough gas: an account pays for itself.
	held := s.balance(from)
	if r := call(direct, money.Amount{}, good); r.Failed() {
		t.Errorf("a direct call: %s %s", r.VmError, reason(r.Ret))
	}
	if uses() != 1 || s.balance(from).Compare(held) >= 0 {
		t.Errorf("%d uses, balance from %s to %s", uses(), held, s.balance(from))
	}
}

func TestModelIsRegisteredOnce(t *testing.T) {
	s, m, _ := publish(t)
	if err := s.submit(s.author, registry.PublishModel{Run: s.run, Artifact: s.artifact}); !errors.Is(err, protocol.ErrExists) {
		t.Errorf("the same model again: %v", err)
	}
	kept, err := s.app.Registry.Artifact(s.context(), m.ID)
	if err != nil || !bytes.Equal(kept, s.artifact) {
		t.Errorf("kept artifact differs: %v", err)
	}
	// Use is also open to accounts without a contract.
	supply := s.supply()
	s.must(s.verifier, registry.Use{Model: m.ID, Fee: money.New(1_000_003)})
	after, err := s.app.Registry.Model(s.context(), m.ID, escrow.Free)
	if err != nil || after.Earned != money.New(1_000_003) || s.supply() != supply {
		t.Errorf("earned %s, supply from %s to %s: %v", after.Earned, supply, s.supply(), err)
	}
}

// TestInferSurvivesAnyCallData calls the precompile with damaged calls: the answer is words or a revert, never a panic,
// and nobody's coins move. It is no fuzz target because instrumenting the ledger's dependencies takes longer than any
// fuzzing.
func TestInferSurvivesAnyCallData(t *testing.T) {
	s, m, precompile := publish(t)
	seeds := [][]byte{
		pack(t, precompile, "infer", [32]byte(m.ID), bitsOf(1, 2)),
		pack(t, precompile, "preview", [32]byte(m.ID), bitsOf(1, 2)),
		pack(t, precompile, "macs", [32]byte(m.ID)),
		pack(t, precompile, "fee", [32]byte(m.ID)),
	}
	supply := s.supply()
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		data := slices.Clone(seeds[random.IntN(len(seeds))])
		for range 1 + random.IntN(4) {
			switch at := random.IntN(len(data)); random.IntN(3) {
			case 0:
				data[at] = byte(random.Uint32())
			case 1:
				data[at] ^= 1 << random.IntN(8)
			default:
				data = data[:at+1]
			}
		}
		raw, err := s.ethCall(s.author, infer.Address, data)
		if err == nil && (len(raw) == 0 || len(raw)%32 != 0) {
			t.Errorf("%x: answer of %d bytes", data, len(raw))
		}
	}
	if now := s.supply(); now != supply {
		t.Errorf("supply went from %s to %s", supply, now)
	}
}
