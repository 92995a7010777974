package servecmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/spf13/cobra"

	"github.com/mutirao/mutirao/chain/asks"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/request"
)

// shown is a request as people and machines see it.
type shown struct {
	Schema    string           `json:"schema"` // "mutirao.request/v1"
	Request   protocol.Hash    `json:"request"`
	Model     protocol.Hash    `json:"model"`
	Requester protocol.Account `json:"requester"`
	Status    string           `json:"status"`
	Finality  string           `json:"finality"`
	Worth     uint8            `json:"finality_number"` // as contracts see it
	Workers   uint8            `json:"workers"`
	Price     money.Amount     `json:"price"` // of each
	Window    uint64           `json:"window_blocks"`
	Seats     []seat           `json:"seats"`
	Height    uint64           `json:"height"`
	Due       uint64           `json:"due"`                   // the block at whose end it changes by itself
	Seconds   *float64         `json:"due_seconds,omitempty"` // until then, about; absent where blocks do not come by themselves
	Next      string           `json:"next"`                  // what happens then
	Bits      []string         `json:"bits"`
	Output    []string         `json:"output"` // decimal
	Callback  *callback        `json:"callback,omitempty"`
}

// seat is a worker of a request.
type seat struct {
	Account protocol.Account `json:"account"`
	Opened  bool             `json:"opened"`
	Bond    money.Amount     `json:"bond"` // locked; 0 when the request has ended
}

// callback is the contract that is told, and what has become of that.
type callback struct {
	Contract protocol.Account `json:"contract"`
	Gas      uint64           `json:"gas"`
	Fee      money.Amount     `json:"delivery_fee"`
	State    string           `json:"state"` // "waits" for the answer, "due", "delivered", "failed", "none" if there is no answer
	Attempts []asks.Attempt   `json:"attempts"`
	Now      string           `json:"now,omitempty"` // why it would fail if it were called again now; of one that has failed
}

// String says it in a line.
func (c *callback) String() string {
	line := fmt.Sprintf("%s to %s", c.State, c.Contract)
	if n := len(c.Attempts); n > 0 {
		last := c.Attempts[n-1]
		line += fmt.Sprintf(", block %d, by %s", last.Block, last.By)
		if !last.Delivered {
			line += ": " + last.Failure
		}
	}
	return line
}

// show reads all about a request. more are ABIs for the reasons of failed callbacks.
func show(ctx context.Context, c *asks.Client, id protocol.Hash, more ...abi.ABI) (shown, error) {
	r, err := c.Request(ctx, id)
	if err != nil {
		return shown{}, err
	}
	pace, err := measure(ctx, c)
	if err != nil {
		return shown{}, err
	}
	s := describe(r, pace)
	_, output, err := c.Answer(ctx, id)
	if err != nil {
		return s, err
	}
	s.Bits, s.Output = numbers(output)
	if r.Attempts > 0 {
		err = s.Callback.recall(ctx, c, r, output, more)
	}
	return s, err
}

// describe is what a request alone tells.
func describe(r *request.Request, p pace) shown {
	s := shown{
		Schema: "mutirao.request/v1", Request: r.ID, Model: r.Ask.Model, Requester: r.From, Status: r.Status.String(), Finality: r.Finality.String(), Worth: uint8(r.Finality),
		Workers: r.Ask.Workers, Price: r.Ask.Price, Window: r.Ask.Window, Seats: []seat{}, Height: p.height, Due: uint64(r.Due), Next: next(r), Bits: []string{}, Output: []string{},
	}
	for _, w := range r.Workers {
		bond := r.Bond()
		if r.Status.Final() {
			bond = money.Amount{}
		}
		s.Seats = append(s.Seats, seat{w.Account, !w.Answer.IsZero(), bond})
	}
	if !r.Ask.Callback.IsZero() {
		s.Callback = &callback{r.Ask.Callback, r.Ask.CallbackGas, r.Ask.DeliveryFee, callbackState(r), []asks.Attempt{}, ""}
	}
	if p.each > 0 && s.Due >= s.Height {
		seconds := (float64(s.Due-s.Height) * p.each.Seconds())
		s.Seconds = &seconds
	}
	return s
}

