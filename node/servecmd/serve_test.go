package servecmd

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mutirao/mutirao/agent/answerer"
	"github.com/mutirao/mutirao/chain/asks"
	"github.com/mutirao/mutirao/chain/dev"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/request"
)

// TestServeAnswers: two processes' worth of the command answer what the other command asks, over JSON-RPC; one of them is replaced between
// its seal and its opening, as after kill -9.
func TestServeAnswers(t *testing.T) {
	raw, err := os.ReadFile("../../examples/credit/model.graph")
	if err != nil {
		t.Fatal(err)
	}
	chain, err := dev.Open(dev.Config{Accounts: 4, Balance: money.MUT(100), Models: []registry.DepositModel{{Name: "credit", Artifact: raw}}})
	if err != nil {
		t.Fatal(err)
	}
	defer chain.Close()
	server, err := dev.Serve(chain, "127.0.0.1:0", "test")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	url := "http://" + server.Address()
	client := func(account int) (*asks.Client, [32]byte) {
		o := options{rpc: url, account: account}
		c, secret, err := o.connect(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return c, secret
	}
	worker := func(account int) *answerer.Answerer {
		c, secret := client(account)
		return answerer.New(c, answerer.Config{Secret: secret, Ledger: true})
	}
	asker, _ := client(1)
	input, err := parseNumbers("24,2835,3,4,1,0,0,0,0,0,0,0,0,1,0,1")
	if err != nil {
		t.Fatal(err)
	}
	models, err := chain.Models()
	if err != nil {
		t.Fatal(err)
	}
	ask := request.Ask{Model: models[0].ID, Workers: 2, Price: money.New(1e15), Blocks: 50}
	id, err := asker.Ask(ctx, ask, input)
	if err != nil {
		t.Fatal(err)
	}
	first, second := worker(2), worker(3)
	for _, w := range []*answerer.Answerer{first, second, worker(2), second} { // the first one was killed
		if err := w.Step(ctx); err != nil {
			t.Fatal(err)
		}
	}
	finality, output, err := asker.Answer(ctx, id)
	if err != nil || finality != request.Sampled || len(output) != 1 {
		t.Fatalf("%v %v: %v", finality, output, err)
	}
	// Lies are seen by a replay, whose answer is the same bits.
	ask.Workers = 1
	if id, err = asker.Ask(ctx, ask, input); err != nil {
		t.Fatal(err)
	}
	if err := asker.Replay(ctx, id); err != nil {
		t.Fatal(err)
	}
	again, same, err := asker.Answer(ctx, id)
	if err != nil || again != request.Replayed || same[0] != output[0] {
		t.Errorf("%v %x, machines said %x: %v", again, same, output, err)
	}
	// Through the command, in words.
	var out, progress bytes.Buffer
	o := options{rpc: url, account: 1}
	done := make(chan error, 1)
	go func() { done <- o.ask(ctx, ask, input, 30*time.Second, &out, &progress) }()
	for range 100 {
		if err := second.Step(ctx); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-done:
			if err != nil || !strings.Contains(out.String(), "finality  sampled") {
				t.Fatalf("%s: %v", out.String(), err)
			}
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Error("no answer")
}
