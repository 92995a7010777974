package validator

import (
	"errors"
	"fmt"
	"net"
	"strconv"
)

var (
	// ErrAddressInUse reports that another program listens where the validator should.
	ErrAddressInUse = errors.New("address in use")
	// ErrAddress reports an address that is not host:port with a port from 1 to 65535.
	ErrAddress = errors.New("address must be host:port")
)

// FreeAddresses returns n distinct loopback addresses whose ports were free a moment ago.
func FreeAddresses(n int) ([]string, error) {
	out := make([]string, n)
	for i := range out {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close() // all stay open until the last is found, so that none is found twice
		out[i] = l.Addr().String()
	}
	return out, nil
}

// checkFree returns ErrAddressInUse, with the address, when nothing can listen there.
func checkFree(purpose, address string) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%s %q: %w", purpose, address, ErrAddress)
	}
	if p, err := strconv.ParseUint(port, 10, 16); err != nil || p == 0 {
		return fmt.Errorf("%s %q: %w", purpose, address, ErrAddress)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("%s %s: %w: %w", purpose, address, ErrAddressInUse, err)
	}
	return l.Close()
}
