package kernel

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

var exhaustive = flag.String("exhaustive", "", "functions to run on all 2^32 inputs, as Exp,Log or all; MUTIRAO_KERNEL chooses the implementation")

const exhaustiveFile = "../../spec/vectors/exhaustive.txt"

// TestExhaustive applies functions of one number to every float32 and compares the hash of all results with the
// published one, or prints it if there is none. It takes from ten seconds a function with AVX-512 to minutes without.
func TestExhaustive(t *testing.T) {
	if *exhaustive == "" {
		t.Skip("needs -exhaustive: see make exhaustive")
	}
	data, err := os.ReadFile(exhaustiveFile)
	if err != nil {
		t.Fatal(err)
	}
	published := make(map[string]string)
	for scanner := bufio.NewScanner(bytes.NewReader(data)); scanner.Scan(); {
		if fields := strings.Fields(scanner.Text()); len(fields) == 2 && fields[0] != "#" {
			published[fields[0]] = fields[1]
		}
	}
	names := strings.Split(*exhaustive, ",")
	if *exhaustive == "all" {
		names = nil
		for name := range unaryFunctions {
			names = append(names, name)
		}
		slices.Sort(names)
	}
	for _, name := range names {
		f, ok := unaryFunctions[name]
		if !ok {
			t.Fatalf("no function %q", name)
		}
		start := time.Now()
		sum := hashOfAll(f)
		fmt.Printf("%s %s  %s, %.0f s\n", name, sum, Active(), time.Since(start).Seconds())
		if want, ok := published[name]; !ok {
			t.Logf("%s has no published hash yet", name)
		} else if sum != want {
			t.Errorf("%s: %s, published is %s", name, sum, want)
		}
	}
}

// hashOfAll is the SHA-256 of f(x) for x with the bits 0, 1, … 2³²-1, as little-endian words with NaN canonical. The
// next chunk is computed while one is hashed.
func hashOfAll(f func(dst, src []float32)) string {
	const chunk = 1 << 16
	chunks := make(chan []byte, 2)
	go func() {
		defer close(chunks)
		x := make([]float32, chunk)
		for base := uint64(0); base < 1<<32; base += chunk {
			for i := range x {
				x[i] = math.Float32frombits(uint32(base) + uint32(i))
			}
			f(x, x)
			Canonicalize(x)
			data := make([]byte, 4*chunk)
			for i, v := range x {
				binary.LittleEndian.PutUint32(data[4*i:], math.Float32bits(v))
			}
			chunks <- data
		}
	}()
	h := sha256.New()
	for data := range chunks {
		h.Write(data)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}