// next says what a request does by itself at its due block.
func next(r *request.Request) string {
	switch r.Status {
	case request.Wanted:
		return fmt.Sprintf("%d more seals are taken; without them all is given back", int(r.Ask.Workers)-len(r.Workers))
	case request.Sealed:
		return fmt.Sprintf("%d more seals are opened; who does not loses the bond", len(r.Workers)-opened(r))
	case request.Contested:
		return "anybody may have it replayed; otherwise all is given back"
	case request.Window:
		return "anybody may have it replayed; otherwise the answer is final, and the workers are paid"
	}
	return "it is forgotten"
}

// callbackState is where a callback stands.
func callbackState(r *request.Request) string {
	switch {
	case r.Status == request.Refunded:
		return "none"
	case r.Status != request.Answered:
		return "waits"
	case r.Delivered:
		return "delivered"
	case r.Attempts > 0:
		return "failed"
	}
	return "due"
}

// recall finds the calls back that there were, and whether one would fail again.
func (t *callback) recall(ctx context.Context, c *asks.Client, r *request.Request, output []uint32, more []abi.ABI) error {
	answered := uint64(1)
	if r.Due > request.KeepBlocks {
		answered = uint64(r.Due) - request.KeepBlocks
	}
	attempts, err := c.Attempts(ctx, r.ID, answered, more...)
	if err != nil {
		return err
	}
	t.Attempts = append(t.Attempts, attempts...)
	if t.State == "failed" {
		t.Now, err = c.TryCallback(ctx, r, output, more...)
	}
	return err
}

// numbers are the bits of float32 in hexadecimal, and in decimal.
func numbers(output []uint32) (bits, decimal []string) {
	bits, decimal = []string{}, []string{}
	for _, v := range output {
		bits = append(bits, fmt.Sprintf("0x%08x", v))
		decimal = append(decimal, strconv.FormatFloat(float64(math.Float32frombits(v)), 'g', -1, 32))
	}
	return bits, decimal
}

// pace is how fast blocks come.
type pace struct {
	height uint64
	each   time.Duration // 0 if they do not come by themselves
}

// sample is over how many blocks the pace is measured; idle is how many times as long as usual no block may have come.
const (
	sample = 50
	idle   = 10
)

func measure(ctx context.Context, c *asks.Client) (pace, error) {
	head, err := c.Head(ctx)
	if err != nil {
		return pace{}, err
	}
	p := pace{height: head.Number.Uint64()}
	n := min(p.height, sample)
	if n == 0 {
		return p, nil
	}
	before, err := c.Header(ctx, p.height-n)
	if err != nil || before.Time >= head.Time {
		return p, nil // nothing is known of the pace
	}
	each := time.Duration(head.Time-before.Time) * time.Second / time.Duration(n)
	if time.Since(time.Unix(int64(head.Time), 0)) < max(5*time.Second, idle*each) {
		p.each = each
	}
	return p, nil
}

// when says in words when a block comes.
func (s shown) when() string {
	if s.Seconds == nil {
		return fmt.Sprintf("block %d, now %d", s.Due, s.Height)
	}
	d := time.Duration(*s.Seconds * float64(time.Second)).Round(time.Second)
	if d > 10*time.Minute {
		d = d.Round(time.Minute)
	}
	return fmt.Sprintf("block %d, in about %s", s.Due, strings.TrimSuffix(d.String(), "0s"))
}

func newShow(o *options) *cobra.Command {
	var abiFile string
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Where a request stands: seats, bonds, deadline, finality, callback",
		Long: `Where a request stands: who has a seat and what is locked, until when it changes by itself, what its answer is and what that is worth, and
what has become of the contract's callback, with the reason if it failed. ID may be shortened.`,
		Example: "  mutirao ask show 1f0c9a52\n  mutirao ask show 1f0c9a52 --abi out/Desk.json      names the contract's own errors",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			more, err := readABI(abiFile)
			if err != nil {
				return err
			}
			c, _, err := o.connect(cmd.Context())
			if err != nil {
				return err
			}
			defer c.Close()
			id, err := resolve(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			s, err := show(cmd.Context(), c, id, more...)
			if err != nil {
				return missing(err, args[0])
			}
			if o.json {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(s)
			}
			return s.print(cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&abiFile, "abi", "", "the contract's ABI, as solc, Foundry or Hardhat write it")
	return cmd
}

// maxABI bounds the file of an ABI in bytes.
const maxABI = 16 << 20

func readABI(name string) ([]abi.ABI, error) {
	if name == "" {
		return nil, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, failure.New(failure.NotFound, "the ABI cannot be read", err, "name a file of the compiler")
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxABI))
	if err != nil {
		return nil, err
	}
	parsed, err := asks.ParseABI(raw)
	if err != nil {
		return nil, failure.New(failure.Usage, name+" is no ABI", err, "name a file of the compiler, such as out/Desk.sol/Desk.json")
	}
	return []abi.ABI{parsed}, nil
}

