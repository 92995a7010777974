//go:build !linux

package app_test

import "time"

// busy is how long f takes.
func busy(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}
