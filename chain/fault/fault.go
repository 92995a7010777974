// Package fault carries the errors of the rules through ABCI and back: each sentinel of package protocol has one code on
// the wire, and a client gets the same sentinel, so that errors.Is works on both ends.
package fault

import (
	"errors"
	"fmt"

	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mutirao/mutirao/protocol"
)

// Codespace marks the codes of the rules among those of the SDK's modules.
const Codespace = "mutirao"

// offset keeps the codes of the rules apart from 1, which ABCI uses for internal errors.
const offset = 100

// rule is an error of a rule on its way to ABCI.
type rule struct {
	error
	code uint32
}

func (r rule) Unwrap() error     { return r.error }
func (r rule) ABCICode() uint32  { return r.code }
func (r rule) Codespace() string { return Codespace }

// ABCI prepares err for the SDK. An error that is no sentinel of the rules stays as it is: an internal error.
func ABCI(err error) error {
	code := protocol.Code(err)
	if code == 0 || code == protocol.CodeUnknown {
		return err
	}
	return rule{err, offset + code}
}

// FromABCI returns the error of a transaction or query that answered with this code, or nil for success. It wraps the
// sentinel of the rules where there is one.
func FromABCI(codespace string, code uint32, log string) error {
	if code == 0 {
		return nil
	}
	if codespace == Codespace && code > offset {
		if sentinel := protocol.FromCode(code - offset); sentinel != nil {
			return fmt.Errorf("%w (ledger: %s)", sentinel, log)
		}
	}
	return fmt.Errorf("ledger refused with %s code %d: %s", codespace, code, log)
}

// Query prepares err for an answer to a query, whose codes pass through gRPC: not found and invalid keep their meaning,
// anything else is internal.
func Query(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, protocol.ErrNotFound):
		return status.Error(codes.NotFound, err.Error())
	case errors.Is(err, protocol.ErrInvalid):
		return status.Error(codes.InvalidArgument, err.Error())
	}
	return status.Error(codes.Internal, err.Error())
}

// FromQuery is FromABCI for queries.
func FromQuery(codespace string, code uint32, log string) error {
	if codespace == sdkerrors.RootCodespace {
		switch code {
		case sdkerrors.ErrKeyNotFound.ABCICode():
			return fmt.Errorf("%w (ledger: %s)", protocol.ErrNotFound, log)
		case sdkerrors.ErrInvalidRequest.ABCICode():
			return fmt.Errorf("%w (ledger: %s)", protocol.ErrInvalid, log)
		}
	}
	return FromABCI(codespace, code, log)
}
