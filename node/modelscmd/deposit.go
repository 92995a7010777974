package modelscmd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	ethrpc "github.com/ethereum/go-ethereum/rpc"
	"github.com/spf13/cobra"

	"github.com/mutirao/mutirao/node/callable"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/running"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/registry"
)

// newDeposit puts a model's file on the ledger, so that contracts can call it.
func newDeposit(o *options) *cobra.Command {
	var name, rpc string
	account := -1
	cmd := &cobra.Command{
		Use: "deposit <file>", Short: "Put a model on the ledger, so that contracts can call it", Args: cobra.ExactArgs(1),
		Long: `Put a model on the ledger, so that contracts can call it. The file is an ONNX file with one input of float32, or a graph as
` + "`mutirao train alone`" + ` writes it; up to 2 MiB go to the ledger. It locks 10^12 amut for each byte, which ` + "`mutirao models withdraw`" + ` returns. All shares
of the model are the sender's. A model of more than 256 KiB is sent in chunks; the same command again goes on where one was
interrupted, and ` + "`mutirao models withdraw <upload>`" + ` gives it up. With --dev-account the ledger is a running mutirao dev, which takes up to 256 KiB.`,
		Example: `  mutirao models deposit credit.graph --network ./network
  mutirao models deposit iris.onnx --dev-account 0        at mutirao dev`,
		RunE: func(cmd *cobra.Command, args []string) error {
			raw, err := readArtifact(args[0])
			if err != nil {
				return err
			}
			if name == "" {
				name = strings.TrimSuffix(filepath.Base(args[0]), filepath.Ext(args[0]))
				name = name[:min(len(name), registry.MaxName)]
			}
			if account >= 0 {
				return o.depositDev(cmd, devNode{rpc, account}, args[0], name, raw)
			}
			c, err := o.Act(cmd.Context())
			if err != nil {
				return err
			}
			id, err := registry.DepositID(raw, c.Account())
			if err != nil {
				return failure.New(failure.Usage, "the model "+args[0]+" cannot be put on the ledger", err, "mutirao model inspect "+args[0])
			}
			deposit := registry.DepositPerByte.Times(uint64(len(raw)))
			if err := put(cmd.Context(), c, id, name, raw, cmd.ErrOrStderr()); err != nil {
				return notDeposited(err, id, fmt.Sprintf("%s needs %s", c.Account(), deposit.Coins()))
			}
			return o.deposited(cmd, id, len(raw))
		},
	}
	f := cmd.Flags()
	f.StringVar(&name, "name", "", "the model's name; the default is the file's")
	f.IntVar(&account, "dev-account", -1, "put it on a running mutirao dev, as this one of its accounts")
	f.StringVar(&rpc, "rpc", "http://127.0.0.1:8545", "where that mutirao dev listens")
	return cmd
}

// deposited answers with the model's id and what it locks.
func (o *options) deposited(cmd *cobra.Command, id protocol.Hash, size int) error {
	deposit := registry.DepositPerByte.Times(uint64(size))
	return o.Answer(cmd, struct {
		Schema  string        `json:"schema"`
		Model   protocol.Hash `json:"model"`
		Bytes   int           `json:"bytes"`
		Deposit string        `json:"deposit"`
	}{"mutirao.model-deposit/v1", id, size, deposit.String()}, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "0x%s\n%d bytes, %s locked\n", id, size, deposit.Coins())
		return err
	})
}

// devNode is an account of a running mutirao dev.
type devNode struct {
	rpc     string
	account int
}

// depositDev puts the model on a development chain by its own method.
func (o *options) depositDev(cmd *cobra.Command, at devNode, file, name string, raw []byte) error {
	c, err := ethrpc.DialContext(cmd.Context(), at.rpc)
	if err != nil {
		return failure.New(failure.Network, "no JSON-RPC answers at "+at.rpc, err, "start one with `mutirao dev` or name one with --rpc")
	}
	defer c.Close()
	var accounts []common.Address
	if err := c.CallContext(cmd.Context(), &accounts, "eth_accounts"); err != nil {
		return failure.New(failure.Network, "no JSON-RPC answers at "+at.rpc, err, "start one with `mutirao dev` or name one with --rpc")
	}
	if at.account >= len(accounts) {
		return failure.New(failure.Usage, "the account was not found", fmt.Errorf("mutirao dev has %d", len(accounts)), "mutirao dev --accounts N  makes more")
	}
	var id common.Hash
	if err := c.CallContext(cmd.Context(), &id, "mutirao_deposit", accounts[at.account], name, hexutil.Bytes(raw)); err != nil {
		return failure.New(failure.General, "the model "+file+" was not deposited", err, "mutirao model inspect "+file)
	}
	return o.deposited(cmd, protocol.Hash(id), len(raw))
}

// notDeposited says what to do next, which differs for a model that is there already.
func notDeposited(err error, id protocol.Hash, needs string) error {
	if errors.Is(err, protocol.ErrExists) {
		return failure.New(failure.Usage, "the model was not deposited", err, "mutirao models show "+id.String()[:8]+"  shows the one that is there")
	}
	return running.Refused("the model was not deposited", err, needs)
}

var errSize = errors.New("too large for the ledger")

// readArtifact reads a file that is not larger than the ledger takes.
func readArtifact(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, failure.New(failure.NotFound, "the model cannot be read", err, "mutirao train alone RUN.toml --out FILE  writes one")
	}
	if info.Size() > registry.MaxUpload {
		return nil, failure.New(failure.Usage, "the model "+file+" cannot be put on the ledger",
			fmt.Errorf("%w: %d bytes, allowed are %d", errSize, info.Size(), registry.MaxUpload), "mutirao model quantize makes it smaller; mutirao serve --model answers for one that is not on the ledger")
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	raw, err := callable.Artifact(file, content)
	if err != nil {
		return nil, failure.New(failure.Usage, "the model "+file+" cannot be put on the ledger", err, "mutirao model inspect "+file)
	}
	return raw, nil
}

// newWithdraw takes it off again.
func newWithdraw(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "withdraw <model>", Short: "Take a deposited model off the ledger and get its deposit back", Args: cobra.ExactArgs(1),
		Long:    "Take a deposited model off the ledger and get its deposit back. The id of an upload that is not complete gives that up.",
		Example: "  mutirao models withdraw 8f2c…02ab --network ./network",
		RunE: func(cmd *cobra.Command, args []string) error {
			var id protocol.Hash
			if err := id.UnmarshalText([]byte(strings.TrimPrefix(args[0], "0x"))); err != nil {
				return failure.New(failure.Usage, fmt.Sprintf("%q names no model", args[0]), err, "an id has 64 hexadecimal digits")
			}
			c, err := o.Act(cmd.Context())
			if err != nil {
				return err
			}
			if err := withdraw(cmd.Context(), c, id); err != nil {
				return running.Refused("the model was not withdrawn", err, "mutirao models show "+id.String()[:8]+"  says whose it is")
			}
			return o.Answer(cmd, struct {
				Schema string        `json:"schema"`
				Model  protocol.Hash `json:"model"`
			}{"mutirao.model-withdrawal/v1", id}, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, id)
				return err
			})
		},
	}
}
