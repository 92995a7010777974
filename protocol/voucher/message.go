package voucher

import (
	"encoding/binary"
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// Open makes a channel of the sender to a model. Rule: spec/voucher.md §2.
type Open struct {
	Model   protocol.Hash `json:"model"`
	Deposit money.Amount  `json:"deposit"`
	Blocks  uint32        `json:"blocks"` // that it lives, unless the payer gives notice
	Nonce   uint64        `json:"nonce"`  // the payer's choice; another channel to the same model needs another
}

// Fund adds the sender's money to a channel. Rule: spec/voucher.md §2.
type Fund struct {
	Channel protocol.Hash `json:"channel"`
	Amount  money.Amount  `json:"amount"`
}

// Close gives notice of the end of the sender's channel. Rule: spec/voucher.md §4.
type Close struct {
	Channel protocol.Hash `json:"channel"`
}

// Redeem redeems vouchers. Anybody may send it. Rule: spec/voucher.md §3.
type Redeem struct {
	Vouchers []byte `json:"vouchers"` // Pack
}

// Kinds on the wire.
func (Open) Kind() string   { return "voucher/open" }
func (Fund) Kind() string   { return "voucher/fund" }
func (Close) Kind() string  { return "voucher/close" }
func (Redeem) Kind() string { return "voucher/redeem" }

// Check validates the amount and the time.
func (m Open) Check() error {
	if m.Model.IsZero() || m.Blocks == 0 || m.Blocks > MaxBlocks {
		return fmt.Errorf("%w: a channel of %d blocks, allowed are 1 to %d, to model %s", protocol.ErrInvalid, m.Blocks, MaxBlocks, m.Model)
	}
	return checkAmount(m.Deposit)
}

// Check validates the amount.
func (m Fund) Check() error { return checkAmount(m.Amount) }

// Check accepts every Close: the channel is looked up.
func (Close) Check() error { return nil }

// Check validates the length; each voucher is judged by itself.
func (m Redeem) Check() error {
	if len(m.Vouchers) == 0 || len(m.Vouchers)%PackedBytes != 0 || len(m.Vouchers) > MaxVouchers*PackedBytes {
		return fmt.Errorf("%w: %d bytes of vouchers, allowed are 1 to %d times %d", protocol.ErrInvalid, len(m.Vouchers), MaxVouchers, PackedBytes)
	}
	return nil
}

func checkAmount(a money.Amount) error {
	if a.IsZero() || a.BitLen() > amountBits {
		return fmt.Errorf("%w: amount is %s, allowed are 1 to 2^%d-1", protocol.ErrInvalid, a, amountBits)
	}
	return nil
}

// DecodeMsg reads a message of a kind from its JSON form, which has at most MaxMessage bytes and no unknown fields, and checks it. The
// error wraps protocol.ErrInvalid or ErrTooLarge.
func DecodeMsg(kind string, data []byte) (protocol.Msg, error) {
	switch kind {
	case Open{}.Kind():
		return protocol.DecodeMsg[Open](data, MaxMessage)
	case Fund{}.Kind():
		return protocol.DecodeMsg[Fund](data, MaxMessage)
	case Close{}.Kind():
		return protocol.DecodeMsg[Close](data, MaxMessage)
	case Redeem{}.Kind():
		return protocol.DecodeMsg[Redeem](data, MaxMessage)
	}
	return nil, protocol.UnknownKind(kind)
}

// SignatureBytes is the length of a signature: r, s, and which of the keys, 0 or 1, or 27 or 28 as wallets write it.
const SignatureBytes = 65

// Voucher says what a channel has cost in all after so many uses, signed by its payer.
type Voucher struct {
	Channel   protocol.Hash
	Uses      uint64
	Amount    money.Amount
	Signature [SignatureBytes]byte
}

// PackedBytes is the length of a voucher in a message: channel, uses (8 bytes), amount (16), signature. Numbers are big endian.
const PackedBytes = 32 + 8 + 16 + SignatureBytes

// Append writes v after b. It panics for an amount above 2^128-1, which Check refuses.
func (v Voucher) Append(b []byte) []byte {
	if v.Amount.BitLen() > amountBits {
		panic("voucher: amount of " + v.Amount.String())
	}
	amount := v.Amount.Bytes()
	b = append(b, v.Channel[:]...)
	b = binary.BigEndian.AppendUint64(b, v.Uses)
	b = append(b, amount[16:]...)
	return append(b, v.Signature[:]...)
}

// Pack writes vouchers one after the other.
func Pack(list []Voucher) []byte {
	b := make([]byte, 0, len(list)*PackedBytes)
	for _, v := range list {
		b = v.Append(b)
	}
	return b
}

// Unpack reads what Pack wrote. The error is ErrInvalid for a length that is no number of vouchers.
func Unpack(b []byte) ([]Voucher, error) {
	if err := (Redeem{Vouchers: b}).Check(); err != nil {
		return nil, err
	}
	list := make([]Voucher, 0, len(b)/PackedBytes)
	for ; len(b) > 0; b = b[PackedBytes:] {
		var v Voucher
		copy(v.Channel[:], b)
		v.Uses = binary.BigEndian.Uint64(b[32:])
		v.Amount = money.New(binary.BigEndian.Uint64(b[40:])).Times(1 << 32).Times(1 << 32).Plus(money.New(binary.BigEndian.Uint64(b[48:])))
		copy(v.Signature[:], b[56:])
		list = append(list, v)
	}
	return list, nil
}

// Check validates the numbers.
func (v Voucher) Check() error {
	if v.Uses == 0 || v.Uses > MaxUses {
		return fmt.Errorf("%w: a voucher over %d uses", protocol.ErrInvalid, v.Uses)
	}
	return checkAmount(v.Amount)
}
