package infer

import (
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/registry"
)

// maxPrograms bounds the compiled models that one node keeps. The largest takes registry.MaxElements*4 = 16 MiB.
const maxPrograms = 8

// programs keeps compiled models. What it holds under an id is a function of the id alone, because the id of a model
// fixes its bytes: whether it was there already changes the time of a call and nothing else. It is safe for concurrent
// use, since eth_call runs beside the execution of blocks.
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

// run computes the output bits from the input bits of a callable model. A panic of the engine becomes an error: it is a
// fault of ours, but must not stop the chain.
func (p *program) run(c registry.Callable, input []uint32) (output []uint32, err error) {
	defer func() {
		if v := recover(); v != nil {
			output, err = nil, fmt.Errorf("engine: %v", v)
		}
	}()
	values := make([]float32, len(input))
	for i, bits := range input {
		values[i] = math.Float32frombits(bits)
	}
	kernel.Canonicalize(values)
	p.mu.Lock()
	defer p.mu.Unlock()
	out, err := p.exec.Run(map[string]*tensor.Tensor{c.Input: tensor.FromFloat32(values, 1, len(values))})
	if err != nil {
		return nil, err
	}
	result := out[c.Output].Float32()
	output = make([]uint32, len(result))
	for i, v := range result {
		output[i] = math.Float32bits(v)
	}
	return output, nil
}
