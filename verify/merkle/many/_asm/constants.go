package main

import (
	"bytes"
	"fmt"
	"math/big"
)

// table writes the constants of FIPS 180-4 §4.2.2 and §5.3.3: the first 32 bits of the fractional parts of the cube roots of the first 64
// primes, and of the square roots of the first eight.
func table(b *bytes.Buffer) {
	var primes []int
	for n := 2; len(primes) < 64; n++ {
		if big.NewInt(int64(n)).ProbablyPrime(0) { // exact below 2^64
			primes = append(primes, n)
		}
	}
	word := func(name string, at int, v uint32) { fmt.Fprintf(b, "DATA %s<>+%d(SB)/4, $0x%08x\n", name, at, v) }
	for i, q := range primes {
		word("constants", 4*i, root(q, 3))
	}
	b.WriteString("GLOBL constants<>(SB), RODATA|NOPTR, $256\n\n")
	for i, q := range primes[:8] {
		word("start", 4*i, root(q, 2))
	}
	b.WriteString("GLOBL start<>(SB), RODATA|NOPTR, $32\n\n")
	for i := range 4 { // the bytes of each word the other way round
		word("swap", 4*i, uint32(4*i)<<24|uint32(4*i+1)<<16|uint32(4*i+2)<<8|uint32(4*i+3))
	}
	b.WriteString("GLOBL swap<>(SB), RODATA|NOPTR, $16\n\n")
}

// root is the first 32 bits of the fractional part of a root of q: the root of q·2^(32·degree), by bisection.
func root(q, degree int) uint32 {
	bound := new(big.Int).Lsh(big.NewInt(int64(q)), uint(32*degree))
	low := uint64(0) // at most the root
	for bit := uint64(1) << 40; bit > 0; bit /= 2 {
		power := new(big.Int).Exp(new(big.Int).SetUint64(low+bit), big.NewInt(int64(degree)), nil)
		if power.Cmp(bound) <= 0 {
			low += bit
		}
	}
	return uint32(low)
}
