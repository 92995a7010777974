package vouchercmd

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mutirao/mutirao/chain/x/registry"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/role"
	"github.com/mutirao/mutirao/node/running"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/voucher"
)

var errUnsigned = errors.New("the signature belongs to no key")

func newOpen(o *options) *cobra.Command {
	var deposit string
	var blocks uint32
	cmd := &cobra.Command{
		Use: "open <model>", Short: "Open a channel to a model", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			model, err := parseHash("model", args[0])
			if err != nil {
				return err
			}
			amount, err := parseAmount(deposit)
			if err != nil {
				return err
			}
			c, err := o.Act(cmd.Context())
			if err != nil {
				return err
			}
			m := voucher.Open{Model: model, Deposit: amount, Blocks: blocks, Nonce: nonce()}
			if err := running.Refused("the channel was not opened", c.Submit(cmd.Context(), m), "check the model's id and the balance of "+c.Account().String()); err != nil {
				return err
			}
			id := voucher.ChannelID(c.Account(), model, m.Nonce)
			return o.print(cmd.OutOrStdout(), id.String(), struct {
				Schema  string        `json:"schema"`
				Channel protocol.Hash `json:"channel"`
			}{"mutirao.voucher-channel/v1", id})
		},
	}
	cmd.Flags().StringVar(&deposit, "deposit", "1 MUT", "what the channel can pay in all")
	cmd.Flags().Uint32Var(&blocks, "blocks", 2_592_000, "blocks after which it ends by itself; the default is about a month of one-second blocks")
	return cmd
}

func newFund(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "fund <channel> <amount>", Short: "Add to a channel's deposit", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseHash("channel", args[0])
			if err != nil {
				return err
			}
			amount, err := parseAmount(args[1])
			if err != nil {
				return err
			}
			c, err := o.Act(cmd.Context())
			if err != nil {
				return err
			}
			return running.Refused("the deposit was not added", c.Submit(cmd.Context(), voucher.Fund{Channel: id, Amount: amount}), "mutirao voucher channels")
		},
	}
}

func newSign(o *options) *cobra.Command {
	var amount string
	var uses uint64
	cmd := &cobra.Command{
		Use: "sign <channel>", Short: "Sign what a channel has cost in all; needs no network", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseHash("channel", args[0])
			if err != nil {
				return err
			}
			sum, err := parseAmount(amount)
			if err != nil {
				return err
			}
			key, err := role.Key(o.Dir)
			if err != nil {
				return err
			}
			v, err := key.SignVoucher(id, uses, sum)
			if err != nil {
				return failure.New(failure.Usage, "that cannot be signed", err, "--uses and --amount count everything since the channel was opened, and are above zero")
			}
			return o.print(cmd.OutOrStdout(), word(v), view(v))
		},
	}
	cmd.Flags().Uint64Var(&uses, "uses", 0, "uses since the channel was opened")
	cmd.Flags().StringVar(&amount, "amount", "", "what they cost together")
	cmd.MarkFlagRequired("uses")
	cmd.MarkFlagRequired("amount")
	return cmd
}

// shown is a voucher for people and machines.
type shown struct {
	Schema  string           `json:"schema"`
	Voucher string           `json:"voucher"`
	Channel protocol.Hash    `json:"channel"`
	Uses    uint64           `json:"uses"`
	Amount  string           `json:"amount"` // amut
	Signer  protocol.Account `json:"signer"` // zero if the signature belongs to no key
}

func view(v voucher.Voucher) shown {
	return shown{"mutirao.voucher/v1", word(v), v.Channel, v.Uses, v.Amount.String(), registry.Signer(v)}
}

func newShow(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "show <voucher>", Short: "Say what a voucher says and who signed it; needs no network", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := read(args[0])
			if err != nil {
				return err
			}
			s := view(v)
			if s.Signer.IsZero() {
				return failure.New(failure.Unverified, "the voucher is worth nothing", errUnsigned, "ask its payer to sign again")
			}
			return o.print(cmd.OutOrStdout(), fmt.Sprintf("channel %s\nuses    %d in all\namount  %s in all\nsigned  by %s", s.Channel, s.Uses, v.Amount.Coins(), s.Signer), s)
		},
	}
}

func newRedeem(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "redeem <voucher…|->", Short: "Redeem vouchers, thousands in one transaction; - reads one a line", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := readAll(args, cmd.InOrStdin())
			if err != nil {
				return err
			}
			if list = latest(list); len(list) == 0 {
				return failure.New(failure.Unverified, "no voucher was redeemed", errUnsigned, "ask their payers to sign again")
			}
			c, err := o.Act(cmd.Context())
			if err != nil {
				return err
			}
			for from := 0; from < len(list); from += voucher.MaxVouchers {
				batch := list[from:min(from+voucher.MaxVouchers, len(list))]
				m := voucher.Redeem{Vouchers: voucher.Pack(batch)}
				if err := running.Refused("no voucher was redeemed", c.Submit(cmd.Context(), m), "mutirao voucher show VOUCHER"); err != nil {
					return err
				}
			}
			return o.print(cmd.OutOrStdout(), fmt.Sprintf("%d vouchers sent; what is new in them belongs to the models", len(list)), struct {
				Schema   string `json:"schema"`
				Vouchers int    `json:"vouchers"`
			}{"mutirao.voucher-redeemed/v1", len(list)})
		},
	}
}

func newClose(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "close <channel>", Short: "Give notice: what is left comes back after 600 blocks", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseHash("channel", args[0])
			if err != nil {
				return err
			}
			c, err := o.Act(cmd.Context())
			if err != nil {
				return err
			}
			return running.Refused("no notice was given", c.Submit(cmd.Context(), voucher.Close{Channel: id}), "mutirao voucher channels")
		},
	}
}

func newChannels(o *options) *cobra.Command {
	var payer string
	cmd := &cobra.Command{
		Use: "channels", Short: "List open channels", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := o.Act(cmd.Context())
			if err != nil {
				return err
			}
			who := c.Account()
			if payer != "" {
				if who, err = protocol.ParseAccount(payer); err != nil {
					return failure.New(failure.Usage, fmt.Sprintf("%q is no account", payer), err, "an account has 0x and 40 hexadecimal digits")
				}
			}
			list, err := c.Channels(cmd.Context(), who)
			if err != nil {
				return failure.New(failure.Network, "the channels are not known", err, "check that the network runs")
			}
			if o.JSON {
				return o.print(cmd.OutOrStdout(), "", struct {
					Schema   string            `json:"schema"`
					Channels []voucher.Channel `json:"channels"`
				}{"mutirao.voucher-channels/v1", append([]voucher.Channel{}, list...)})
			}
			for _, ch := range list {
				fmt.Fprintf(cmd.OutOrStdout(), "%s  model %s  left %s of %s  %d uses  until block %d\n", ch.ID, ch.Model.String()[:12], ch.Left().Coins(), ch.Deposit.Coins(), ch.Uses, ch.Until)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&payer, "payer", "", "whose; default: this folder's")
	return cmd
}
