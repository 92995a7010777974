package recipe

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
)

const table = `name = "diagnosis"

[data]
kind = "table"
path = "wdbc.csv"
label = "malignant"

[model]
kind = "mlp"
hidden = [32, 16]

[train]
rounds = 8
steps = 100
batch = 32
lr = 0.01
`

const text = `name = "gocode"
[data]
kind = "text"
source = "goroot"
include = ["fmt", "strings"]
limit_bytes = 500000
[model]
kind = "transformer"
context = 64
width = 64
layers = 2
heads = 4
[train]
rounds = 4
steps = 20
batch = 16
lr = 0.003
`

// withOptimizer needs version 2 of the canonical bytes.
const withOptimizer = table + "optimizer = \"muon\"\nmomentum = 0.9\n"

// TestOneEncoding: version 2 of what version 1 can say is refused, and so is an unknown version.
func TestOneEncoding(t *testing.T) {
	r, err := Parse([]byte(withOptimizer))
	if err != nil {
		t.Fatal(err)
	}
	b := r.Encode()
	adamW := bytes.Replace(b, []byte("\x04\x00\x00\x00muon"), []byte("\x05\x00\x00\x00adamw"), 1)
	binary.LittleEndian.PutUint32(adamW[len(adamW)-4:], math.Float32bits(defaultMomentum))
	if _, err := Decode(adamW); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("AdamW in version 2: error %v", err)
	}
	b[len(magic)] = 3
	if _, err := Decode(b); !errors.Is(err, ErrInvalid) {
		t.Errorf("version 3: error %v", err)
	}
}

func TestParse(t *testing.T) {
	r, err := Parse([]byte(table))
	if err != nil {
		t.Fatal(err)
	}
	if r.Train.Steps != 100 || r.Train.Beta2 != 0.95 || r.Pay.UnitPrice != "1 MUT" || r.Data.HoldoutPercent != 20 {
		t.Errorf("parsed %+v", r)
	}
	if _, err := Parse([]byte(text)); err != nil {
		t.Error(err)
	}
}

