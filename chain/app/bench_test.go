package app_test

import (
	"context"
	"fmt"
	"testing"

	dbm "github.com/cosmos/cosmos-db"

	"cosmossdk.io/log/v2"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/ethereum/go-ethereum/common"

	"github.com/mutirao/mutirao/chain/app"
	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/chain/genesis"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/protocol/money"
)

// BenchmarkTransfers executes and commits blocks of a hundred transfers over ABCI, of the app as it is and of the same app without our
// modules. Signing is not counted, checking signatures is.
func BenchmarkTransfers(b *testing.B) {
	const perBlock, senders = 100, 100
	for _, kind := range []string{"native", "ethereum"} {
		for _, which := range []string{"network", "bare"} {
			b.Run(fmt.Sprintf("%s/%s", kind, which), func(b *testing.B) {
				people := make([]person, senders)
				for i := range people {
					people[i] = newPerson(b, byte(1+i))
				}
				c := newChainWith(b, nil, func(*genesis.Spec) {}, people...)
				if which == "bare" {
					c.app.Close()
					var err error
					c.db = dbm.NewMemDB()
					if c.app, err = app.NewBare(log.NewNopLogger(), c.db); err != nil {
						b.Fatal(err)
					}
					if _, err := c.app.InitChain(app.InitRequest(c.doc)); err != nil {
						b.Fatal(err)
					}
					c.height = 0
					c.block()
				}
				numbers := make([]uint64, senders)
				for i, p := range people {
					who := p.Account()
					numbers[i] = c.app.Account.GetAccount(c.context(), who[:]).GetAccountNumber()
				}
				b.ResetTimer()
				for n := range uint64(b.N) {
					b.StopTimer()
					var txs [][]byte
					for i, p := range people[:perBlock] {
						from, to := p.Account(), people[(i+1)%senders].Account()
						if kind == "ethereum" {
							txs = append(txs, c.signedEthereum(p, (*common.Address)(&to), money.New(1), 30_000, nil))
							continue
						}
						raw, err := client.Sign(context.Background(), c.app.TxConfig(), p.Key, client.Envelope{
							Number: numbers[i], Sequence: n, Gas: 200_000, Price: math.NewInt(network.MinGasPrice),
						}, banktypes.NewMsgSend(sdk.AccAddress(from[:]), sdk.AccAddress(to[:]), network.Coins(money.New(1))))
						if err != nil {
							b.Fatal(err)
						}
						txs = append(txs, raw)
					}
					b.StartTimer()
					for _, r := range c.block(txs...) {
						if r.Code != 0 {
							b.Fatal(r.Log)
						}
					}
				}
				b.ReportMetric(float64(b.N*perBlock)/b.Elapsed().Seconds(), "transfers/s")
			})
		}
	}
}
