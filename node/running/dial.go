package running

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/protocol"
)

// AnswerTimeout is how long a ledger has to answer before a command fails with a reason.
const AnswerTimeout = 20 * time.Second

// Dial connects to a network that a person names, in the name of a key, and waits for an answer. The zero key only reads.
func Dial(ctx context.Context, name string, key client.Key) (*client.Client, error) {
	urls, err := Endpoints(name)
	if err != nil {
		return nil, err
	}
	c, err := client.Dial(urls, key)
	if err != nil {
		return nil, failure.New(failure.Usage, "the network's address cannot be used", err, "write it like http://127.0.0.1:26657")
	}
	return c, Answers(ctx, c, urls)
}

// Answers waits until the ledger behind urls answers.
func Answers(ctx context.Context, c *client.Client, urls []string) error {
	ctx, cancel := context.WithTimeout(ctx, AnswerTimeout)
	defer cancel()
	if _, err := c.Next(ctx, 0); err != nil {
		return failure.New(failure.Network, "the ledger does not answer", fmt.Errorf("%s: %w", strings.Join(urls, ", "), err), "check that the network runs")
	}
	return nil
}

// Refused gives an error of the ledger an exit code and a next step. nil, and errors that have them already, stay as they are.
func Refused(what string, err error, next string) error {
	var explained *failure.Error
	if err == nil || errors.As(err, &explained) || errors.Is(err, context.Canceled) {
		return err
	}
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return failure.New(c.code, what, err, next)
		}
	}
	return failure.New(failure.General, what, err, next)
}

var codes = []struct {
	err  error
	code int
}{
	{protocol.ErrInsufficient, failure.Credit},
	{protocol.ErrFull, failure.Capacity},
	{protocol.ErrNotFound, failure.NotFound},
	{protocol.ErrNotAssigned, failure.Denied},
	{protocol.ErrInvalid, failure.Usage},
	{protocol.ErrPhase, failure.Usage},
	{protocol.ErrExists, failure.Usage},
	{client.ErrUnreachable, failure.Network},
}
