package modelscmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/work"
)

// shelf is a ledger of some models, all of one run each over one dataset.
type shelf struct {
	models   []registry.Model
	holdings []registry.Holding
}

func (s shelf) Models(context.Context) (ids []protocol.Hash, _ error) {
	for _, m := range s.models {
		ids = append(ids, m.ID)
	}
	return ids, nil
}

func (s shelf) Model(_ context.Context, id protocol.Hash) (registry.Model, error) {
	for _, m := range s.models {
		if m.ID == id {
			return m, nil
		}
	}
	return registry.Model{}, fmt.Errorf("%w: %s", protocol.ErrNotFound, id)
}

func (s shelf) Dataset(_ context.Context, id protocol.Hash) (registry.Dataset, error) {
	return registry.Dataset{ID: id, Name: "patients", Records: 569, Licence: "CC-BY-4.0", Steward: protocol.Account{2}}, nil
}

func (s shelf) Holdings(_ context.Context, id protocol.Hash) (list []registry.Holding, _ error) {
	for _, h := range s.holdings {
		if h.Model == id {
			list = append(list, h)
		}
	}
	return list, nil
}

func (shelf) Run(context.Context, protocol.Hash) (*work.State, error) {
	return nil, protocol.ErrNotFound
}
func (shelf) Artifact(context.Context, protocol.Hash) ([]byte, error) { return make([]byte, 7), nil }

func id(first byte) protocol.Hash { return protocol.Hash{first, first, 0x12} }

// family is the design's example: c has the parents a and b, a has the parent d, which was deposited and from which b claims to come, too.
func family(t *testing.T) shelf {
	t.Helper()
	run := func(first byte, parents ...registry.Parent) registry.Model {
		return registry.Model{ID: id(first), Name: "model " + string('a'+rune(first-0xa)), Run: protocol.Hash{1, first}, Dataset: protocol.Hash{2}, Lineage: registry.Proven,
			Author: protocol.Account{1}, Rounds: 8, Tokens: 100, Height: 5, Parents: parents,
			Shares: []registry.Share{{Holder: protocol.Account{3}, Role: registry.ForCompute, PPM: 500_000}, {Holder: protocol.Account{2}, Role: registry.ForData, PPM: 300_000},
				{Holder: protocol.Account{3}, Role: registry.ForAuthor, PPM: 200_000}}}
	}
	a := run(0xa, registry.Parent{Model: id(0xd), PPM: 1_000_000, Lineage: registry.Proven})
	b := run(0xb, registry.Parent{Model: id(0xd), PPM: 1_000_000, Lineage: registry.Claimed})
	c := run(0xc, registry.Parent{Model: id(0xa), PPM: 600_000, Lineage: registry.Proven}, registry.Parent{Model: id(0xb), PPM: 400_000, Lineage: registry.Claimed})
	d := registry.Model{ID: id(0xd), Name: "model d", Author: protocol.Account{4}, Lineage: registry.Claimed, Height: 2,
		Callable: &registry.Callable{Inputs: 30, Outputs: 1, MACs: 99}}
	c, _, err := registry.Charge(registry.Use{Model: c.ID, Fee: money.New(1_000_000)}, c, protocol.Account{9}, protocol.Env{})
	if err != nil {
		t.Fatal(err)
	}
	return shelf{[]registry.Model{a, b, c, d}, []registry.Holding{{Model: c.ID, Holder: protocol.Account{2}, PPM: 300_000}, {Model: c.ID, Holder: protocol.Account{3}, PPM: 700_000}}}
}

