package market

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
)

// MaxMessage bounds the JSON form of a message, in bytes; MaxProposal that of Propose. The largest of the others is an OpenBid with eight
// alternatives.
const MaxMessage = 16 << 10

// DecodeMsg reads a message of a kind from its JSON form, which has at most MaxMessage bytes, or MaxProposal, and no unknown fields, and
// checks it. The error wraps protocol.ErrInvalid or ErrTooLarge.
func DecodeMsg(kind string, data []byte) (protocol.Msg, error) {
	switch kind {
	case Propose{}.Kind():
		return decodeUpTo[Propose](data, MaxProposal)
	case PlaceAsk{}.Kind():
		return decode[PlaceAsk](data)
	case WithdrawAsk{}.Kind():
		return decode[WithdrawAsk](data)
	case RenewAsk{}.Kind():
		return decode[RenewAsk](data)
	case SealBid{}.Kind():
		return decode[SealBid](data)
	case OpenBid{}.Kind():
		return decode[OpenBid](data)
	case TakeNow{}.Kind():
		return decode[TakeNow](data)
	case AcceptLease{}.Kind():
		return decode[AcceptLease](data)
	case SettleLease{}.Kind():
		return decode[SettleLease](data)
	case EndLease{}.Kind():
		return decode[EndLease](data)
	}
	return nil, fmt.Errorf("%w: unknown kind of message %.40q", protocol.ErrInvalid, kind)
}

func decode[M protocol.Msg](data []byte) (protocol.Msg, error) {
	return decodeUpTo[M](data, MaxMessage)
}

func decodeUpTo[M protocol.Msg](data []byte, most int) (protocol.Msg, error) {
	var m M
	if err := protocol.DecodeJSON(data, most, &m); err != nil {
		return nil, err
	}
	if err := m.Check(); err != nil {
		return nil, err
	}
	return m, nil
}
