package kernel

// Philox is the counter-based generator Philox4x32-10: ten rounds over a 128-bit counter with a 64-bit key.
// Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011; spec/numerics.md §9.
func Philox(key [2]uint32, ctr [4]uint32) [4]uint32 {
	const (
		multiplier0 = 0xd2511f53
		multiplier1 = 0xcd9e8d57
		weyl0       = 0x9e3779b9 // golden ratio
		weyl1       = 0xbb67ae85 // sqrt(3) - 1
	)
	c0, c1, c2, c3 := ctr[0], ctr[1], ctr[2], ctr[3]
	k0, k1 := key[0], key[1]
	for range 10 {
		p0, p1 := multiplier0*uint64(c0), multiplier1*uint64(c2)
		c0, c1, c2, c3 = uint32(p1>>32)^c1^k0, uint32(p1), uint32(p0>>32)^c3^k1, uint32(p0)
		k0 += weyl0
		k1 += weyl1
	}
	return [4]uint32{c0, c1, c2, c3}
}

// Uniform fills dst with numbers from [0, 1): dst[i] is element e = offset + i of the stream of key, which is
// (w >> 8)·2^-24 with w the word e mod 4 of Philox at counter (low and high half of e/4, 0, 0). Any part of a stream
// can therefore be made alone. Source: spec/numerics.md §9.
func Uniform(dst []float32, key [2]uint32, offset uint64) {
	for i := 0; i < len(dst); {
		e := offset + uint64(i)
		block := e / 4
		words := Philox(key, [4]uint32{uint32(block), uint32(block >> 32)})
		for w := e % 4; w < 4 && i < len(dst); w++ {
			dst[i] = float32(float32(words[w]>>8) * 0x1p-24)
			i++
		}
	}
}
