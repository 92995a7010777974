// Package vouchercmd is `mutirao voucher`: channels to models, vouchers signed on this machine, and their redemption. It holds no rule.
package vouchercmd

import (
	"bufio"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mutirao/mutirao/chain/x/registry"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/running"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/voucher"
)

// prefix begins a voucher as one word.
const prefix = "mutirao-voucher-"

type options struct{ running.Flags }

// New is the command with its subcommands. dir is where the key lies unless --dir says otherwise.
func New(dir string) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "voucher",
		Short: "Pay for many uses of a model with few transactions",
		Long: `Pay for many uses of a model with few transactions. A channel holds a deposit for one model. For each use its owner signs a
voucher over what the channel has cost in all, without a transaction; the last one is worth all before it. Anybody redeems
vouchers, thousands in one transaction: the money belongs to the model's holders and parents. What is left of a deposit goes
back when the channel ends, at a block that is known from the start, or 600 blocks after its owner's notice.`,
		Example: `  export MUTIRAO_NETWORK=./network                                    of mutirao demo --keep --dir ./network, for instance
  mutirao voucher open 475b…f71b --deposit "10 MUT"
  mutirao voucher sign 9c1f…02ab --uses 25 --amount "0.05 MUT"        needs no network
  mutirao voucher redeem mutirao-voucher-nB…
  mutirao voucher channels`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	o.Add(cmd, dir)
	cmd.AddCommand(newOpen(&o), newFund(&o), newSign(&o), newShow(&o), newRedeem(&o), newClose(&o), newChannels(&o))
	return cmd
}

var errNoVoucher = errors.New("a voucher is one word that begins with " + prefix)

func (o *options) print(w io.Writer, text string, value any) error {
	if !o.JSON {
		_, err := fmt.Fprintln(w, text)
		return err
	}
	return json.NewEncoder(w).Encode(value)
}

func parseHash(what, s string) (h protocol.Hash, err error) {
	if err := h.UnmarshalText([]byte(strings.TrimPrefix(s, "0x"))); err != nil {
		return h, failure.New(failure.Usage, fmt.Sprintf("%q names no %s", s, what), err, "an id has 64 hexadecimal digits")
	}
	return h, nil
}

func parseAmount(s string) (money.Amount, error) {
	a, err := money.ParseMUT(s)
	if err != nil {
		return a, failure.New(failure.Usage, fmt.Sprintf("%q is no amount", s), err, `write it like "1.5 MUT" or "20 amut"`)
	}
	return a, nil
}

// word writes a voucher as one word, and read reads it.
func word(v voucher.Voucher) string {
	return prefix + base64.RawURLEncoding.EncodeToString(v.Append(nil))
}

func read(s string) (voucher.Voucher, error) {
	bad := func(err error) (voucher.Voucher, error) {
		return voucher.Voucher{}, failure.New(failure.Usage, fmt.Sprintf("%.40q is no voucher", s), err, "mutirao voucher sign CHANNEL --uses N --amount A  makes one")
	}
	body, ok := strings.CutPrefix(strings.TrimSpace(s), prefix)
	if !ok || len(body) > 2*voucher.PackedBytes {
		return bad(errNoVoucher)
	}
	raw, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return bad(err)
	}
	list, err := voucher.Unpack(raw)
	if err != nil || len(list) != 1 {
		return bad(errNoVoucher)
	}
	return list[0], nil
}

// maxRead bounds the vouchers of one command.
const maxRead = 1_000_000

var errMany = fmt.Errorf("more than %d vouchers", maxRead)

// readAll reads vouchers from arguments, or, for "-", one a line from r.
func readAll(args []string, r io.Reader) ([]voucher.Voucher, error) {
	var list []voucher.Voucher
	for _, a := range args {
		if a != "-" {
			v, err := read(a)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
			continue
		}
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			if strings.TrimSpace(lines.Text()) == "" {
				continue
			}
			v, err := read(lines.Text())
			if err != nil {
				return nil, err
			}
			if list = append(list, v); len(list) > maxRead {
				return nil, failure.New(failure.Usage, "the vouchers were not read", errMany, "redeem them in parts")
			}
		}
		if err := lines.Err(); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// latest keeps of each channel and signer the voucher that is worth most, in the order in which they come: one that a stranger signed
// cannot take the place of the payer's.
func latest(list []voucher.Voucher) []voucher.Voucher {
	type drawer struct {
		channel protocol.Hash
		signer  protocol.Account
	}
	at := map[drawer]int{}
	var out []voucher.Voucher
	for _, v := range list {
		key := drawer{v.Channel, registry.Signer(v)}
		i, ok := at[key]
		switch {
		case key.signer.IsZero(): // nobody's
		case !ok:
			at[key], out = len(out), append(out, v)
		case v.Amount.Compare(out[i].Amount) > 0:
			out[i] = v
		}
	}
	return out
}

func nonce() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return binary.BigEndian.Uint64(b[:])
}
