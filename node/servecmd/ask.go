package servecmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mutirao/mutirao/chain/asks"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/request"
)

var errTimeout = errors.New("no answer in time")

// NewAsk is `mutirao ask`.
func NewAsk(dir string) *cobra.Command {
	var o options
	var price, input string
	var wait time.Duration
	var a request.Ask
	cmd := &cobra.Command{
		Use:   "ask <model>",
		Short: "Ask machines of the network for a model's answer",
		Long: `Ask machines of the network for a model's answer, and wait for it. The price is locked for each worker and paid for equal bits; what is not
earned comes back. The answer says what it is worth: whether so many machines agree, or every validator has computed it.`,
		Example: `  mutirao ask 0xbf34…8b6e --dev-account 1 --workers 2 --input 24,2835,3,4,1,0,0,0,0,0,0,0,0,1,0,1`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.Model.UnmarshalText([]byte(strings.TrimPrefix(args[0], "0x"))); err != nil {
				return failure.New(failure.Usage, fmt.Sprintf("%q names no model", args[0]), err, "an id has 64 hexadecimal digits")
			}
			var err error
			if a.Price, err = money.ParseMUT(price); err != nil {
				return failure.New(failure.Usage, fmt.Sprintf("%q is no amount", price), err, `write it like "0.01 MUT"`)
			}
			numbers, err := parseNumbers(input)
			if err != nil {
				return err
			}
			return o.ask(cmd.Context(), a, numbers, wait, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	o.flags(cmd, dir)
	f := cmd.Flags()
	f.StringVar(&price, "price", "0.001 MUT", "for each worker")
	f.StringVar(&input, "input", "", "numbers, separated by commas")
	f.Uint8Var(&a.Workers, "workers", 1, "machines whose bits must be equal, 1 to 7")
	f.Uint64Var(&a.Blocks, "blocks", 100, "blocks in which machines may take part")
	f.Uint64Var(&a.Window, "window", 0, "blocks in which the answer may still be replayed by every validator")
	f.DurationVar(&wait, "wait", 2*time.Minute, "how long to wait for the answer")
	return cmd
}

func parseNumbers(s string) ([]uint32, error) {
	var out []uint32
	for _, word := range strings.Split(s, ",") {
		v, err := strconv.ParseFloat(strings.TrimSpace(word), 32)
		if err != nil {
			return nil, failure.New(failure.Usage, fmt.Sprintf("%q is no number", word), err, "--input 1.5,-0.25")
		}
		out = append(out, math.Float32bits(float32(v)))
	}
	return out, nil
}

// answer is what the command prints.
type answer struct {
	Schema   string        `json:"schema"` // "mutirao.answer/v1"
	Request  protocol.Hash `json:"request"`
	Status   string        `json:"status"`
	Finality string        `json:"finality"`
	Bits     []string      `json:"bits"`
	Output   []string      `json:"output"` // decimal
}

func (o *options) ask(ctx context.Context, a request.Ask, input []uint32, wait time.Duration, out, progress io.Writer) error {
	c, _, err := o.connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	id, err := c.Ask(ctx, a, input)
	switch {
	case errors.Is(err, protocol.ErrNotFound):
		return failure.New(failure.NotFound, "nothing was asked", err, "check the model's id")
	case errors.Is(err, protocol.ErrInsufficient):
		return failure.New(failure.Credit, "nothing was asked", err, "send coins to "+c.Account().String())
	case errors.Is(err, protocol.ErrInvalid), errors.Is(err, protocol.ErrShape):
		return failure.New(failure.Usage, "nothing was asked", err, "mutirao ask --help")
	case err != nil:
		return err
	}
	fmt.Fprintf(progress, "asked: request %s\n", id)
	r, output, finality, err := awaitAnswer(ctx, c, id, wait)
	if err != nil {
		return err
	}
	w := answer{Schema: "mutirao.answer/v1", Request: id, Status: r.Status.String(), Finality: finality.String(), Bits: []string{}, Output: []string{}}
	for _, bits := range output {
		w.Bits = append(w.Bits, fmt.Sprintf("0x%08x", bits))
		w.Output = append(w.Output, strconv.FormatFloat(float64(math.Float32frombits(bits)), 'g', -1, 32))
	}
	if r.Status == request.Refunded {
		return failure.New(failure.Capacity, "request "+id.String()[:8]+" was refunded", errors.New("too few machines took part, or they disagreed and nobody had it replayed"), "raise --price, or ask again")
	}
	if o.json {
		return json.NewEncoder(out).Encode(w)
	}
	_, err = fmt.Fprintf(out, "%s\nfinality  %s\n", strings.Join(w.Output, " "), w.Finality)
	return err
}

// awaitAnswer waits until the request is final.
func awaitAnswer(ctx context.Context, c *asks.Client, id protocol.Hash, wait time.Duration) (*request.Request, []uint32, request.Finality, error) {
	for deadline := time.Now().Add(wait); ; {
		r, err := c.Request(ctx, id)
		if err != nil {
			return nil, nil, 0, err
		}
		if r.Status.Final() {
			finality, output, err := c.Answer(ctx, id)
			return r, output, finality, err
		}
		if time.Now().After(deadline) {
			return nil, nil, 0, failure.New(failure.Timeout, "request "+id.String()[:8]+" is "+r.Status.String(), errTimeout, "is `mutirao serve` running? The price comes back after --blocks")
		}
		select {
		case <-ctx.Done():
			return nil, nil, 0, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}
