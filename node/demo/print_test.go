package demo

import (
	"testing"

	"github.com/mutirao/mutirao/protocol/money"
)

func TestShortCutsOff(t *testing.T) {
	for _, c := range []struct {
		amount   string
		decimals int
		want     string
	}{
		{"6.8 MUT", 2, "6.80"}, {"0.999 MUT", 2, "0.99"}, {"50 MUT", 0, "50"}, {"26.650000000000000002 MUT", 2, "26.65"}, {"0 MUT", 4, "0.0000"},
	} {
		a, err := money.ParseMUT(c.amount)
		if err != nil {
			t.Fatal(err)
		}
		if got := short(a, c.decimals); got != c.want {
			t.Errorf("%s with %d decimals: %q, want %q", c.amount, c.decimals, got, c.want)
		}
	}
}

func TestPlace(t *testing.T) {
	for detail, want := range map[string]string{
		"the payload differs first at fc1.weight[3,17]: 0.0039 and 0.0042": "fc1.weight[3,17]",
		"the payload is right, the trace is not":                           "the payload is right, the trace is not",
	} {
		if got := place(detail); got != want {
			t.Errorf("%q: %q", detail, got)
		}
	}
}

func TestPrintableHidesControls(t *testing.T) {
	if got, want := printable("a\x1b[31m\tb\nc\x00\xff"), "a·[31m\tb\nc··"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestOnlyLoopbackIsServed(t *testing.T) {
	for address, served := range map[string]bool{
		"": true, "127.0.0.1:8545": true, "localhost:8545": true, "[::1]:8545": true,
		"0.0.0.0:8545": false, "192.168.1.2:8545": false, ":8545": false, "example.org:80": false,
	} {
		if got := checkLoopback(address) == nil; got != served {
			t.Errorf("%q: served %v", address, got)
		}
	}
}
