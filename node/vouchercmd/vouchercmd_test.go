package vouchercmd

import (
	"slices"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/voucher"
)

func signed(t *testing.T, key byte, channel byte, uses, amount uint64) voucher.Voucher {
	t.Helper()
	k, err := client.NewKey([32]byte{31: key})
	if err != nil {
		t.Fatal(err)
	}
	v, err := k.SignVoucher(protocol.Hash{channel}, uses, money.New(amount))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestLatest(t *testing.T) {
	old, last, other := signed(t, 1, 1, 1, 10), signed(t, 1, 1, 2, 20), signed(t, 1, 2, 1, 5)
	stranger := signed(t, 2, 1, 9, 999)
	nobody := last
	nobody.Signature = [voucher.SignatureBytes]byte{64: 9}
	var lines []string
	for _, v := range []voucher.Voucher{old, other, last, stranger, nobody} {
		lines = append(lines, word(v))
	}
	list, err := readAll([]string{"-"}, strings.NewReader(strings.Join(lines, "\n\n")))
	if err != nil || len(list) != 5 {
		t.Fatalf("%d vouchers: %v", len(list), err)
	}
	if got := latest(list); !slices.Equal(got, []voucher.Voucher{last, other, stranger}) {
		t.Errorf("%+v", got)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(prefix + strings.Repeat("A", 162))
	f.Add(prefix)
	f.Fuzz(func(t *testing.T, s string) {
		if v, err := read(s); err == nil {
			if again, err := read(word(v)); err != nil || again != v {
				t.Errorf("%q does not survive", s)
			}
		}
	})
}
