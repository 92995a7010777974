package app_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/math"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/mutirao/mutirao/chain/network"
	marketprecompile "github.com/mutirao/mutirao/chain/precompile/market"
)

// assembler writes EVM code.
type assembler struct{ bytes.Buffer }

func (a *assembler) op(list ...vm.OpCode) *assembler {
	for _, o := range list {
		a.WriteByte(byte(o))
	}
	return a
}

// push writes the shortest push of a number.
func (a *assembler) push(list ...uint64) *assembler {
	for _, n := range list {
		b := new(big.Int).SetUint64(n).Bytes()
		a.WriteByte(byte(vm.PUSH0) + byte(len(b)))
		a.Write(b)
	}
	return a
}

// leftGas is where a loop stops: what one more turn may take is less.
const leftGas = 150_000

// loop is a contract that copies its input to memory, does body with a counter on the stack for as long as there is gas, and leaves the
// counter there.
func loop(body func(a *assembler)) []byte {
	a := new(assembler)
	a.op(vm.CALLDATASIZE).push(0, 0).op(vm.CALLDATACOPY).push(0)
	start := uint64(a.Len())
	a.op(vm.JUMPDEST)
	body(a)
	a.push(1).op(vm.ADD).push(leftGas).op(vm.GAS, vm.GT).push(start).op(vm.JUMPI, vm.STOP)
	return a.Bytes()
}

// creation is code that creates a contract.
func creation(code []byte) []byte {
	a := new(assembler)
	a.push(uint64(len(code))).op(vm.DUP1)
	a.WriteByte(byte(vm.PUSH1))
	at := a.Len()
	a.WriteByte(0)
	a.push(0).op(vm.CODECOPY).push(0).op(vm.RETURN)
	out := a.Bytes()
	out[at] = byte(len(out))
	return append(out, code...)
}

// ask calls a contract with all that is in memory and forgets the answer.
func ask(to common.Address, gas uint64) func(a *assembler) {
	return func(a *assembler) {
		a.push(0, 0).op(vm.CALLDATASIZE).push(0)
		a.WriteByte(byte(vm.PUSH20))
		a.Write(to[:])
		if gas == 0 {
			a.op(vm.GAS)
		} else {
			a.push(gas)
		}
		a.op(vm.STATICCALL, vm.POP)
	}
}

type hog struct {
	name  string
	input []byte
	body  func(a *assembler)
}

func words(list ...*big.Int) []byte {
	var out []byte
	for _, w := range list {
		out = append(out, math.U256Bytes(new(big.Int).Set(w))...)
	}
	return out
}

