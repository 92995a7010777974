package params

import (
	"fmt"

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
		return decode[Set](data)
	case Cancel{}.Kind():
		return decode[Cancel](data)
	}
	return nil, fmt.Errorf("%w: unknown kind of message %.40q", protocol.ErrInvalid, kind)
}

func decode[M protocol.Msg](data []byte) (protocol.Msg, error) {
	var m M
	if err := protocol.DecodeJSON(data, MaxMessage, &m); err != nil {
		return nil, err
	}
	if err := m.Check(); err != nil {
		return nil, err
	}
	return m, nil
}
