package infer

import (
	"encoding/binary"
	"errors"
	"slices"
	"sync"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/registry"
)

// maxPrograms bounds the compiled models of one cache. The largest takes registry.MaxElements*4 = 16 MiB.
const maxPrograms = 8

// programs keeps compiled models. What it holds under an id is a function of the id alone, because the id of a model
// fixes its bytes: whether it was there already changes the time of a call and nothing else. It is safe for concurrent
// use: queries run beside each other, and blocks may be executed ahead.
type programs struct {
	mu     sync.Mutex
	byID   map[protocol.Hash]*program
	recent []protocol.Hash // least recently used first
}

// program is a compiled model; its memory serves one run at a time.
type program struct {
	mu   sync.Mutex
	exec *exec.Program
}

func newPrograms() *programs { return &programs{byID: map[protocol.Hash]*program{}} }

// get returns the compiled model with this id, from load's bytes if it is not kept.
func (p *programs) get(id protocol.Hash, load func() ([]byte, error)) (*program, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if found := p.byID[id]; found != nil {
		at := slices.Index(p.recent, id)
		p.recent = append(slices.Delete(p.recent, at, at+1), id)
		return found, nil
	}
	raw, err := load()
	if err != nil {
		return nil, err
	}
	g, err := graph.Decode(raw)
	if err != nil {
		return nil, err
	}
	compiled, err := exec.Compile(g)
	if err != nil {
		return nil, err
	}
	if len(p.recent) == maxPrograms {
		delete(p.byID, p.recent[0])
		p.recent = slices.Delete(p.recent, 0, 1)
	}
	made := &program{exec: compiled}
	p.byID[id] = made
	p.recent = append(p.recent, id)
	return made, nil
}

// numberBytes is the size of a float32.
const numberBytes = 4

// errEngine stands for any panic of the engine. Its text reverts a call and so is part of what validators agree on; that
// of a panic may differ between their machines.
var errEngine = errors.New("the engine failed")

// run computes the output bits from the input bits of a callable model; bits are all that the ledger sees of them. A panic
// of the engine becomes errEngine: it is a fault of ours, but must not stop the chain. log learns what it was.
func (p *program) run(c registry.Callable, input []uint32, log func(panicked any)) (output []uint32, err error) {
	defer func() {
		if v := recover(); v != nil {
			log(v)
			output, err = nil, errEngine
		}
	}()
	raw := make([]byte, 0, numberBytes*len(input))
	for _, bits := range input {
		if bits&0x7FFF_FFFF > 0x7F80_0000 { // a NaN; the engine knows only one
			bits = 0x7FC0_0000
		}
		raw = binary.LittleEndian.AppendUint32(raw, bits)
	}
	in, err := tensor.Decode(tensor.Float32, []int{1, len(input)}, raw)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	out, err := p.exec.Run(map[string]*tensor.Tensor{c.Input: in})
	if err != nil {
		return nil, err
	}
	for b := out[c.Output].Bytes(); len(b) >= numberBytes; b = b[numberBytes:] {
		output = append(output, binary.LittleEndian.Uint32(b))
	}
	return output, nil
}
