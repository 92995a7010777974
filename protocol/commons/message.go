package commons

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/work"
)

// MaxMessage bounds the JSON form of a message, in bytes: a proposal holds a run.
const MaxMessage = work.MaxMessage

// DecodeMsg reads a message of a kind from its JSON form, which has at most MaxMessage bytes and no unknown fields, and checks it.
// The error wraps protocol.ErrInvalid or ErrTooLarge.
func DecodeMsg(kind string, data []byte) (protocol.Msg, error) {
	switch kind {
	case Propose{}.Kind():
		return decode[Propose](data)
	case Vote{}.Kind():
		return decode[Vote](data)
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
