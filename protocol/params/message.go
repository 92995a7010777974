package params

import (
	"github.com/mutirao/mutirao/protocol"
)

// Set decides that a number gets a value. Only governance may send it.
type Set struct {
	Name  string `json:"name"`
	Value uint64 `json:"value"`
}

// Cancel takes back a change that waits. Only governance may send it.
type Cancel struct {
	Name string `json:"name"`
}

// Kind is "params/set".
func (Set) Kind() string { return "params/set" }

// Kind is "params/cancel".
func (Cancel) Kind() string { return "params/cancel" }

// Check validates the form.
func (m Set) Check() error { _, err := BoundOf(m.Name); return err }

// Check validates the form.
func (m Cancel) Check() error { _, err := BoundOf(m.Name); return err }

// DecodeMsg reads a message of a kind from its JSON form, which has at most MaxMessage bytes and no unknown fields, and checks it.
func DecodeMsg(kind string, data []byte) (protocol.Msg, error) {
	switch kind {
	case Set{}.Kind():
		return protocol.DecodeMsg[Set](data, MaxMessage)
	case Cancel{}.Kind():
		return protocol.DecodeMsg[Cancel](data, MaxMessage)
	}
	return nil, protocol.UnknownKind(kind)
}
