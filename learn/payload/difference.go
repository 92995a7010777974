package payload

import (
	"fmt"
	"strings"

	"github.com/mutirao/mutirao/engine/tensor"
)

// Difference is an element in which two payloads of one model differ.
type Difference struct {
	Tensor string
	Shape  []int
	Index  int     // row-major, in the tensor
	A, B   float32 // the element in either payload
}

// String is for people: "fc1.weight[3,17]: 0.0039 and 0.0042".
func (d Difference) String() string {
	return fmt.Sprintf("%s: %v and %v", d.Place(), d.A, d.B)
}

// Place names the element: "fc1.weight[3,17]".
func (d Difference) Place() string {
	at := make([]string, len(d.Shape))
	rest := d.Index
	for i := len(d.Shape) - 1; i >= 0; i-- {
		at[i] = fmt.Sprint(rest % d.Shape[i])
		rest /= d.Shape[i]
	}
	return fmt.Sprintf("%s[%s]", d.Tensor, strings.Join(at, ","))
}

// FirstDifference compares two payloads of the layout's model. It reports the first differing element
// in name order, row-major, and whether there is one. Errors are those of Decode.
func FirstDifference(a, b []byte, layout []tensor.Named) (Difference, bool, error) {
	x, err := Decode(a, layout)
	if err != nil {
		return Difference{}, false, fmt.Errorf("first payload: %w", err)
	}
	y, err := Decode(b, layout)
	if err != nil {
		return Difference{}, false, fmt.Errorf("second payload: %w", err)
	}
	for i := range x {
		for j := range x[i].Codes {
			// Values, not codes: where only the scale differs the first element can be zero in both.
			if p, q := x[i].Value(j), y[i].Value(j); p != q {
				return Difference{Tensor: x[i].Name, Shape: x[i].Shape, Index: j, A: p, B: q}, true, nil
			}
		}
	}
	return Difference{}, false, nil
}
