// Package kernel is the arithmetic of the reproducible operator standard: matrix product, reductions, elementwise
// functions and random numbers on float32 slices, each defined as an exact sequence of IEEE-754 binary32 operations.
//
// The portable functions named xxxGeneric are the definition. Generated assembly (AVX2, AVX-512, NEON) is chosen at run time
// and equals them bit for bit; neither the instruction set nor the number of threads shows in a result. The bits of a
// NaN are the one exception: every NaN counts as the same value until Canonicalize gives it its one encoding, which
// must happen before bits are hashed, stored, sent or compared.
//
// Slices belong to the caller; nothing is kept after a call. Only helpers of parallel outlive one, by microseconds, to
// be at hand for the next. Wrong lengths are bugs of this program and panic. The package imports nothing of the project. Source: spec/numerics.md.
//
//go:generate go run -C _asm . -out ..
package kernel
