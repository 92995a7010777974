//go:build unix

package dev

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// lock keeps a second process from writing the same file. It ends with the process, however that ends.
func lock(file *os.File) error {
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("another process uses it: %w", err)
	}
	return nil
}
