package split

import "slices"

// unravel is the place of element i of a row-major array along each axis.
func unravel(shape []int, i int) []int {
	at := make([]int, len(shape))
	for axis := len(shape) - 1; axis >= 0; axis-- {
		at[axis] = i % shape[axis]
		i /= shape[axis]
	}
	return at
}

// ravel is the reverse of unravel.
func ravel(shape, at []int) int {
	i := 0
	for axis, d := range shape {
		i = i*d + at[axis]
	}
	return i
}

// broadcast is the element of an array of a shape that stands at a place of a larger one, to which it broadcasts.
func broadcast(shape, at []int) int {
	at = slices.Clone(at[len(at)-len(shape):])
	for axis, d := range shape {
		if d == 1 {
			at[axis] = 0
		}
	}
	return ravel(shape, at)
}

// size is the number of elements of a shape.
func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// moved is a place with one axis changed.
func moved(at []int, axis, to int) []int {
	at = slices.Clone(at)
	at[axis] = to
	return at
}