func TestCard(t *testing.T) {
	card, err := Read(t.Context(), family(t), id(0xc))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := card.PrintLineage(&out); err != nil {
		t.Fatal(err)
	}
	want := `model 0c0c120000000000 "model c"
├─ proven: run 010c000000000000 "model c", 8 rounds, 100 records or tokens, author 0x0100000000000000000000000000000000000000
│  └─ proven: dataset 0200000000000000 "patients", 569 records, CC-BY-4.0, steward 0x0200000000000000000000000000000000000000
├─ proven: model 0a0a120000000000 "model a", 60 % of the royalty
│  ├─ proven: run 010a000000000000 "model a", 8 rounds, 100 records or tokens, author 0x0100000000000000000000000000000000000000
│  │  └─ proven: dataset 0200000000000000 "patients", 569 records, CC-BY-4.0, steward 0x0200000000000000000000000000000000000000
│  └─ proven: model 0d0d120000000000 "model d", 100 % of the royalty
│     └─ claimed: author 0x0400000000000000000000000000000000000000, deposited in block 2
└─ claimed: model 0b0b120000000000 "model b", 40 % of the royalty
   ├─ proven: run 010b000000000000 "model b", 8 rounds, 100 records or tokens, author 0x0100000000000000000000000000000000000000
   │  └─ proven: dataset 0200000000000000 "patients", 569 records, CC-BY-4.0, steward 0x0200000000000000000000000000000000000000
   └─ claimed: model 0d0d120000000000 "model d", 100 % of the royalty, see above
`
	if out.String() != want {
		t.Errorf("lineage is\n%s", out.String())
	}
	// A use is paid and nobody asked for it yet: seven tenths are the holders', before anything was divided.
	if card.Income.Undivided != money.New(1_000_000) || !card.Income.ToParents.IsZero() || len(card.Holders) != 2 {
		t.Errorf("income %+v of %d holders", card.Income, len(card.Holders))
	}
	first := card.Holders[0]
	if first.Holder != (protocol.Account{3}) || first.Due != money.New(490_000) || given(first) != "compute 50 %, authorship 20 %" {
		t.Errorf("the first holder is %+v, %s", first, given(first))
	}
	out.Reset()
	if err := card.Print(&out); err != nil || !strings.Contains(out.String(), "\nlineage\nmodel 0c0c") {
		t.Errorf("%v\n%s", err, out.String())
	}
	deposited, err := Read(t.Context(), family(t), id(0xd))
	if err != nil || deposited.Bytes != 7 || deposited.Callable.Inputs != 30 {
		t.Errorf("%+v: %v", deposited, err)
	}
}

// What a stranger's ledger calls a model does not steer the terminal.
func TestHostileNames(t *testing.T) {
	l := family(t)
	for i := range l.models {
		l.models[i].Name = "a\x1b[2J\n\"b\" \u202e"
		l.models[i].Lineage = "\x07"
	}
	card, err := Read(t.Context(), l, id(0xc))
	if err != nil {
		t.Fatal(err)
	}
	lines, err := List(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := errors.Join(card.Print(&out), PrintList(&out, lines)); err != nil {
		t.Fatal(err)
	}
	if i := strings.IndexFunc(out.String(), func(r rune) bool { return r != '\n' && !unicode.IsGraphic(r) }); i >= 0 {
		t.Errorf("%q", out.String()[max(0, i-10):i+10])
	}
	if clean("São \"x\"") != "São \"x\"" {
		t.Error(clean("São \"x\""))
	}
}

func TestFind(t *testing.T) {
	l := family(t)
	l.models = append(l.models, registry.Model{ID: protocol.Hash{0xa, 0xa, 0x13}})
	for text, want := range map[string]int{
		"0x0B0b": failure.OK, id(0xa).String(): failure.OK, "0a0a": failure.Usage, "0a0a12": failure.OK, "0f0f": failure.NotFound,
		"0b0": failure.Usage, "model b": failure.Usage, "": failure.Usage, strings.Repeat("0", 65): failure.Usage,
	} {
		_, err := Find(t.Context(), l, text)
		var f *failure.Error
		if code := failure.OK; errors.As(err, &f) {
			if code = f.Code; code != want {
				t.Errorf("%q: %v", text, err)
			}
		} else if want != failure.OK {
			t.Errorf("%q was found", text)
		}
	}
}

func TestShare(t *testing.T) {
	for text, want := range map[string]uint32{"100": 1_000_000, "12.5%": 125_000, "0.0001 %": 1, "7.": 70_000} {
		if ppm, err := parseShare(text); err != nil || ppm != want {
			t.Errorf("%q is %d: %v", text, ppm, err)
		}
	}
	for _, text := range []string{"", "0", "100.0001", "-1", "1e2", "0.00001", "%", ".5", "1.2.3", "9999"} {
		if ppm, err := parseShare(text); err == nil {
			t.Errorf("%q is %d", text, ppm)
		}
	}
	for ppm, want := range map[uint32]string{1_000_000: "100 %", 125_000: "12.5 %", 1: "0.0001 %", 100_000: "10 %"} {
		if got := percent(ppm); got != want {
			t.Errorf("%d is %q", ppm, got)
		}
	}
}
