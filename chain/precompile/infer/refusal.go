package infer

import (
	"errors"
	"fmt"
)

// refusal is an error of the interface: what a contract catches by its name and a client decodes.
type refusal struct {
	name string
	args []any
}

func refuse(name string, args ...any) error { return &refusal{name, args} }

func (r *refusal) Error() string { return fmt.Sprint(r.name, r.args) }

// reason encodes err as the data of a revert; nil if it is none of the interface's.
func (p *Precompile) reason(err error) []byte {
	var r *refusal
	if !errors.As(err, &r) {
		return nil
	}
	kind, found := p.abi.Errors[r.name]
	if !found {
		panic("infer: the interface has no error " + r.name)
	}
	args, err := kind.Inputs.Pack(r.args...)
	if err != nil {
		panic(fmt.Sprintf("infer: error %s: %v", r.name, err))
	}
	return append(kind.ID.Bytes()[:4:4], args...)
}
