package exec

import "github.com/mutirao/mutirao/engine/kernel"

const (
	sqrtHalf    = 0x1.6a09e6p-1 // 1/√2 rounded to float32
	invSqrt2Pi  = 0x1.988454p-2 // 1/√(2π) rounded to float32
	chunkLength = 512           // elements of intermediate results at a time, which stay in the cache
)

// gelu sets dst = (0.5·x)·(1 + erf(x·1/√2)), each operation rounded once. dst may be src. Source: ONNX Gelu-20.
func gelu(dst, src []float32) {
	if serial(len(src), elementGrain) {
		geluSerial(dst, src)
		return
	}
	parallel(len(src), elementGrain, func(lo, hi int) { geluSerial(dst[lo:hi], src[lo:hi]) })
}

func geluSerial(dst, src []float32) {
	buffer := rowBuffers.Get().(*rowBuffer)
	defer rowBuffers.Put(buffer)
	for lo := 0; lo < len(src); lo += chunkLength {
		hi := min(lo+chunkLength, len(src))
		x, y := src[lo:hi], dst[lo:hi]
		t := buffer.of(chunkLength)[:len(x)]
		onePlusErf(t, x)
		kernel.MulScalar(y, x, 0.5)
		kernel.Mul(y, y, t)
	}
}

// onePlusErf sets t = 1 + erf(x·1/√2).
func onePlusErf(t, x []float32) {
	kernel.MulScalar(t, x, sqrtHalf)
	kernel.Erf(t, t)
	kernel.AddScalar(t, t, 1)
}

// geluGrad sets dx = dy·(0.5·(1 + erf(x·1/√2)) + (x·(1/√2π))·exp(-0.5·x·x)), where -0.5·x·x is ((x·-0.5)·x). dx may be dy or x.
func geluGrad(dx, dy, x []float32) {
	if serial(len(x), elementGrain) {
		geluGradSerial(dx, dy, x)
		return
	}
	parallel(len(x), elementGrain, func(lo, hi int) { geluGradSerial(dx[lo:hi], dy[lo:hi], x[lo:hi]) })
}

func geluGradSerial(dx, dy, x []float32) {
	buffer := rowBuffers.Get().(*rowBuffer)
	defer rowBuffers.Put(buffer)
	b := buffer.of(3 * chunkLength)
	for lo := 0; lo < len(x); lo += chunkLength {
		end := min(lo+chunkLength, len(x))
		xs := x[lo:end]
		c, d, s := b[:len(xs)], b[chunkLength:][:len(xs)], b[2*chunkLength:][:len(xs)]
		onePlusErf(c, xs)
		kernel.MulScalar(c, c, 0.5)
		kernel.MulScalar(d, xs, -0.5)
		kernel.Mul(d, d, xs)
		kernel.Exp(d, d)
		kernel.MulScalar(s, xs, invSqrt2Pi)
		kernel.Mul(d, s, d)
		kernel.Add(c, c, d)
		kernel.Mul(dx[lo:end], dy[lo:end], c)
	}
}

func emitGeluGrad(_ *compiler, in *instruction) func(*Program) error {
	dy, x, dx := in.in[0], in.in[1], in.out[0]
	return func(p *Program) error {
		geluGrad(p.f32[dx], p.f32[dy], p.f32[x])
		return nil
	}
}
