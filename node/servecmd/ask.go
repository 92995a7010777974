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

	"github.com/mutirao/mutirao/agent/answerer"
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
	var price, input, callback, fee string
	var wait time.Duration
	var a request.Ask
	cmd := &cobra.Command{
		Use:   "ask <model>",
		Short: "Ask machines of the network for a model's answer",
		Long: `Ask machines of the network for a model's answer, and wait for it. The price is locked for each worker and paid for equal bits; what is not
earned comes back. The answer says what it is worth: whether so many machines agree, or every validator has computed it. What is asked can be
followed later: mutirao ask list, mutirao ask show ID.`,
		Example: `  mutirao ask 0xbf34…8b6e --dev-account 1 --workers 2 --input 24,2835,3,4,1,0,0,0,0,0,0,0,0,1,0,1
  mutirao ask 0xbf34…8b6e --window 20 --callback 0x5fbd… --input …     a contract is told, too
  mutirao ask list --mine
  mutirao ask show 1f0c9a52`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.Model.UnmarshalText([]byte(strings.TrimPrefix(args[0], "0x"))); err != nil {
				return failure.New(failure.Usage, fmt.Sprintf("%q names no model", args[0]), err, "an id has 64 hexadecimal digits")
			}
			var err error
			if a.Price, err = money.ParseMUT(price); err != nil {
				return failure.New(failure.Usage, fmt.Sprintf("%q is no amount", price), err, `write it like "0.01 MUT"`)
			}
			if err := told(&a, callback, fee); err != nil {
				return err
			}
			numbers, err := parseNumbers(input)
			if err != nil {
				return err
			}
			return o.ask(cmd.Context(), a, numbers, wait, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	o.flags(cmd, dir)
	cmd.AddCommand(newList(&o), newShow(&o), newDeliver(&o))
	f := cmd.Flags()
	f.StringVar(&price, "price", "0.001 MUT", "for each worker")
	f.StringVar(&input, "input", "", "numbers, separated by commas")
	f.Uint8Var(&a.Workers, "workers", 1, "machines whose bits must be equal, 1 to 7")
	f.Uint64Var(&a.Blocks, "blocks", 100, "blocks in which machines may take part")
	f.Uint64Var(&a.Window, "window", 0, "blocks in which the answer may still be replayed by every validator")
	f.StringVar(&callback, "callback", "", "contract whose answered(bytes32,uint32[],uint8) is called with the answer")
	f.Uint64Var(&a.CallbackGas, "callback-gas", 200_000, "gas that it may use")
	f.StringVar(&fee, "delivery-fee", "0.001 MUT", "for whoever calls it")
	f.DurationVar(&wait, "wait", 2*time.Minute, "how long to wait for the answer")
	return cmd
}

// told reads whom an answer is told to, and for how much.
func told(a *request.Ask, callback, fee string) error {
	if callback == "" {
		a.CallbackGas = 0
		return nil
	}
	if err := a.Callback.UnmarshalText([]byte(strings.ToLower(callback))); err != nil {
		return failure.New(failure.Usage, fmt.Sprintf("%.60q is no contract", callback), err, "write it as 0x and 40 hexadecimal digits")
	}
	var err error
	if a.DeliveryFee, err = money.ParseMUT(fee); err != nil {
		return failure.New(failure.Usage, fmt.Sprintf("%q is no amount", fee), err, `write it like "0.01 MUT"`)
	}
	return nil
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
	r, err := follow(ctx, c, id, wait, progress)
	if err != nil {
		return err
	}
	if r.Status == request.Refunded {
		return failure.New(failure.Capacity, "request "+id.String()[:8]+" was refunded", errors.New("too few machines took part, or they disagreed and nobody had it replayed"), "raise --price, or ask again")
	}
	s, err := show(ctx, c, id)
	if err != nil {
		return err
	}
	if o.json {
		return json.NewEncoder(out).Encode(answer{"mutirao.answer/v1", id, s.Status, s.Finality, s.Bits, s.Output, s.Callback})
	}
	fmt.Fprintf(out, "%s\nfinality  %s\n", strings.Join(s.Output, " "), s.Finality)
	if s.Callback != nil {
		fmt.Fprintf(out, "callback  %s\n", s.Callback)
	}
	return nil
}

// answer is what the command prints.
type answer struct {
	Schema   string        `json:"schema"` // "mutirao.answer/v1"
	Request  protocol.Hash `json:"request"`
	Status   string        `json:"status"`
	Finality string        `json:"finality"`
	Bits     []string      `json:"bits"`
	Output   []string      `json:"output"` // decimal
	Callback *callback     `json:"callback,omitempty"`
}

// follow waits until the request is final and its contract, if there is one, was called: by a machine, or at last by this command.
func follow(ctx context.Context, c *asks.Client, id protocol.Hash, wait time.Duration, progress io.Writer) (*request.Request, error) {
	clock, said := clock{ledger: c}, ""
	var final time.Time
	for deadline := time.Now().Add(wait); ; {
		r, err := c.Request(ctx, id)
		if err != nil {
			return nil, err
		}
		if now := stage(r); now != said {
			said = now
			fmt.Fprintln(progress, now)
		}
		waiting := r.Status == request.Answered && !r.Ask.Callback.IsZero() && r.Attempts == 0
		if r.Status.Final() && !waiting {
			return r, nil
		}
		if waiting && final.IsZero() {
			final = time.Now()
		}
		switch {
		case waiting && time.Since(final) > time.Duration(len(r.Workers)+1)*answerer.Turn:
			if _, err := c.Deliver(ctx, id); err != nil && !errors.Is(err, protocol.ErrDuplicate) {
				return nil, err
			}
			continue
		case time.Now().After(deadline):
			return nil, failure.New(failure.Timeout, "request "+id.String()[:8]+" is "+r.Status.String(), errTimeout,
				"is `mutirao serve` running? The price comes back after --blocks; mutirao ask show "+id.String()[:8]+" tells what has become of it")
		case r.Status == request.Window:
			if err := clock.pass(ctx); err != nil {
				return nil, err
			}
		}
		select {
		case <-ctx.Done():
			fmt.Fprintf(progress, "the request goes on: mutirao ask show %s\n", id.String()[:8])
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// stage says in a line where a request stands that is waited for.
func stage(r *request.Request) string {
	switch r.Status {
	case request.Wanted:
		return fmt.Sprintf("sealed by %d of %d machines", len(r.Workers), r.Ask.Workers)
	case request.Sealed:
		return fmt.Sprintf("opened by %d of %d machines", opened(r), r.Ask.Workers)
	case request.Contested:
		return fmt.Sprintf("the machines disagree; anybody may have it replayed until block %d", r.Due)
	case request.Window:
		return fmt.Sprintf("the machines agree; the window closes after block %d", r.Due)
	case request.Answered:
		return "answered: " + r.Finality.String()
	}
	return r.Status.String()
}

func opened(r *request.Request) (n int) {
	for _, w := range r.Workers {
		if !w.Answer.IsZero() {
			n++
		}
	}
	return n
}
