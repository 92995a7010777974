package validatorcmd

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/mutirao/mutirao/chain/client"
)

// FuzzOpen: whatever validator.toml says, a node's folder opens or is refused.
func FuzzOpen(f *testing.F) {
	f.Add([]byte("moniker = \"a\"\np2p = \"127.0.0.1:1\"\npeers = [\"x@y:1\"]\nexchange = true\n"))
	f.Add([]byte("retain = -1\nsnapshots = 18446744073709551615\n"))
	f.Add([]byte("[a.b.c]\nd = [[[1]]]\n"))
	f.Add([]byte("p2p = 1979-05-27T07:32:00Z\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, raw []byte) {
		if err := os.WriteFile(filepath.Join(dir, configFile), raw, 0o600); err != nil {
			t.Fatal(err)
		}
		if h, err := Open(dir); err == nil && h.Key.Account().IsZero() {
			t.Error("opened without a key")
		}
	})
}

// FuzzProposal: whatever the file of a proposal holds, it becomes messages or is refused.
func FuzzProposal(f *testing.F) {
	for _, s := range []string{
		`{"title":"t","summary":"s","deposit":"100","set":{"feemarket.min_gas_price":500}}`,
		`{"title":"t","summary":"s","deposit":"1","cancel":["gov.deposit_mut"],"upgrade":{"name":"n","height":7,"info":"i"}}`,
		`{"title":"t","summary":"s","deposit":"1","messages":[{"@type":"/cosmos.bank.v1beta1.MsgSend","from_address":"a","to_address":"b","amount":[]}]}`,
		`{"title":"t","summary":"s","deposit":"1","messages":[{"@type":"/cosmos.gov.v1.MsgExecLegacyContent","content":{"@type":"/cosmos.gov.v1beta1.TextProposal"},"authority":"a"}]}`,
		`{"messages":[{"@type":"/cosmos.staking.v1beta1.MsgUpdateParams","params":{"unbonding_time":"-9999999999999s"}}]}`,
	} {
		f.Add([]byte(s))
	}
	key, err := client.NewKey([32]byte{1})
	if err != nil {
		f.Fatal(err)
	}
	c, err := client.Dial([]string{"http://127.0.0.1:1"}, key) // nobody is asked
	if err != nil {
		f.Fatal(err)
	}
	v := &Voter{c}
	file := filepath.Join(f.TempDir(), "p.json")
	f.Fuzz(func(t *testing.T, raw []byte) {
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, msgs, err := v.load(file); err == nil && len(msgs) == 0 {
			t.Error("a proposal of nothing")
		}
	})
}
