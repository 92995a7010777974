package many

import (
	"bytes"
	"crypto/sha256"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func random(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// hash adds messages to a batch and compares with crypto/sha256.
func check(t *testing.T, b *Batch, messages [][]byte) {
	t.Helper()
	got := make([][Size]byte, len(messages))
	for i, m := range messages {
		copy(b.Add(&got[i], len(m)), m)
	}
	b.Flush()
	for i, m := range messages {
		if got[i] != sha256.Sum256(m) {
			t.Fatalf("message %d of %d, %d bytes", i, len(messages), len(m))
		}
	}
}

// TestBatch compares all lengths up to a few blocks, all numbers of messages and mixtures of both, in one batch that is used again.
func TestBatch(t *testing.T) {
	if !fast {
		t.Log("this machine has no AVX-512")
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var b Batch
	for n := range 5 * Block {
		list := make([][]byte, 1+rng.IntN(40))
		for i := range list {
			list[i] = random(rng, n)
		}
		check(t, &b, list)
	}
	for range 300 {
		list := make([][]byte, rng.IntN(100))
		for i := range list {
			list[i] = random(rng, rng.IntN(300))
		}
		check(t, &b, list)
	}
	long := make([][]byte, Lanes)
	for i := range long {
		long[i] = random(rng, 1<<16+i)
	}
	check(t, &b, long)
}

// FuzzBatch compares with crypto/sha256: the bytes cut into messages of a length.
func FuzzBatch(f *testing.F) {
	f.Add([]byte("abcdefghijklmnopqrstuvwxyz"), 3)
	f.Fuzz(func(t *testing.T, data []byte, n int) {
		if n < 1 || n > len(data) {
			return
		}
		var list [][]byte
		for ; len(data) > 0; data = data[min(n, len(data)):] {
			list = append(list, data[:min(n, len(data))])
		}
		check(t, new(Batch), list)
	})
}

// TestGenerated checks that the assembly is what its generator writes.
func TestGenerated(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("go", "run", "-C", "_asm", ".", "-out", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want, err := os.ReadFile(filepath.Join(dir, "many_amd64.s"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile("many_amd64.s"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("many_amd64.s is not what go generate writes: %v", err)
	}
}

// BenchmarkHash hashes sixteen messages, beside crypto/sha256 in the same run: tiles of 2 KiB, and nodes of a tree.
func BenchmarkHash(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		name string
		n    int
	}{{"tile", 2049}, {"node", 65}} {
		list := make([][]byte, Lanes)
		for i := range list {
			list[i] = random(rng, c.n)
		}
		var out [Lanes][Size]byte
		b.Run(c.name+"/many", func(b *testing.B) {
			b.SetBytes(int64(Lanes * c.n))
			var batch Batch
			for b.Loop() {
				for i, m := range list {
					copy(batch.Add(&out[i], len(m)), m)
				}
				batch.Flush()
			}
		})
		b.Run(c.name+"/crypto", func(b *testing.B) {
			b.SetBytes(int64(Lanes * c.n))
			for b.Loop() {
				for i, m := range list {
					out[i] = sha256.Sum256(m)
				}
			}
		})
	}
}
