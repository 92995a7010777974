package app_test

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// busy is how long f keeps its core: without the time that other programs have it, and without what f does on other cores.
func busy(f func()) time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	now := func() time.Duration {
		var t unix.Timespec
		if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) != nil {
			return 0
		}
		return time.Duration(t.Nano())
	}
	start := now()
	f()
	return now() - start
}
