// Package soliditytest runs the Solidity libraries of contracts/ in a bare EVM and compares them with Go.
package soliditytest

import (
	"bytes"
	"math"
	"math/big"
	"math/rand"
	"strconv"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/state"
	"github.com/ethereum/go-ethereum/core/vm/runtime"

	"github.com/mutirao/mutirao/contracts"
)

// harness is Float32Harness deployed in an EVM without a chain.
type harness struct {
	abi     abi.ABI
	address common.Address
	config  *runtime.Config
}

func deploy(t *testing.T) *harness {
	t.Helper()
	artifact := contracts.Load("Float32Harness")
	parsed, err := abi.JSON(bytes.NewReader(artifact.ABI))
	if err != nil {
		t.Fatal(err)
	}
	db, err := state.New(common.Hash{}, state.NewDatabaseForTesting())
	if err != nil {
		t.Fatal(err)
	}
	config := &runtime.Config{State: db, GasLimit: 10_000_000}
	_, address, _, err := runtime.Create(common.FromHex(artifact.Bytecode), config)
	if err != nil {
		t.Fatal(err)
	}
	return &harness{parsed, address, config}
}

func (h *harness) call(t *testing.T, method string, args ...any) (any, error) {
	t.Helper()
	input, err := h.abi.Pack(method, args...)
	if err != nil {
		t.Fatal(err)
	}
	output, _, err := runtime.Call(h.address, input, h.config)
	if err != nil {
		return nil, err
	}
	values, err := h.abi.Unpack(method, output)
	if err != nil {
		t.Fatal(err)
	}
	return values[0], nil
}

// decimal writes value / 10**decimals the way strconv reads it.
func decimal(value *big.Int, decimals uint8) string {
	return value.String() + "e-" + strconv.Itoa(int(decimals))
}

func TestFromDecimalRoundsAsStrconvDoes(t *testing.T) {
	h := deploy(t)
	rng := rand.New(rand.NewSource(1))
	check := func(value *big.Int, decimals uint8) {
		t.Helper()
		want, err := strconv.ParseFloat(decimal(value, decimals), 32)
		if err != nil {
			t.Fatal(err)
		}
		got, err := h.call(t, "fromDecimal", value, decimals)
		if err != nil {
			t.Fatalf("%s: %v", decimal(value, decimals), err)
		}
		if bits := math.Float32bits(float32(want)); got.(uint32) != bits {
			t.Errorf("%s: got %#08x, want %#08x", decimal(value, decimals), got, bits)
		}
	}
	for _, s := range []string{"0", "1", "-1", "17990000", "16777216", "16777217", "16777219", "33554435", "33554434", "9007199791611905"} {
		v, _ := new(big.Int).SetString(s, 10)
		for _, decimals := range []uint8{0, 1, 6, 18, 38} {
			check(v, decimals)
		}
	}
	for range 2000 {
		v := new(big.Int).Rand(rng, new(big.Int).Lsh(big.NewInt(1), uint(1+rng.Intn(126))))
		if rng.Intn(2) == 0 {
			v.Neg(v)
		}
		check(v, uint8(rng.Intn(39)))
	}
	if _, err := h.call(t, "fromDecimal", new(big.Int).Lsh(big.NewInt(1), 127), uint8(0)); err == nil {
		t.Error("2**127 was accepted")
	}
}

func TestToWadTruncates(t *testing.T) {
	h := deploy(t)
	rng := rand.New(rand.NewSource(2))
	wad := new(big.Float).SetPrec(300).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(18), nil))
	bits := []uint32{0, 0x80000000, 1, 0x007FFFFF, 0x00800000, 0x3F800000, 0xBF800000, 0x7F7FFFFF, 0xFF7FFFFF}
	for range 500 {
		bits = append(bits, rng.Uint32())
	}
	for _, b := range bits {
		f := float64(math.Float32frombits(b))
		got, err := h.call(t, "toWad", b)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			if err == nil || !strings.Contains(err.Error(), "revert") {
				t.Errorf("%#08x: not a finite number, got %v, %v", b, got, err)
			}
			continue
		}
		want, _ := new(big.Float).SetPrec(300).Mul(new(big.Float).SetFloat64(f), wad).Int(nil)
		if err != nil || got.(*big.Int).Cmp(want) != 0 {
			t.Errorf("%#08x: got %v, %v, want %v", b, got, err, want)
		}
	}
}
