package voucher

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"testing"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

var (
	payer = protocol.Account{1}
	model = protocol.Hash{2}
	now   = protocol.Env{Height: 100}
)

func channel(t *testing.T, deposit uint64) Channel {
	t.Helper()
	c, effects, err := OpenChannel(Open{Model: model, Deposit: money.New(deposit), Blocks: 1000}, payer, now)
	if err != nil || effects[0] != (protocol.Lock{From: payer, Amount: money.New(deposit)}) {
		t.Fatalf("%v, %v", effects, err)
	}
	return c
}

// The vector of spec/voucher.md §3, which chain/app compares with go-ethereum's typed data.
func TestDigest(t *testing.T) {
	v := Voucher{Channel: protocol.Hash{31: 7}, Uses: 3, Amount: money.New(1000)}
	for name, c := range map[string]struct {
		got  protocol.Hash
		want string
	}{
		"separator": {Separator(262144), "cb37584d6cda693f3dcf5df1414e17dd372ad15d051fe48c4df8427488a04a11"},
		"digest":    {v.Digest(Separator(262144)), "db33614456bd08875a8f011da3bb7bd62b3ce76107ba011ac2f83e3cf9936418"},
	} {
		if got := hex.EncodeToString(c.got[:]); got != c.want {
			t.Errorf("%s is %s", name, got)
		}
	}
}

func TestBatch(t *testing.T) {
	a := channel(t, 1000)
	b := a
	b.ID, b.Model = protocol.Hash{9}, protocol.Hash{8}
	env := protocol.Env{Height: a.Until}
	v := func(c Channel, uses, amount uint64) Voucher {
		return Voucher{Channel: c.ID, Uses: uses, Amount: money.New(amount)}
	}
	batch := NewBatch(payer, env)
	a = batch.Add(a, true, v(a, 1, 100), true)
	for i, bad := range []struct {
		v      Voucher
		known  bool
		signed bool
	}{
		{v(a, 2, 100), true, true},                                          // nothing new
		{v(a, 1, 200), true, true},                                          // no new use
		{v(a, 2, 1001), true, true},                                         // above the deposit
		{v(a, 2, 200), true, false},                                         // forged
		{v(a, 2, 200), false, true},                                         // of no channel
		{v(b, 2, 200), true, true},                                          // of another one
		{v(a, MaxUses+1, 200), true, true},                                  // too many
		{Voucher{Channel: a.ID, Uses: 2, Amount: money.MUT(1)}, true, true}, // above the deposit
	} {
		if got := batch.Add(a, bad.known, bad.v, bad.signed); got != a {
			t.Errorf("voucher %d counts", i)
		}
	}
	b = batch.Add(b, true, v(b, 5, 50), true)
	a = batch.Add(a, true, v(a, 10, 1000), true)
	income, effects, err := batch.Settle()
	if err != nil || len(income) != 2 || income[0] != (Income{model, 2, 10, money.New(1000)}) || income[1] != (Income{b.Model, 1, 5, money.New(50)}) {
		t.Errorf("%+v, %v", income, err)
	}
	if e := effects[0].(protocol.Event); len(effects) != 1 || e.Attributes[2].Value != "1 2 3 4 5 6 7 8" {
		t.Errorf("%+v", effects)
	}
	if !a.Left().IsZero() || a.Uses != 10 || b.Left() != money.New(950) {
		t.Errorf("%+v\n%+v", a, b)
	}
	late := NewBatch(payer, protocol.Env{Height: b.Until + 1})
	late.Add(b, true, v(b, 9, 90), true)
	if _, _, err := late.Settle(); !errors.Is(err, protocol.ErrFinished) {
		t.Errorf("after the last block: %v", err)
	}
}

