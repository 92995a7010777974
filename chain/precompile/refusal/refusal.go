// Package refusal holds the errors of the precompiles' interfaces: what a contract catches by its name and a client decodes.
package refusal

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/accounts/abi"
)

// refusal is an error that a Solidity interface declares.
type refusal struct {
	name string
	args []any
}

func (r *refusal) Error() string { return fmt.Sprint(r.name, r.args) }

// New is the error of an interface with this name and these arguments.
func New(name string, args ...any) error { return &refusal{name, args} }

// Data encodes err as the data of a revert; nil if it was not made by New. It panics if the interface has no such error.
func Data(of abi.ABI, err error) []byte {
	var r *refusal
	if !errors.As(err, &r) {
		return nil
	}
	kind, found := of.Errors[r.name]
	if !found {
		panic("refusal: the interface has no error " + r.name)
	}
	args, err := kind.Inputs.Pack(r.args...)
	if err != nil {
		panic(fmt.Sprintf("refusal: error %s: %v", r.name, err))
	}
	return append(kind.ID.Bytes()[:4:4], args...)
}