// hogs are what a contract can do over and over, each by the gas it costs.
func hogs(t testing.TB) []hog {
	key, err := crypto.ToECDSA(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	digest := crypto.Keccak256([]byte("digest"))
	sig, err := crypto.Sign(digest, key)
	if err != nil {
		t.Fatal(err)
	}
	recover := append(append(append(append([]byte{}, digest...), words(big.NewInt(int64(sig[64])+27))...), sig[:32]...), sig[32:64]...)
	modexp := func(size int) []byte {
		n := bytes.Repeat([]byte{0xff}, size)
		e := bytes.Repeat([]byte{0xff}, 32)
		b := bytes.Repeat([]byte{0xfe}, size)
		return slicesConcat(words(big.NewInt(int64(size)), big.NewInt(32), big.NewInt(int64(size))), b, e, n)
	}
	hex := common.FromHex
	g1 := words(big.NewInt(1), big.NewInt(2))
	g2 := hex("198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c21800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa")
	pair := append(append([]byte{}, g1...), g2...)
	blsG1 := hex("0000000000000000000000000000000017f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb0000000000000000000000000000000008b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3edd03cc744a2888ae40caa232946c5e7e1")
	blsG2 := hex("00000000000000000000000000000000024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb80000000000000000000000000000000013e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e000000000000000000000000000000000ce5d527727d6e118cc9cdc6da2e351aadfd9baa8cbdd3a76d429a695160d12c923ac9cc3baca289e193548608b82801000000000000000000000000000000000606c4a02ea734cc32acd2b02bc28b99cb3e287e85a763af267492ab572e99ab3f370d275cec1da1aaa9075ff05f79be")
	scalar := bytes.Repeat([]byte{0xff}, 32)
	fp := append(make([]byte, 16), append([]byte{0x10}, bytes.Repeat([]byte{0x37}, 47)...)...)
	blake := slicesConcat(binary.BigEndian.AppendUint32(nil, 200_000), make([]byte, 208), []byte{1})
	at := func(n byte) common.Address { return common.BytesToAddress([]byte{n}) }
	msm := func(point []byte, n int) []byte {
		return bytes.Repeat(append(append([]byte{}, point...), scalar...), n)
	}
	list := []hog{
		{"JUMPDEST", nil, func(a *assembler) {
			for range 500 {
				a.op(vm.JUMPDEST)
			}
		}},
		{"ADDMOD", nil, func(a *assembler) {
			for range 100 {
				a.push(1).op(vm.PUSH0, vm.NOT, vm.DUP1, vm.DUP1, vm.ADDMOD, vm.POP, vm.POP)
			}
		}},
		{"MULMOD", nil, func(a *assembler) {
			for range 100 {
				a.op(vm.PUSH0, vm.NOT).push(5).op(vm.PUSH0, vm.NOT, vm.SUB, vm.DUP2, vm.DUP2, vm.MULMOD, vm.POP, vm.POP)
			}
		}},
		{"SDIV", nil, func(a *assembler) {
			for range 100 {
				a.push(1_234_567).op(vm.PUSH0, vm.NOT, vm.SDIV, vm.POP)
			}
		}},
		{"EXP", nil, func(a *assembler) {
			for range 20 {
				a.op(vm.PUSH0, vm.NOT, vm.DUP1, vm.EXP, vm.POP)
			}
		}},
		{"KECCAK256 of 32 bytes", nil, func(a *assembler) {
			for range 50 {
				a.push(32, 0).op(vm.KECCAK256, vm.POP)
			}
		}},
		{"KECCAK256 of 64 KiB", nil, func(a *assembler) { a.push(65536, 0).op(vm.KECCAK256, vm.POP) }},
		{"MCOPY of 64 KiB", nil, func(a *assembler) { a.push(65536, 0, 32).op(vm.MCOPY) }},
		{"TSTORE", nil, func(a *assembler) { a.op(vm.DUP1, vm.DUP1, vm.TSTORE) }},
		{"SLOAD of new slots", nil, func(a *assembler) { a.op(vm.DUP1, vm.SLOAD, vm.POP) }},
		{"SSTORE to new slots", nil, func(a *assembler) { a.push(1).op(vm.DUP2, vm.SSTORE) }},
		{"SSTORE to one slot", nil, func(a *assembler) { a.op(vm.DUP1, vm.PUSH0, vm.SSTORE) }},
		{"BALANCE of new addresses", nil, func(a *assembler) { a.op(vm.DUP1).push(1<<40).op(vm.ADD, vm.BALANCE, vm.POP) }},
		{"EXTCODESIZE of new addresses", nil, func(a *assembler) { a.op(vm.DUP1).push(1<<40).op(vm.ADD, vm.EXTCODESIZE, vm.POP) }},
		{"CALL of new addresses", nil, func(a *assembler) {
			a.op(vm.PUSH0, vm.PUSH0, vm.PUSH0, vm.PUSH0, vm.PUSH0, vm.DUP6).push(1<<40).op(vm.ADD).push(100).op(vm.CALL, vm.POP)
		}},
		{"CALL with value to new addresses", nil, func(a *assembler) {
			a.op(vm.PUSH0, vm.PUSH0, vm.PUSH0, vm.PUSH0).push(1).op(vm.DUP6).push(1<<40).op(vm.ADD).push(100).op(vm.CALL, vm.POP)
		}},
		{"CALL of itself that fails", nil, func(a *assembler) {
			a.op(vm.PUSH0, vm.PUSH0, vm.PUSH0, vm.PUSH0, vm.PUSH0, vm.ADDRESS).push(10).op(vm.CALL, vm.POP)
		}},
		{"CREATE of nothing", nil, func(a *assembler) { a.op(vm.PUSH0, vm.PUSH0, vm.PUSH0, vm.CREATE, vm.POP) }},
		{"CREATE2 of nothing", nil, func(a *assembler) { a.op(vm.DUP1, vm.PUSH0, vm.PUSH0, vm.PUSH0, vm.CREATE2, vm.POP) }},
		{"LOG0", nil, func(a *assembler) { a.op(vm.PUSH0, vm.PUSH0, vm.LOG0) }},
		{"LOG4", nil, func(a *assembler) { a.op(vm.DUP1, vm.DUP1, vm.DUP1, vm.DUP1, vm.PUSH0, vm.PUSH0, vm.LOG4) }},
		{"LOG0 of 32 KiB", nil, func(a *assembler) { a.push(32768, 0).op(vm.LOG0) }},
		{"ecrecover", recover, ask(at(1), 0)},
		{"sha256 of 32 bytes", digest, ask(at(2), 0)},
		{"sha256 of 4 KiB", make([]byte, 4096), ask(at(2), 0)},
		{"ripemd160 of 32 bytes", digest, ask(at(3), 0)},
		{"identity of 4 KiB", make([]byte, 4096), ask(at(4), 0)},
		{"modexp of 32 bytes", modexp(32), ask(at(5), 0)},
		{"modexp of 8 bytes", modexp(8), ask(at(5), 0)},
		{"modexp of 256 bytes", modexp(256), ask(at(5), 0)},
		{"modexp of 1024 bytes", modexp(1024), ask(at(5), 0)},
		{"bn256 add", append(append([]byte{}, g1...), g1...), ask(at(6), 0)},
		{"bn256 multiply", append(append([]byte{}, g1...), scalar...), ask(at(7), 0)},
		{"bn256 pairing of 1", pair, ask(at(8), 0)},
		{"bn256 pairing of 10", bytes.Repeat(pair, 10), ask(at(8), 0)},
		{"blake2f", blake, ask(at(9), 0)},
		{"BLS G1 add", append(append([]byte{}, blsG1...), blsG1...), ask(at(11), 0)},
		{"BLS G1 multiply by 1", msm(blsG1, 1), ask(at(12), 0)},
		{"BLS G1 multiply by 32", msm(blsG1, 32), ask(at(12), 0)},
		{"BLS G2 add", append(append([]byte{}, blsG2...), blsG2...), ask(at(13), 0)},
		{"BLS G2 multiply by 1", msm(blsG2, 1), ask(at(14), 0)},
		{"BLS G2 multiply by 32", msm(blsG2, 32), ask(at(14), 0)},
		{"BLS pairing of 1", append(append([]byte{}, blsG1...), blsG2...), ask(at(15), 0)},
		{"BLS pairing of 8", bytes.Repeat(append(append([]byte{}, blsG1...), blsG2...), 8), ask(at(15), 0)},
		{"BLS map to G1", fp, ask(at(16), 0)},
		{"BLS map to G2", append(append([]byte{}, fp...), fp...), ask(at(17), 0)},
		{"market precompile, nonsense", []byte{1, 2, 3, 4}, ask(marketprecompile.Address, 5_000)},
	}
	// The polynomial that is 0 is 0 at every point: commitment and proof are the point at infinity.
	infinity := append([]byte{0xc0}, make([]byte, 47)...)
	versioned := sha256.Sum256(infinity)
	versioned[0] = 1
	return append(list, hog{"evaluation of a point", slicesConcat(versioned[:], make([]byte, 64), infinity, infinity), ask(at(10), 0)})
}

func slicesConcat(list ...[]byte) []byte { return bytes.Join(list, nil) }

// TestWorstBlock prints how long a block takes whose gas goes into one thing.
func TestWorstBlock(t *testing.T) {
	if !*fullBlock {
		t.Skip("a measurement: run with -full-block")
	}
	p := newPerson(t, 1)
	c := newMeasured(t, p)
	for _, h := range hogs(t) {
		t.Run(h.name, func(t *testing.T) {
			c.t = t
			c.rest()
			at := c.deploy(p, creation(loop(h.body)))
			fundContract(c, p, at)
			c.report(h.name, [][]byte{c.signedEthereum(p, &at, moneyOf(0), network.BlockGas, h.input)})
		})
	}
	c.t = t
}

func fundContract(c *chain, p person, at common.Address) {
	c.t.Helper()
	if r := c.ethereum(p, &at, moneyOf(1_000_000), 200_000, nil); r.Failed() && r.VmError == "" {
		c.t.Fatal(r.VmError)
	}
}