func TestEnd(t *testing.T) {
	c := channel(t, 1000)
	if _, _, err := GiveNotice(c, protocol.Account{3}, now); !errors.Is(err, protocol.ErrNotAssigned) {
		t.Errorf("a stranger's notice: %v", err)
	}
	noticed, _, err := GiveNotice(c, payer, now)
	if err != nil || noticed.Until != now.Height+Notice {
		t.Errorf("until %d: %v", noticed.Until, err)
	}
	if _, _, err := GiveNotice(noticed, payer, now); !errors.Is(err, protocol.ErrDuplicate) {
		t.Errorf("notice twice: %v", err)
	}
	// Notice shortly before the end moves nothing.
	if soon, _, _ := GiveNotice(c, payer, protocol.Env{Height: c.Until - 1}); soon.Until != c.Until {
		t.Errorf("until %d", soon.Until)
	}
	funded, _, err := AddFunds(noticed, Fund{Channel: c.ID, Amount: money.New(5)}, protocol.Account{4}, now)
	if err != nil || funded.Left() != money.New(1005) {
		t.Errorf("%s left: %v", funded.Left(), err)
	}
	if _, over := End(funded, protocol.Env{Height: funded.Until - 1}); over {
		t.Error("it ends before its last block")
	}
	effects, over := End(funded, protocol.Env{Height: funded.Until})
	if !over || effects[1] != (protocol.Pay{To: payer, Amount: money.New(1005)}) {
		t.Errorf("%+v", effects)
	}
	if _, _, err := AddFunds(funded, Fund{Amount: money.New(1)}, payer, protocol.Env{Height: funded.Until + 1}); !errors.Is(err, protocol.ErrFinished) {
		t.Errorf("funds after the end: %v", err)
	}
	empty := c
	empty.Amount = empty.Deposit
	if effects, _ := End(empty, protocol.Env{Height: empty.Until}); len(effects) != 2 {
		t.Errorf("an empty channel ends with %+v", effects)
	}
}

func TestChecks(t *testing.T) {
	huge := money.New(1 << 63).Times(1 << 63).Times(4)
	for name, m := range map[string]protocol.Msg{
		"no model":         Open{Deposit: money.New(1), Blocks: 1},
		"no time":          Open{Model: model, Deposit: money.New(1)},
		"no deposit":       Open{Model: model, Blocks: 1},
		"a huge deposit":   Open{Model: model, Deposit: huge, Blocks: 1},
		"nothing added":    Fund{},
		"no vouchers":      Redeem{},
		"part of one":      Redeem{Vouchers: make([]byte, PackedBytes-1)},
		"too many":         Redeem{Vouchers: make([]byte, (MaxVouchers+1)*PackedBytes)},
		"an endless while": Open{Model: model, Deposit: money.New(1), Blocks: MaxBlocks + 1},
	} {
		if err := m.Check(); !errors.Is(err, protocol.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	full, err := json.Marshal(Redeem{Vouchers: make([]byte, MaxVouchers*PackedBytes)})
	if err != nil || len(full) > MaxMessage {
		t.Errorf("the longest message has %d bytes", len(full))
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(Pack([]Voucher{{Channel: model, Uses: 1, Amount: money.New(7), Signature: [SignatureBytes]byte{64: 27}}}))
	f.Add(bytes.Repeat([]byte{255}, 2*PackedBytes))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := Unpack(data)
		if err != nil {
			return
		}
		if !bytes.Equal(Pack(list), data) {
			t.Error("another encoding")
		}
	})
}

func FuzzDecodeMsg(f *testing.F) {
	for _, m := range []protocol.Msg{Open{Model: model, Deposit: money.New(1), Blocks: 1}, Fund{Amount: money.New(1)}, Close{}, Redeem{Vouchers: make([]byte, PackedBytes)}} {
		raw, _ := json.Marshal(m)
		f.Add(m.Kind(), raw)
	}
	f.Fuzz(func(t *testing.T, kind string, data []byte) {
		m, err := DecodeMsg(kind, data)
		if err != nil {
			return
		}
		raw, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := DecodeMsg(kind, raw); err != nil || m.Kind() != again.Kind() {
			t.Errorf("%s does not survive: %v", raw, err)
		}
	})
}
