package app_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/app"
)

const byAuthority = "only the account of module params may, which sends none"

// impossible are messages that are registered and can never be carried out.
var impossible = map[string]string{
	"/cosmos.auth.v1beta1.MsgUpdateParams":       byAuthority,
	"/cosmos.bank.v1beta1.MsgUpdateParams":       byAuthority,
	"/cosmos.bank.v1beta1.MsgSetSendEnabled":     byAuthority,
	"/cosmos.staking.v1beta1.MsgUpdateParams":    byAuthority,
	"/cosmos.slashing.v1beta1.MsgUpdateParams":   byAuthority,
	"/cosmos.gov.v1.MsgUpdateParams":             byAuthority,
	"/cosmos.consensus.v1.MsgUpdateParams":       byAuthority,
	"/cosmos.evm.feemarket.v1.MsgUpdateParams":   byAuthority,
	"/cosmos.evm.vm.v1.MsgUpdateParams":          byAuthority,
	"/cosmos.evm.vm.v1.MsgRegisterPreinstalls":   byAuthority,
	"IInfer.preview":                             "it costs no fee, so it answers calls from outside only",
	"/cosmos.evidence.v1beta1.MsgSubmitEvidence": "evidence comes with blocks; no kind of it is taken from a transaction",
}

var kindMethod = regexp.MustCompile(`Kind\(\) string +\{ return "([a-z]+/[a-z-]+)" \}`)

// everything that there is to do: the messages that are registered, the kinds of messages of our rules, the methods of the precompiles.
func everything(t testing.TB, a *app.App) map[string]int {
	t.Helper()
	out := map[string]int{"evm.deploy": 1, "evm.send": 1, "fee of a granter": 1}
	for _, url := range a.InterfaceRegistry().ListImplementations(sdk.MsgInterfaceProtoName) {
		if !strings.HasPrefix(url, "/mutirao.") && url != "/cosmos.evm.vm.v1.MsgEthereumTx" { // by kind, and by method
			out[url] = 1
		}
	}
	files, err := filepath.Glob("../../protocol/*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	kinds := 0
	for _, f := range files {
		source, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(f, "_test.go") || strings.Contains(f, "ledgertest") {
			continue
		}
		for _, m := range kindMethod.FindAllSubmatch(source, -1) {
			out[string(m[1])] = 1
			kinds++
		}
	}
	if kinds < 40 {
		t.Fatalf("only %d kinds of messages in protocol/", kinds)
	}
	for name := range interfaces {
		for method := range readABI(t, name).Methods {
			out[name+"."+method] = 1
		}
	}
	for method := range readABI(t, "ShareToken").Methods {
		out["ShareToken."+method] = 1
	}
	return out
}
