package round

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

// Public is the state between rounds, known to everybody: the weights, the outer optimizer's momentum
// and what earlier int8 compressions left out. The three lists have equal names, in ascending order,
// and equal shapes.
type Public struct {
	Theta, Momentum, Residual []tensor.Named
}

// Initial is the state before the first round: weights drawn from the recipe's seed, the rest zero.
func (t *Trainer) Initial() (Public, error) {
	p := Public{Theta: t.model.Initial(t.recipe.Train.Seed), Momentum: zeros(t.layout), Residual: zeros(t.layout)}
	return p, t.checkPublic(p)
}

func (t *Trainer) checkPublic(p Public) error {
	if err := t.check("weights", p.Theta); err != nil {
		return err
	}
	if err := t.check("momentum", p.Momentum); err != nil {
		return err
	}
	return t.check("residual", p.Residual)
}

// zeros returns tensors of the same names and shapes that hold zeros.
func zeros(like []tensor.Named) []tensor.Named {
	out := make([]tensor.Named, len(like))
	for i, t := range like {
		out[i] = tensor.Named{Name: t.Name, Tensor: tensor.New(tensor.Float32, t.Tensor.Shape()...)}
	}
	return out
}

// clone copies tensors.
func clone(x []tensor.Named) []tensor.Named {
	out := make([]tensor.Named, len(x))
	for i, t := range x {
		out[i] = tensor.Named{Name: t.Name, Tensor: t.Tensor.Clone()}
	}
	return out
}

// checkTensor tests name, type, shape and finiteness of one tensor.
func checkTensor(x, want tensor.Named) error {
	switch {
	case x.Name != want.Name:
		return fmt.Errorf("%q stands where %q belongs", x.Name, want.Name)
	case x.Tensor == nil || x.Tensor.DType() != tensor.Float32 || !slices.Equal(x.Tensor.Shape(), want.Tensor.Shape()):
		return fmt.Errorf("%s is not float32 of shape %v", x.Name, want.Tensor.Shape())
	case !kernel.Finite(x.Tensor.Float32()):
		return fmt.Errorf("%s holds a number that is not finite", x.Name)
	}
	return nil
}

// publicMagic opens the canonical bytes; its last byte is the version.
const publicMagic = "MPS\x01"

// MaxPublic bounds the canonical bytes of a public state: three lists of the 2^24 weights that a
// recipe can ask for, and their names.
const MaxPublic = 3*4<<24 + 1<<20

// EncodePublic returns the canonical bytes of a valid state: magic, number of tensors in 4 bytes; for
// each its name behind a length byte, its rank in a byte, its dimensions in 4 bytes each, and the
// elements of weights, momentum and residual as binary32; all little endian.
func EncodePublic(p Public) []byte {
	b := binary.LittleEndian.AppendUint32([]byte(publicMagic), uint32(len(p.Theta)))
	for i, t := range p.Theta {
		b = append(append(b, byte(len(t.Name))), t.Name...)
		b = append(b, byte(len(t.Tensor.Shape())))
		for _, d := range t.Tensor.Shape() {
			b = binary.LittleEndian.AppendUint32(b, uint32(d))
		}
		for _, x := range []tensor.Named{t, p.Momentum[i], p.Residual[i]} {
			b = x.Tensor.Append(b, 0, x.Tensor.Len())
		}
	}
	return b
}

// DecodePublic reads canonical bytes; accepted bytes encode to themselves. The memory it takes is that
// of b. Whether the state belongs to a model is checked where it is used. Errors wrap ErrState.
func DecodePublic(b []byte) (Public, error) {
	if len(b) > MaxPublic {
		return Public{}, fmt.Errorf("%w: %d bytes; at most %d are possible", ErrState, len(b), MaxPublic)
	}
	if len(b) < len(publicMagic)+4 || string(b[:len(publicMagic)]) != publicMagic {
		return Public{}, fmt.Errorf("%w: bytes do not start with a public state's mark", ErrState)
	}
	count := binary.LittleEndian.Uint32(b[len(publicMagic):])
	rest := b[len(publicMagic)+4:]
	var p Public
	last := ""
	for i := range count {
		name, shape, body, err := readHeader(rest)
		if err != nil {
			return Public{}, fmt.Errorf("%w: tensor %d of %d: %w", ErrState, i+1, count, err)
		}
		if name <= last {
			return Public{}, fmt.Errorf("%w: %q comes after %q", ErrState, name, last)
		}
		last = name
		n, err := tensor.Elements(shape, len(body)/12)
		if err != nil || n > len(body)/12 {
			return Public{}, fmt.Errorf("%w: %s of shape %v does not fit into %d bytes", ErrState, name, shape, len(body))
		}
		for _, list := range []*[]tensor.Named{&p.Theta, &p.Momentum, &p.Residual} {
			x := make([]float32, n)
			for j := range x {
				x[j] = math.Float32frombits(binary.LittleEndian.Uint32(body[4*j:]))
			}
			if !kernel.Finite(x) {
				return Public{}, fmt.Errorf("%w: %s holds a number that is not finite", ErrState, name)
			}
			*list = append(*list, tensor.Named{Name: name, Tensor: tensor.FromFloat32(x, shape...)})
			body = body[4*n:]
		}
		rest = body
	}
	if len(rest) > 0 {
		return Public{}, fmt.Errorf("%w: %d bytes too many", ErrState, len(rest))
	}
	return p, nil
}

var errShort = errors.New("bytes end early")

// readHeader reads name and shape of a tensor and returns what follows.
func readHeader(b []byte) (name string, shape []int, rest []byte, err error) {
	if len(b) == 0 {
		return "", nil, nil, errShort
	}
	end := 1 + int(b[0]) // as a byte, 255 + 1 would be 0
	if len(b) <= end {
		return "", nil, nil, errShort
	}
	name, b = string(b[1:end]), b[end:]
	rank := int(b[0])
	b = b[1:]
	if rank > 8 {
		return "", nil, nil, fmt.Errorf("%q has %d axes; at most 8 are possible", name, rank)
	}
	if len(b) < 4*rank {
		return "", nil, nil, errShort
	}
	for i := range rank {
		d := binary.LittleEndian.Uint32(b[4*i:])
		if d == 0 || d > MaxPublic {
			return "", nil, nil, fmt.Errorf("axis %d of %q has length %d", i, name, d)
		}
		shape = append(shape, int(d))
	}
	return name, shape, b[4*rank:], nil
}
