package running

import (
	"context"
	"encoding/json"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/node/role"
)

// Flags are those of every command that talks to a network.
type Flags struct {
	Dir     string // folder with the account's key
	Network string // as for Endpoints
	JSON    bool
}

// Add defines --network and --json for cmd and its subcommands, and --dir if the command acts in the name of an account. dir is the
// default folder.
func (f *Flags) Add(cmd *cobra.Command, dir string) {
	p := cmd.PersistentFlags()
	p.StringVar(&f.Network, "network", os.Getenv("MUTIRAO_NETWORK"), "folder of a network that runs on this machine, an invite, or http://HOST:PORT; default $MUTIRAO_NETWORK")
	p.BoolVar(&f.JSON, "json", false, "print JSON")
	if dir != "" {
		p.StringVar(&f.Dir, "dir", dir, "folder with the account's key")
	}
}

// Read connects in nobody's name.
func (f *Flags) Read(ctx context.Context) (*client.Client, error) {
	return Dial(ctx, f.Network, client.Key{})
}

// Act connects in the name of the folder's account. Its key is made when it is missing.
func (f *Flags) Act(ctx context.Context) (*client.Client, error) {
	key, err := role.Key(f.Dir)
	if err != nil {
		return nil, err
	}
	return Dial(ctx, f.Network, key)
}

// Answer prints v as JSON if that is asked for, or calls print.
func (f *Flags) Answer(cmd *cobra.Command, v any, print func(io.Writer) error) error {
	if f.JSON {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(v)
	}
	return print(cmd.OutOrStdout())
}
