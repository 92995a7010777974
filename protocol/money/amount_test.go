package money

import (
	"encoding/json"
	"errors"
	"math/big"
	"testing"
)

const maximum = "115792089237316195423570985008687907853269984665640564039457584007913129639935" // 2^256-1

func amount(t *testing.T, s string) Amount {
	t.Helper()
	a, err := Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestParse(t *testing.T) {
	for _, s := range []string{"0", "1", "10", "1500000000000000000", maximum} {
		if got := amount(t, s).String(); got != s {
			t.Errorf("%s became %s", s, got)
		}
	}
	for _, c := range []struct {
		text string
		want error
	}{
		{"", ErrSyntax}, {"-1", ErrSyntax}, {"+1", ErrSyntax}, {"01", ErrSyntax}, {"1.0", ErrSyntax}, {"1e3", ErrSyntax}, {" 1", ErrSyntax},
		{"0x1", ErrSyntax}, {"1_0", ErrSyntax}, {"١", ErrSyntax}, {"1" + maximum, ErrSyntax},
		{"115792089237316195423570985008687907853269984665640564039457584007913129639936", ErrRange},
	} {
		if _, err := Parse(c.text); !errors.Is(err, c.want) {
			t.Errorf("%q: %v", c.text, err)
		}
	}
}

func TestParseMUT(t *testing.T) {
	for _, c := range []struct{ in, base, out string }{
		{"1.5 MUT", "1500000000000000000", "1.5 MUT"},
		{"1.5", "1500000000000000000", "1.5 MUT"},
		{" 20 MUT ", "20000000000000000000", "20 MUT"},
		{"0.000000000000000001MUT", "1", "0.000000000000000001 MUT"},
		{"0", "0", "0 MUT"},
		{"0.00", "0", "0 MUT"},
		{"007", "7000000000000000000", "7 MUT"},
		{"20 amut", "20", "0.00000000000000002 MUT"},
		{"0amut", "0", "0 MUT"},
	} {
		a, err := ParseMUT(c.in)
		if err != nil || a.String() != c.base || a.Coins() != c.out {
			t.Errorf("%q: %s, %s, %v", c.in, a, a.Coins(), err)
		}
	}
	for _, bad := range []string{"", "MUT", ".5", "1.", "1.0000000000000000001", "-1", "1,5", "1 EUR", "1.5 amut", "1 MUT MUT", "1 2", "9" + maximum} {
		if a, err := ParseMUT(bad); !errors.Is(err, ErrSyntax) && !errors.Is(err, ErrRange) {
			t.Errorf("%q: %s, %v", bad, a, err)
		}
	}
}

func TestArithmetic(t *testing.T) {
	top := amount(t, maximum)
	if _, err := top.Add(New(1)); !errors.Is(err, ErrRange) {
		t.Errorf("2^256-1 + 1: %v", err)
	}
	if _, err := New(1).Sub(New(2)); !errors.Is(err, ErrRange) {
		t.Errorf("1 - 2: %v", err)
	}
	if _, err := top.Mul(2); !errors.Is(err, ErrRange) {
		t.Errorf("(2^256-1) * 2: %v", err)
	}
	if _, err := New(1).MulDiv(1, 0); !errors.Is(err, ErrRange) {
		t.Errorf("1 / 0: %v", err)
	}
	if _, err := top.MulDiv(3, 2); !errors.Is(err, ErrRange) {
		t.Errorf("(2^256-1) * 3 / 2: %v", err)
	}
	if got := top.Part(999_999, 1_000_000); got.Compare(top) >= 0 || got.Plus(top.Part(1, 1_000_000)).Compare(top) >= 0 {
		t.Errorf("parts of 2^256-1: %s", got) // the product needs more than 256 bits; both parts are rounded down
	}
	if got := New(7).Part(1, 2); got != New(3) {
		t.Errorf("half of 7 is %s", got)
	}
	if got := MUT(2).Minus(MUT(1)).Plus(New(5)).Times(2); got.String() != "2000000000000000010" {
		t.Errorf("got %s", got)
	}
	if b := New(258).Bytes(); b[30] != 1 || b[31] != 2 {
		t.Errorf("bytes are not big endian: %v", b)
	}
}

func TestPanics(t *testing.T) {
	for name, f := range map[string]func(){
		"minus": func() { New(1).Minus(New(2)) },
		"plus":  func() { amount(t, maximum).Plus(New(1)) },
		"times": func() { amount(t, maximum).Times(2) },
		"part":  func() { New(1).Part(2, 1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s does not panic", name)
				}
			}()
			f()
		}()
	}
}

func TestJSON(t *testing.T) {
	b, err := json.Marshal(struct{ A Amount }{MUT(3)})
	if err != nil || string(b) != `{"A":"3000000000000000000"}` {
		t.Fatalf("%s, %v", b, err)
	}
	a := New(7)
	for _, bad := range []string{`7`, `"7.0"`, `""`} {
		if err := json.Unmarshal([]byte(bad), &a); err == nil || a != New(7) {
			t.Errorf("%s: %s, %v", bad, a, err)
		}
	}
}

// FuzzAmount compares with math/big: whatever is accepted is the same number, and sums and products are exact or refused.
func FuzzAmount(f *testing.F) {
	f.Add("0", "1", uint64(3))
	f.Add(maximum, "1", uint64(2))
	f.Add("1.5 MUT", "20 amut", uint64(10_000))
	f.Fuzz(func(t *testing.T, x, y string, n uint64) {
		a, err := ParseMUT(x)
		if err != nil {
			if a, err = Parse(x); err != nil {
				return
			}
		}
		if back, err := ParseMUT(a.Coins()); err != nil || back != a {
			t.Fatalf("%s is %s and reads as %s, %v", a, a.Coins(), back, err)
		}
		b, err := Parse(y)
		if err != nil {
			return
		}
		limit := new(big.Int).Lsh(big.NewInt(1), 256)
		exact := func(what string, got Amount, err error, want *big.Int) {
			if inRange := want.Sign() >= 0 && want.Cmp(limit) < 0; inRange != (err == nil) || (inRange && got.String() != want.String()) {
				t.Fatalf("%s of %s, %s and %d: %s, %v; exactly %s", what, a, b, n, got, err, want)
			}
		}
		p, _ := new(big.Int).SetString(a.String(), 10)
		q, _ := new(big.Int).SetString(b.String(), 10)
		k := new(big.Int).SetUint64(n)
		got, err := a.Add(b)
		exact("sum", got, err, new(big.Int).Add(p, q))
		got, err = a.Sub(b)
		exact("difference", got, err, new(big.Int).Sub(p, q))
		got, err = a.Mul(n)
		exact("product", got, err, new(big.Int).Mul(p, k))
		got, err = a.MulDiv(n, 10_000)
		exact("part", got, err, new(big.Int).Div(new(big.Int).Mul(p, k), big.NewInt(10_000)))
	})
}

func TestShare(t *testing.T) {
	big, err := Parse("115792089237316195423570985008687907853269984665640564039457584007913129639935") // 2^256 - 1
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ a, part, whole, want Amount }{
		{New(100), New(1), New(3), New(33)}, {New(100), New(0), New(3), New(0)}, {New(7), New(3), New(3), New(7)}, {big, big, big, big}, {big, New(1), big, New(1)},
	} {
		if got := c.a.Share(c.part, c.whole); got.Compare(c.want) != 0 {
			t.Errorf("%s·%s/%s is %s, want %s", c.a, c.part, c.whole, got, c.want)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a share above the whole")
		}
	}()
	New(1).Share(New(2), New(1))
}
