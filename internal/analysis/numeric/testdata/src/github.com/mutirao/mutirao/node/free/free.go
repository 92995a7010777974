// Package free shows numbers to people: no rule applies.
package free

import "math"

func decibel(x, y float64) float64 { return 10*math.Log10(x) + x*y }
