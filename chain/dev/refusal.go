package dev

import (
	"errors"
	"strings"

	"github.com/ethereum/go-ethereum/core/vm"
	ethrpc "github.com/ethereum/go-ethereum/rpc"
	"google.golang.org/grpc/status"
)

// Codes of errors in JSON-RPC, of EIP-1474 but for the first.
const (
	codeReverted = 3
	codeRejected = -32003 // a transaction that was not taken
	codeParams   = -32602
	codeUnmined  = 4 // of EIP-7966
)

// refusal is an error with the code and the data by which clients know what it is.
type refusal struct {
	error
	code int
	data any
}

func (r refusal) ErrorCode() int { return r.code }
func (r refusal) ErrorData() any { return r.data }
func (r refusal) Unwrap() error  { return r.error }

// rejected says that a transaction was not taken; invalid that the parameters make no sense.
func rejected(err error) error { return coded(err, codeRejected) }
func invalid(err error) error  { return coded(err, codeParams) }

func coded(err error, code int) error {
	if err == nil {
		return nil
	}
	return refusal{error: err, code: code}
}

// told is an error of the EVM's queries in the words and with the code that clients look for: without what gRPC puts before
// it, a revert without data as one with empty data, and a lack of money by Ethereum's name.
func told(err error) error {
	var known ethrpc.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	text := err.Error()
	if s, ok := status.FromError(err); ok {
		text = s.Message()
	}
	if text == vm.ErrExecutionReverted.Error() {
		return refusal{errors.New(text), codeReverted, "0x"}
	}
	if strings.Contains(text, "insufficient balance for transfer") {
		return rejected(errors.New("insufficient funds for gas * price + value: " + text))
	}
	return errors.New(text)
}
