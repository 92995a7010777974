package validator_test

import (
	"context"
	"testing"
	"time"

	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/chain/genesis"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// BenchmarkFinality measures how long a payment takes from signing until a block of four validators has it, which is final, as a client sees it
// that looks every 50 ms. Clients of a network pay one after the other.
func BenchmarkFinality(b *testing.B) {
	for _, pause := range []time.Duration{time.Second, 500 * time.Millisecond, 200 * time.Millisecond} {
		b.Run(pause.String(), func(b *testing.B) {
			key := newKey(b, 1)
			configs := four(b, genesis.Balance{Address: key.Account(), Amount: money.MUT(5)})
			var urls []string
			for _, c := range configs {
				c.TimeoutCommit = pause
				n := start(b, c)
				defer n.Stop()
				urls = append(urls, n.RPC())
			}
			c, err := client.Dial(urls, key)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := c.Next(context.Background(), 1); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if err := c.Send(context.Background(), protocol.Account{9}, money.New(1)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