// minPrefix is the least of an id that names it.
const minPrefix = 4

var errAmbiguous = errors.New("several requests begin so")

// resolve finds the request that is meant: by its id, or by the beginning of one that is open or this account's.
func resolve(ctx context.Context, c *asks.Client, text string) (id protocol.Hash, err error) {
	text = strings.ToLower(strings.TrimPrefix(text, "0x"))
	if len(text) == 2*len(id) {
		if err := id.UnmarshalText([]byte(text)); err != nil {
			return id, failure.New(failure.Usage, fmt.Sprintf("%.80q names no request", text), err, "mutirao ask list")
		}
		return id, nil
	}
	if len(text) < minPrefix || len(text) > 2*len(id) || strings.Trim(text, "0123456789abcdef") != "" {
		return id, failure.New(failure.Usage, fmt.Sprintf("%.80q names no request", text), fmt.Errorf("an id has 64 hexadecimal digits, of which the first %d may do", minPrefix), "mutirao ask list")
	}
	open, err := c.Wanted(ctx)
	if err != nil {
		return id, err
	}
	mine, err := c.Mine(ctx)
	if err != nil {
		return id, err
	}
	found := false
	for _, one := range append(open, mine...) {
		if !strings.HasPrefix(one.String(), text) || found && one == id {
			continue
		}
		if found {
			return id, failure.New(failure.Usage, "which request is meant", fmt.Errorf("%w: %s and %s", errAmbiguous, id, one), "write more of its id")
		}
		id, found = one, true
	}
	if !found {
		return id, missing(fmt.Errorf("%w: none that is open or of %s begins so", protocol.ErrNotFound, c.Account()), text)
	}
	return id, nil
}

// missing explains a request that cannot be read.
func missing(err error, id string) error {
	if errors.Is(err, protocol.ErrNotFound) {
		return failure.New(failure.NotFound, fmt.Sprintf("there is no request %.64s", id), err, "mutirao ask list; one that ended is kept for 50,000 blocks, its receipt for good")
	}
	return err
}

// print writes a request for people.
func (s shown) print(w io.Writer) error {
	fmt.Fprintf(w, "request   %s\nmodel     %s\nby        %s\n", s.Request, s.Model, s.Requester)
	fmt.Fprintf(w, "status    %s\nnext      %s: %s\nfinality  %d, %s\n", s.Status, s.when(), s.Next, s.Worth, s.Finality)
	if len(s.Output) > 0 {
		fmt.Fprintf(w, "answer    %s\n", strings.Join(s.Output, " "))
	}
	fmt.Fprintf(w, "price     %s for each of %d; a window of %d blocks\n", s.Price.Coins(), s.Workers, s.Window)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i, seat := range s.Seats {
		state := "sealed"
		if seat.Opened {
			state = "opened"
		}
		fmt.Fprintf(t, "seat %d    %s\t%s\tbond %s\n", i+1, seat.Account, state, seat.Bond.Coins())
	}
	if err := t.Flush(); err != nil || s.Callback == nil {
		return err
	}
	return s.Callback.print(w, s.Request)
}

func (c *callback) print(w io.Writer, id protocol.Hash) error {
	fmt.Fprintf(w, "callback  %s to %s, with %d gas, for %s\n", c.State, c.Contract, c.Gas, c.Fee.Coins())
	for _, a := range c.Attempts {
		what := "delivered"
		if !a.Delivered {
			what = "failed: " + a.Failure
		}
		fmt.Fprintf(w, "  block %d, by %s, transaction 0x%s: %s\n", a.Block, a.By, a.Tx, what)
	}
	switch {
	case c.State == "failed" && c.Now != "":
		fmt.Fprintf(w, "  it would fail again now: %s\n", c.Now)
	case c.State == "failed":
		fmt.Fprintf(w, "  it would succeed now: mutirao ask deliver %.8s\n", id)
	case c.State == "due":
		fmt.Fprintf(w, "  a machine of the network calls it for the fee; anybody can: mutirao ask deliver %.8s\n", id)
	}
	return nil
}