// TestMistakes checks that each mistake is explained: the line, the key, and the way out.
func TestMistakes(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"steps = 100", "stepz = 100", `line 14: unknown key "train.stepz": no run file has this key; did you mean "train.steps"`},
		{"steps = 100", "label = 100", `line 14: unknown key "train.label": no run file has this key; did you mean "data.label"`},
		{"steps = 100", "steps = 100\nqqqqqqqqqqqq = 1", `line 15: unknown key "train.qqqqqqqqqqqq": no run file has this key`},
		{"[train]", "[trian]", `line 12: unknown key "trian"`},
		{"[train]", "[trian]", `did you mean "train"`},
		{"steps = 100", "steps = 1001", "line 14: train.steps: 1001 is outside 1 to 1000"},
		{"steps = 100\n", "", "train.steps: 0 is outside 1 to 1000; add the key train.steps"},
		{"steps = 100", `steps = "many"`, "line 14: run file cannot be read"},
		{"steps = 100", "steps = ", "line 14: run file cannot be read"},
		{"lr = 0.01", "lr = 0.01\noptimizer = \"lion\"", `line 17: train.optimizer: "lion" is unknown; use adamw or sgd or nesterov or muon or adafactor`},
		{"lr = 0.01", "lr = 0.01\nmomentum = 0.9", `line 17: train.momentum: the optimizer is "adamw"; remove it, or use sgd, nesterov or muon`},
		{"lr = 0.01", "lr = nan", "line 16: train.lr: NaN is outside"},
		{"lr = 0.01", "lr = 0.01\nweight_decay = -0.0", "line 17: train.weight_decay: -0 is outside"},
		{"hidden = [32, 16]", "hidden = []", "line 10: model.hidden: 0 items"},
		{"hidden = [32, 16]", "hidden = [32, 4000]", "line 10: model.hidden: 4000 is outside 1 to 1024"},
		{"hidden = [32, 16]", "hidden = [32, 16]\ncontext = 4", `line 11: model.context: it has a meaning only for kind "transformer"; remove it`},
		{`kind = "mlp"`, `kind = "cnn"`, `line 9: model.kind: "cnn" is unknown; use mlp or transformer`},
		{`kind = "mlp"`, `kind = "transformer"`, "a table feeds an mlp"},
		{`path = "wdbc.csv"`, `path = "../../etc/passwd"`, "line 5: data.path: \"../../etc/passwd\" is not a plain relative path"},
		{`name = "diagnosis"`, `name = "Diagnosis 1"`, "line 1: name: \"Diagnosis 1\" is not a name"},
		{"[train]", "[pay]\nunit_price = \"1.50 MUT\"\n[train]", `line 13: pay.unit_price: "1.50 MUT" is not an amount; write it like "1.5 MUT"`},
		{"[train]", "[network]\nmin_providers = 20\n[train]", "line 13: network.min_providers: 20 providers cannot share 16 units"},
		{"[train]", "[network]\nmax_units = 257\n[train]", "line 13: network.max_units: 257 is outside 1 to 256"}, // as the ledger has it
		{"[train]", "[market]\nclass = \"cpu/home\"\n[train]", `line 13: market.class: "cpu/home" is not a class; write RESOURCE/REGION/TIER/TENOR`},
		{"[train]", "[market]\nproviders = 3\n[train]", `line 13: market.providers: the run file does not say what class of machines it hires; say it, like market.class = "cpu/home/audited/2"`},
		{"[train]", "[market]\nclass = \"cpu/home/audited/2\"\nproviders = 1\n[train]", "line 14: market.providers: 1 are hired and the run waits for 2"},
		{"[train]", "[market]\nclass = \"cpu/home/audited/2\"\nproviders = 5\noffers = 4\n[train]", "line 15: market.offers: the run bids for 5 units"},
		{"[train]", "[network]\nmin_verifiers = 65\n[train]", "line 13: network.min_verifiers: 65 is outside 1 to 64"},
	} {
		_, err := Parse([]byte(strings.Replace(table, c.old, c.new, 1)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q -> %q:\n got  %v\n want %s", c.old, c.new, err, c.want)
		}
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v does not wrap ErrInvalid", c.new, err)
		}
	}
	if _, err := Parse([]byte(strings.Replace(text, "heads = 4", "heads = 5", 1))); err == nil || !strings.Contains(err.Error(), "line 12: model.heads: width 64 does not divide into 5 heads") {
		t.Errorf("heads: %v", err)
	}
	large := strings.NewReplacer("context = 64", "context = 1024", "layers = 2", "layers = 16", "batch = 16", "batch = 64").Replace(text)
	if _, err := Parse([]byte(large)); err == nil || !strings.Contains(err.Error(), "line 16: train.batch: a step on 65536 tokens keeps about") {
		t.Errorf("a step that needs too much memory: %v", err)
	}
	if _, err := Parse([]byte(strings.Replace(text, `["fmt", "strings"]`, `["strings", "fmt"]`, 1))); err == nil {
		t.Error("include out of order accepted")
	}
}

// How a run hires is complete after parsing, and leaves no trace in the canonical bytes.
func TestMarket(t *testing.T) {
	plain, err := Parse([]byte(table))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Parse([]byte(table + "\n[market]\nclass = \"cpu/home/audited/2\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	if want := (Market{"cpu/home/audited/2", "1 MUT", 2, 2}); r.Market != want {
		t.Errorf("parsed %+v, want %+v", r.Market, want)
	}
	if !bytes.Equal(r.Encode(), plain.Encode()) {
		t.Error("the canonical bytes differ")
	}
}

func TestEncodeRoundTrip(t *testing.T) {
	for _, file := range []string{table, text, withOptimizer} {
		r, err := Parse([]byte(file))
		if err != nil {
			t.Fatal(err)
		}
		b := r.Encode()
		if want := map[bool]byte{false: first, true: second}[file == withOptimizer]; b[len(magic)] != want {
			t.Errorf("version %d, want %d", b[len(magic)], want)
		}
		back, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(r, back) {
			t.Errorf("decoded %+v\nwant %+v", back, r)
		}
		for n := range b {
			if _, err := Decode(b[:n]); err == nil {
				t.Fatalf("the first %d of %d bytes decode", n, len(b))
			}
		}
		if _, err := Decode(append(b, 0)); err == nil {
			t.Error("a trailing byte is accepted")
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, file := range []string{table, text, withOptimizer} {
		r, err := Parse([]byte(file))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(r.Encode())
	}
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Decode(b)
		if err != nil {
			return
		}
		if !bytes.Equal(r.Encode(), b) {
			t.Fatalf("accepted bytes encode differently")
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(table))
	f.Add([]byte(text))
	f.Add([]byte("name = 1\n[[data]]\n"))
	f.Add([]byte("name = 1979-05-27T07:32:00Z\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := Parse(file)
		if err != nil {
			return
		}
		if _, err := Decode(r.Encode()); err != nil {
			t.Fatalf("parsed recipe does not decode: %v", err)
		}
	})
}
