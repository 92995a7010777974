package commons

import (
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
		return protocol.DecodeMsg[Propose](data, MaxMessage)
	case Vote{}.Kind():
		return protocol.DecodeMsg[Vote](data, MaxMessage)
	}
	return nil, protocol.UnknownKind(kind)
}
