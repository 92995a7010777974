package modelscmd

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/running"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
)

var errShare = errors.New("a share is per cent with at most four decimal places, above 0 and at most 100")

// parseShare reads per cent, "12.5" or "12.5%", as parts per million, exactly.
func parseShare(text string) (uint32, error) {
	bad := failure.New(failure.Usage, fmt.Sprintf("%q is no share", text), errShare, `write it like "12.5%"`)
	number := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "%"))
	units, decimals, _ := strings.Cut(number, ".")
	if len(decimals) > 4 || len(units) > 3 || units == "" {
		return 0, bad
	}
	ppm, err := strconv.ParseUint(units+(decimals + "0000")[:4], 10, 32)
	if err != nil || ppm == 0 || ppm > 1_000_000 {
		return 0, bad
	}
	return uint32(ppm), nil
}

func newTransfer(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "transfer MODEL SHARE ACCOUNT", Short: "Give shares of a model to another account", Args: cobra.ExactArgs(3),
		Long: `Give shares of a model to another account. What they earned before stays with who had them. SHARE is per cent of the whole model. A
wallet does the same with the model's ERC-20 token, whose address mutirao models show tells.`,
		Example: "  mutirao models transfer f673 2.5% 0x52908400098527886e0f7030069857d2e4169ee7",
		RunE: func(cmd *cobra.Command, args []string) error {
			ppm, err := parseShare(args[1])
			if err != nil {
				return err
			}
			to, err := protocol.ParseAccount(args[2])
			if err != nil {
				return failure.New(failure.Usage, fmt.Sprintf("%q is no account", args[2]), err, "write it like 0x52908400098527886e0f7030069857d2e4169ee7")
			}
			c, err := o.Act(cmd.Context())
			if err != nil {
				return err
			}
			id, err := Find(cmd.Context(), c, args[0])
			if err != nil {
				return running.Refused("the models cannot be read", err, "try again")
			}
			if err := c.Submit(cmd.Context(), registry.TransferShares{Model: id, To: to, PPM: ppm}); err != nil {
				return running.Refused(fmt.Sprintf("%s of model %s were not given", percent(ppm), short(id)), err, "mutirao models show "+short(id)+"  says who holds what; this is "+c.Account().String())
			}
			return o.Answer(cmd, struct {
				Schema string           `json:"schema"`
				Model  protocol.Hash    `json:"model"`
				From   protocol.Account `json:"from"`
				To     protocol.Account `json:"to"`
				PPM    uint32           `json:"ppm"`
			}{"mutirao.share-transfer/v1", id, c.Account(), to, ppm}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "gave %s of model %s to %s\n", percent(ppm), short(id), to)
				return err
			})
		},
	}
}

func newClaim(o *options) *cobra.Command {
	var holder string
	cmd := &cobra.Command{
		Use: "claim MODEL", Short: "Have a holder paid what its shares have earned", Args: cobra.ExactArgs(1),
		Example: "  mutirao models claim f673\n  mutirao models claim f673 --holder 0x52908400098527886e0f7030069857d2e4169ee7",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := o.Act(cmd.Context())
			if err != nil {
				return err
			}
			who := c.Account()
			if holder != "" {
				if who, err = protocol.ParseAccount(holder); err != nil {
					return failure.New(failure.Usage, fmt.Sprintf("%q is no account", holder), err, "write it like 0x52908400098527886e0f7030069857d2e4169ee7")
				}
			}
			id, err := Find(cmd.Context(), c, args[0])
			if err != nil {
				return running.Refused("the models cannot be read", err, "try again")
			}
			before, err := c.Holding(cmd.Context(), id, who)
			if err != nil {
				return running.Refused("nothing was paid", err, "mutirao models show "+short(id)+"  says who holds what")
			}
			if err := c.Submit(cmd.Context(), registry.ClaimDividend{Model: id, Holder: who}); err != nil {
				return running.Refused("nothing was paid", err, "mutirao models show "+short(id)+"  says what is due")
			}
			paid, err := c.LastDividend(cmd.Context(), id, who)
			if err != nil {
				return err
			}
			return o.Answer(cmd, struct {
				Schema string           `json:"schema"`
				Model  protocol.Hash    `json:"model"`
				Holder protocol.Account `json:"holder"`
				PPM    uint32           `json:"ppm"`
				Paid   money.Amount     `json:"paid"`
			}{"mutirao.dividend/v1", id, who, before.PPM, paid}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "paid %s to %s for %s of model %s\n", paid.Coins(), who, percent(before.PPM), short(id))
				return err
			})
		},
	}
	cmd.Flags().StringVar(&holder, "holder", "", "who is paid; the folder's account if not given")
	return cmd
}
