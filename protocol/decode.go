package protocol

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// DecodeJSON reads exactly one JSON value of at most max bytes into v and refuses fields that v does not have, so that a
// message means the same to every version that accepts it. The error wraps ErrTooLarge or ErrInvalid.
func DecodeJSON(data []byte, max int, v any) error {
	if len(data) > max {
		return fmt.Errorf("%w: %d bytes, allowed are %d", ErrTooLarge, len(data), max)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("%w: more than one JSON value", ErrInvalid)
	}
	return nil
}

// DecodeMsg reads a message from its JSON form of at most max bytes and checks it. The error wraps ErrTooLarge or ErrInvalid.
func DecodeMsg[M Msg](data []byte, max int) (M, error) {
	var m, none M
	if err := DecodeJSON(data, max, &m); err != nil {
		return none, err
	}
	if err := m.Check(); err != nil {
		return none, err
	}
	return m, nil
}

// UnknownKind is the error for a message whose kind a package does not know.
func UnknownKind(kind string) error {
	return fmt.Errorf("%w: unknown kind of message %.40q", ErrInvalid, kind)
}
