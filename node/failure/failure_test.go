package failure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
)

func TestReport(t *testing.T) {
	cause := errors.New("port 1 is taken\x1b[2J\nby another")
	for _, c := range []struct {
		err  error
		code int
		want string
	}{
		{nil, OK, ""},
		{fmt.Errorf("wrapped: %w", New(Network, "no ledger", cause, "free the port")), Network,
			"error: no ledger\n  why:  port 1 is taken·[2J by another\n  next: free the port\n"},
		{fmt.Errorf("stop: %w", context.Canceled), Interrupted, "interrupted\n"},
		{context.DeadlineExceeded, Timeout, "error: the command ran out of time\n  why:  context deadline exceeded\n  next: try again\n"},
		{errors.New("odd"), General, "error: the command failed\n  why:  odd\n  next: mutirao help\n"},
	} {
		var out bytes.Buffer
		if code := Report(&out, c.err); code != c.code || out.String() != c.want {
			t.Errorf("%v: code %d, %q", c.err, code, out.String())
		}
	}
}
