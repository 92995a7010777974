package exec

import "github.com/mutirao/mutirao/engine/kernel"

// fewOutputs is up to how many outputs of a group are computed place by place: products of matrices that narrow waste most of
// the work of their kernels.
const fewOutputs = 7

// direct computes the planes of all outputs by themselves. Padding is the zero point, so it adds nothing and is left out.
func (v *convInteger) direct(x, w []int8, y []int32, alpha int32, beta func(output int) int32) {
	planes := v.batch * v.groups * v.outputs
	parallel(planes, max(1, elementGrain/(v.area*v.terms)), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			output := i % (v.groups * v.outputs)
			from := i / v.outputs * v.channels * v.plane
			v.directPlane(y[i*v.area:][:v.area], x[from:][:v.channels*v.plane], w[output*v.terms:][:v.terms], alpha, beta(output))
		}
	})
}

// directPlane adds the products of one weight after the other to the outputs that read it inside of the input.
func (v *convInteger) directPlane(out []int32, planes, w []int8, alpha, beta int32) {
	clear(out)
	a, b, c := v.window[0], v.window[1], v.window[2]
	for i, weight := range w {
		factor := int32(weight) - beta
		place := i % (a.Kernel * b.Kernel * c.Kernel)
		plane := planes[i/(a.Kernel*b.Kernel*c.Kernel)*v.plane:][:v.plane]
		k0, k1, k2 := place/(b.Kernel*c.Kernel), place/c.Kernel%b.Kernel, place%c.Kernel
		first, end := inside(c, k2)
		for o0 := range a.Out {
			i0 := o0*a.Stride + k0*a.Dilation - a.Before
			if i0 < 0 || i0 >= a.In {
				continue
			}
			for o1 := range b.Out {
				i1 := o1*b.Stride + k1*b.Dilation - b.Before
				if i1 < 0 || i1 >= b.In || first >= end {
					continue
				}
				row := out[(o0*b.Out+o1)*c.Out:][first:end]
				in := plane[(i0*b.In+i1)*c.In+first*c.Stride+k2*c.Dilation-c.Before:]
				for o := range row {
					row[o] += factor * (int32(in[o*c.Stride]) - alpha)
				}
			}
		}
	}
}

// inside is the range of outputs along an axis that read an element, not padding, at a place of the window.
func inside(a kernel.Axis, k int) (first, end int) {
	at := k*a.Dilation - a.Before
	for first < a.Out && first*a.Stride+at < 0 {
		first++
	}
	end = first
	for end < a.Out && end*a.Stride+at < a.In {
		end++
	}
	return first, end
}
