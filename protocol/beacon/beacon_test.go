package beacon_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"testing"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/beacon"
)

var rewrite = flag.Bool("rewrite", false, "write the vectors of spec/vectors")

const vectorsFile = "../../spec/vectors/beacon.json"

func key(secret byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{secret}, ed25519.SeedSize))
}

func prove(t *testing.T, k ed25519.PrivateKey, input []byte) [beacon.ProofSize]byte {
	t.Helper()
	p, err := beacon.Prove(k, input)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func public(k ed25519.PrivateKey) []byte { return k.Public().(ed25519.PublicKey) }

// The function is that of RFC 9381, appendix B.4 (ECVRF-EDWARDS25519-SHA512-ELL2), examples 19 to 21.
func TestFunctionIsOfTheRFC(t *testing.T) {
	for _, c := range []struct{ seed, alpha, pi, beta string }{
		{
			"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "",
			"7d9c633ffeee27349264cf5c667579fc583b4bda63ab71d001f89c10003ab46f14adf9a3cd8b8412d9038531e865c341cafa73589b023d14311c331a9ad15ff2fb37831e00f0acaa6d73bc9997b06501",
			"9d574bf9b8302ec0fc1e21c3ec5368269527b87b462ce36dab2d14ccf80c53cccf6758f058c5b1c856b116388152bbe509ee3b9ecfe63d93c3b4346c1fbc6c54",
		},
		{
			"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "72",
			"47b327393ff2dd81336f8a2ef10339112401253b3c714eeda879f12c509072ef055b48372bb82efbdce8e10c8cb9a2f9d60e93908f93df1623ad78a86a028d6bc064dbfc75a6a57379ef855dc6733801",
			"38561d6b77b71d30eb97a062168ae12b667ce5c28caccdf76bc88e093e4635987cd96814ce55b4689b3dd2947f80e59aac7b7675f8083865b46c89b2ce9cc735",
		},
		{
			"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "af82",
			"926e895d308f5e328e7aa159c06eddbe56d06846abf5d98c2512235eaa57fdce35b46edfc655bc828d44ad09d1150f31374e7ef73027e14760d42e77341fe05467bb286cc2c9d7fde29120a0b2320d04",
			"121b7f9b9aaaa29099fc04a94ba52784d44eac976dd1a3cca458733be5cd090a7b5fbd148444f17f8daf1fb55cb04b1ae85a626e30a54b4b0f8abf4a43314a58",
		},
	} {
		k := ed25519.NewKeyFromSeed(unhex(t, c.seed))
		alpha := unhex(t, c.alpha)
		proof := prove(t, k, alpha)
		if hex.EncodeToString(proof[:]) != c.pi {
			t.Errorf("proof of %q: %x", c.alpha, proof)
		}
		output, err := beacon.Verify(public(k), alpha, proof)
		if err != nil || hex.EncodeToString(output[:]) != c.beta {
			t.Errorf("output of %q: %x, %v", c.alpha, output, err)
		}
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// vector is one height of a chain whose three proposers take turns, the second of which stays silent.
type vector struct {
	Height protocol.Height `json:"height"`
	Seed   string          `json:"seed,omitempty"` // of the proposer's key, as in RFC 8032; absent for a block without a reveal
	Before beacon.Value    `json:"before"`
	Input  string          `json:"input"`
	Tx     string          `json:"tx,omitempty"`
	Value  beacon.Value    `json:"value"`
}

func TestVectors(t *testing.T) {
	const chain = "vectors-1"
	before := beacon.Begin(chain, 6)
	var list []vector
	for h := protocol.Height(7); h < 13; h++ {
		v := vector{Height: h, Before: before}
		input := beacon.Input(chain, h, before)
		v.Input = hex.EncodeToString(input)
		var output *[beacon.OutputSize]byte
		if h%3 != 1 {
			k := key(byte(h % 3))
			v.Seed = hex.EncodeToString(k.Seed())
			proof := prove(t, k, input)
			v.Tx = hex.EncodeToString(beacon.Encode(proof))
			var err error
			if output, err = beacon.Verify(public(k), input, proof); err != nil {
				t.Fatal(err)
			}
		}
		before = beacon.Next(h, before, output)
		v.Value = before
		list = append(list, v)
	}
	got, err := json.MarshalIndent(map[string]any{"chain": chain, "blocks": list}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *rewrite {
		if err := os.WriteFile(vectorsFile, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the rules give other values than %s:\n%s", vectorsFile, got)
	}
}

// A reveal holds for one key, height, chain and value before, and no bit of it can change without being noticed.
func TestRevealHoldsForOneBlockAlone(t *testing.T) {
	before := beacon.Begin("a", 1)
	input := beacon.Input("a", 2, before)
	k := key(1)
	proof := prove(t, k, input)
	if proof != prove(t, k, input) {
		t.Error("the same reveal twice differs")
	}
	if _, err := beacon.Verify(public(k), input, proof); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ key, input []byte }{
		"another key":          {public(key(2)), input},
		"another height":       {public(k), beacon.Input("a", 3, before)},
		"another chain":        {public(k), beacon.Input("b", 2, before)},
		"another value before": {public(k), beacon.Input("a", 2, beacon.Begin("a", 2))},
		"no key":               {nil, input},
		"a key of small order": {append([]byte{1}, make([]byte, 31)...), input},
		"a key off the curve":  {append([]byte{2}, make([]byte, 31)...), input},
		"no canonical key":     {bytes.Repeat([]byte{0xff}, 32), input},
	} {
		if _, err := beacon.Verify(c.key, c.input, proof); !errors.Is(err, beacon.ErrReveal) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for bit := range beacon.ProofSize * 8 {
		wrong := proof
		wrong[bit/8] ^= 1 << (bit % 8)
		if _, err := beacon.Verify(public(k), input, wrong); !errors.Is(err, beacon.ErrReveal) {
			t.Fatalf("bit %d flipped: %v", bit, err)
		}
	}
	if _, err := beacon.Prove(k.Seed(), input); !errors.Is(err, beacon.ErrReveal) {
		t.Errorf("a key of 32 bytes: %v", err)
	}
}

func TestValueDependsOnAllOfItsParts(t *testing.T) {
	before := beacon.Begin("a", 1)
	output := new([beacon.OutputSize]byte)
	other := [beacon.OutputSize]byte{1}
	seen := map[beacon.Value]string{before: "begin"}
	for name, v := range map[string]beacon.Value{
		"zeros": beacon.Next(2, before, output), "another output": beacon.Next(2, before, &other), "none": beacon.Next(2, before, nil),
		"another height": beacon.Next(3, before, output), "another before": beacon.Next(2, beacon.Begin("a", 2), output), "another chain": beacon.Begin("b", 1),
	} {
		if was, found := seen[v]; found || v.IsZero() {
			t.Errorf("%s gives the value of %q", name, was)
		}
		seen[v] = name
	}
}

func TestReadable(t *testing.T) {
	for _, c := range []struct {
		now, height protocol.Height
		want        error
	}{
		{1, 0, nil}, {1, 1, beacon.ErrNotYet}, {1, 1 << 62, beacon.ErrNotYet}, {1, ^protocol.Height(0), beacon.ErrNotYet},
		{8191, 0, nil}, {8192, 0, beacon.ErrForgotten}, {8192, 1, nil}, {8192, 8191, nil}, {8192, 8192, beacon.ErrNotYet},
		{1 << 40, 1<<40 - beacon.Window, nil}, {1 << 40, 1<<40 - beacon.Window - 1, beacon.ErrForgotten},
	} {
		if got := beacon.Readable(c.now, c.height); !errors.Is(got, c.want) || got == nil != (c.want == nil) {
			t.Errorf("block %d reads %d: %v, want %v", c.now, c.height, got, c.want)
		}
	}
	// While a block of the window is readable, no later one has taken its slot, the block in execution included.
	for back := protocol.Height(1); back <= beacon.Window; back++ {
		if beacon.Slot(20_000) == beacon.Slot(20_000-back) {
			t.Fatalf("the block in execution overwrites what it may read, %d blocks back", back)
		}
	}
}

func TestSplit(t *testing.T) {
	proof := [beacon.ProofSize]byte{7}
	tx := beacon.Encode(proof)
	for name, c := range map[string]struct {
		txs    [][]byte
		others int
		found  bool
	}{
		"empty block": {nil, 0, false}, "alone": {[][]byte{tx}, 0, true}, "last": {[][]byte{{1}, {2}, tx}, 2, true},
		"first": {[][]byte{tx, {1}}, 2, false}, "twice": {[][]byte{tx, tx}, 1, true}, "longer": {[][]byte{append(bytes.Clone(tx), 0)}, 1, false},
		"shorter": {[][]byte{tx[:len(tx)-1]}, 1, false}, "empty last": {[][]byte{tx, {}}, 2, false},
	} {
		others, got := beacon.Split(c.txs)
		if len(others) != c.others || (got != nil) != c.found || got != nil && *got != proof {
			t.Errorf("%s: %d others, proof %v", name, len(others), got != nil)
		}
	}
}

func FuzzReveal(f *testing.F) {
	k := key(1)
	input := beacon.Input("a", 2, beacon.Begin("a", 1))
	proof, err := beacon.Prove(k, input)
	if err != nil {
		f.Fatal(err)
	}
	want, err := beacon.Verify(public(k), input, proof)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(beacon.Encode(proof))
	f.Add([]byte{0xff, 1})
	f.Add(bytes.Repeat([]byte{0xff}, beacon.RevealSize))
	f.Fuzz(func(t *testing.T, tx []byte) {
		got, err := beacon.Decode(tx)
		if err != nil {
			if !errors.Is(err, beacon.ErrReveal) {
				t.Error(err)
			}
			return
		}
		if !bytes.Equal(beacon.Encode(got), tx) {
			t.Error("what is accepted does not encode to itself")
		}
		// Whatever is accepted as a proof has the one output.
		if output, err := beacon.Verify(public(k), input, got); err == nil && *output != *want {
			t.Errorf("a second output of one input: %x", got)
		}
	})
}

func BenchmarkProve(b *testing.B) {
	input := beacon.Input("a", 2, beacon.Begin("a", 1))
	for b.Loop() {
		if _, err := beacon.Prove(key(1), input); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	k := key(1)
	input := beacon.Input("a", 2, beacon.Begin("a", 1))
	proof, err := beacon.Prove(k, input)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := beacon.Verify(public(k), input, proof); err != nil {
			b.Fatal(err)
		}
	}
}
