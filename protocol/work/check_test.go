package work_test

import (
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
)

func fullSpec() work.Spec {
	s := testSpec()
	s.Dataset = hash("dataset")
	return s
}

func TestSpecCheck(t *testing.T) {
	if err := fullSpec().Check(); err != nil {
		t.Fatal(err)
	}
	many := make([]string, work.MaxParams+1)
	for name, change := range map[string]func(*work.Spec){
		"no name":               func(s *work.Spec) { s.Name = "" },
		"long name":             func(s *work.Spec) { s.Name = strings.Repeat("x", work.MaxName+1) },
		"control in name":       func(s *work.Spec) { s.Name = "a\x1b[2J" },
		"large recipe":          func(s *work.Spec) { s.Recipe = make([]byte, work.MaxRecipe+1) },
		"no params":             func(s *work.Spec) { s.Params = nil },
		"many params":           func(s *work.Spec) { s.Params = many },
		"params out of order":   func(s *work.Spec) { s.Params = []string{"b", "a"} },
		"param twice":           func(s *work.Spec) { s.Params = []string{"a", "a"} },
		"empty param":           func(s *work.Spec) { s.Params = []string{""} },
		"no dataset":            func(s *work.Spec) { s.Dataset = protocol.Hash{} },
		"no program":            func(s *work.Spec) { s.Program = protocol.Hash{} },
		"no inference program":  func(s *work.Spec) { s.InferenceProgram = protocol.Hash{} },
		"no initial model":      func(s *work.Spec) { s.Initial.Model = protocol.Hash{} },
		"no initial outer":      func(s *work.Spec) { s.Initial.Outer = protocol.Hash{} },
		"no initial blob":       func(s *work.Spec) { s.Initial.Blob = protocol.Hash{} },
		"no rounds":             func(s *work.Spec) { s.Rounds = 0 },
		"many rounds":           func(s *work.Spec) { s.Rounds = work.MaxRounds + 1 },
		"no steps":              func(s *work.Spec) { s.Steps = 0 },
		"no units":              func(s *work.Spec) { s.MaxUnits = 0 },
		"many units":            func(s *work.Spec) { s.MaxUnits = work.MaxUnits + 1 },
		"no providers":          func(s *work.Spec) { s.MinProviders = 0 },
		"many verifiers":        func(s *work.Spec) { s.MinVerifiers = work.MaxVerifiers + 1 },
		"no verifier decides":   func(s *work.Spec) { s.LeastVerifiers = 0 },
		"more to go on than to": func(s *work.Spec) { s.LeastVerifiers = s.MinVerifiers + 1 },
		"split below 10,000":    func(s *work.Spec) { s.Split.Burn = 0 },
		"split overflows":       func(s *work.Spec) { s.Split = work.Split{Provider: 1<<32 - 1, Verifiers: 10_001} },
		"free units":            func(s *work.Spec) { s.Price.PerUnit = money.Amount{} },
		"price of 2^128":        func(s *work.Spec) { s.Price.PerUnit = money.New(1 << 63).Times(1 << 63).Times(4) },
		"no provider bond":      func(s *work.Spec) { s.ProviderBond = money.Amount{} },
		"no verifier bond":      func(s *work.Spec) { s.VerifierBond = money.Amount{} },
		"divisor 0":             func(s *work.Spec) { s.Audit.CleanDivisor = 0 },
		"no floor":              func(s *work.Spec) { s.Audit.FloorPPM = 0 },
		"floor above all":       func(s *work.Spec) { s.Audit.FloorPPM = work.PPM + 1 },
		"units of nothing":      func(s *work.Spec) { s.UnitTokens = 0 },
		"units of everything":   func(s *work.Spec) { s.UnitTokens = work.MaxTokens + 1 },
		"no time to dispute":    func(s *work.Spec) { s.Windows.Dispute = 0 },
		"endless wait":          func(s *work.Spec) { s.Windows.Wait = work.MaxWindow + 1 },
		"no time to compute":    func(s *work.Spec) { s.Windows.Compute = 0 },
	} {
		s := fullSpec()
		change(&s)
		err := work.CreateRun{Spec: s}.Check()
		if !errors.Is(err, protocol.ErrInvalid) && !errors.Is(err, protocol.ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMessageCheck(t *testing.T) {
	h := hash("x")
	good := work.Result{Payload: work.PayloadRef{Root: h, Blob: h, Size: 1}, Trace: h}
	with := func(change func(*work.Result)) work.Reveal {
		r := good
		change(&r)
		return work.Reveal{Result: r}
	}
	next := work.StateRef{Model: h, Outer: h, Blob: h}
	for name, c := range map[string]struct {
		msg  work.Msg
		want error
	}{
		"join":               {work.Join{Role: work.Provider}, nil},
		"join as king":       {work.Join{Role: "king"}, protocol.ErrInvalid},
		"join with a novel":  {work.Join{Role: work.Verifier, Peer: strings.Repeat("x", work.MaxPeer+1)}, protocol.ErrInvalid},
		"ready":              {work.Ready{Peer: "/ip4/1.2.3.4"}, nil},
		"ready with bell":    {work.Ready{Peer: "\a"}, protocol.ErrInvalid},
		"leave":              {work.Leave{}, nil},
		"commit":             {work.Commit{Seal: h}, nil},
		"commit nothing":     {work.Commit{}, protocol.ErrInvalid},
		"commit far unit":    {work.Commit{Seal: h, Unit: work.MaxUnits}, protocol.ErrInvalid},
		"reveal":             {work.Reveal{Result: good}, nil},
		"reveal far unit":    {work.Reveal{Result: good, Unit: work.MaxUnits}, protocol.ErrInvalid},
		"reveal no root":     {with(func(r *work.Result) { r.Payload.Root = protocol.Hash{} }), protocol.ErrInvalid},
		"reveal no blob":     {with(func(r *work.Result) { r.Payload.Blob = protocol.Hash{} }), protocol.ErrInvalid},
		"reveal no trace":    {with(func(r *work.Result) { r.Trace = protocol.Hash{} }), protocol.ErrInvalid},
		"reveal no bytes":    {with(func(r *work.Result) { r.Payload.Size = 0 }), protocol.ErrTooLarge},
		"reveal an ocean":    {with(func(r *work.Result) { r.Payload.Size = work.MaxPayload + 1 }), protocol.ErrTooLarge},
		"audit commit":       {work.AuditCommit{Seal: h}, nil},
		"audit commit none":  {work.AuditCommit{}, protocol.ErrInvalid},
		"report":             {work.AuditReveal{Report: work.Report{Audits: []work.Opening{{Unit: 1}, {Unit: 2}}}}, nil},
		"report too long":    {work.AuditReveal{Report: work.Report{Available: make([]bool, work.MaxUnits+1)}}, protocol.ErrTooLarge},
		"report twice":       {work.AuditReveal{Report: work.Report{Audits: []work.Opening{{Unit: 1}, {Unit: 1}}}}, protocol.ErrInvalid},
		"report far unit":    {work.AuditReveal{Report: work.Report{Audits: []work.Opening{{Unit: work.MaxUnits}}}}, protocol.ErrInvalid},
		"report with novel":  {work.AuditReveal{Report: work.Report{Audits: []work.Opening{{Detail: strings.Repeat("x", work.MaxDetail+1)}}}}, protocol.ErrInvalid},
		"report too much":    {work.AuditReveal{Report: work.Report{Audits: make([]work.Opening, work.MaxUnits+1)}}, protocol.ErrTooLarge},
		"aggregate":          {work.Aggregate{Next: next, Trace: hash("t"), Rejected: []uint32{0, 255}}, nil},
		"aggregate no trace": {work.Aggregate{Next: next}, protocol.ErrInvalid},
		"aggregate nothing":  {work.Aggregate{}, protocol.ErrInvalid},
		"aggregate too much": {work.Aggregate{Next: next, Trace: hash("t"), Rejected: make([]uint32, work.MaxUnits+1)}, protocol.ErrTooLarge},
		"aggregate unsorted": {work.Aggregate{Next: next, Trace: hash("t"), Rejected: []uint32{2, 1}}, protocol.ErrInvalid},
		"aggregate far unit": {work.Aggregate{Next: next, Trace: hash("t"), Rejected: []uint32{work.MaxUnits}}, protocol.ErrInvalid},
	} {
		if err := c.msg.Check(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// TestAuditRate quotes spec/work.md §7.
func TestAuditRate(t *testing.T) {
	p := work.DefaultSpec().Audit
	for clean, want := range map[uint32]uint32{
		0: 1_000_000, 2: 1_000_000, 3: 869_565, 20: 500_000, 180: 100_000, 646: 30_030, 647: 30_000, 1 << 31: 30_000,
	} {
		if got := p.Rate(clean); got != want {
			t.Errorf("rate after %d clean units is %d ppm, not %d", clean, got, want)
		}
	}
}

func TestQuorum(t *testing.T) {
	for n, want := range []int{1: 1, 2: 2, 3: 3, 4: 3, 5: 4, 6: 5, 7: 5, 10: 7} {
		if n > 0 && want > 0 && work.Quorum(n) != want {
			t.Errorf("quorum of %d is %d, not %d", n, work.Quorum(n), want)
		}
	}
}

// TestRunIDBindsSpec changes each field of a Spec by itself: the id must change too.
func TestRunIDBindsSpec(t *testing.T) {
	author := account("a")
	ids := map[protocol.Hash]string{work.RunID(author, work.CreateRun{Spec: fullSpec()}): "the original"}
	add := func(name string, id protocol.Hash) {
		if other, ok := ids[id]; ok {
			t.Errorf("%s and %s have one id", name, other)
		}
		ids[id] = name
	}
	add("nonce", work.RunID(author, work.CreateRun{Spec: fullSpec(), Nonce: 1}))
	add("author", work.RunID(account("b"), work.CreateRun{Spec: fullSpec()}))
	for name, change := range map[string]func(*work.Spec){
		"name": func(s *work.Spec) { s.Name = "x" }, "dataset": func(s *work.Spec) { s.Dataset[0]++ },
		"program": func(s *work.Spec) { s.Program[0]++ }, "inference": func(s *work.Spec) { s.InferenceProgram[0]++ },
		"params": func(s *work.Spec) { s.Params = []string{"fc1.biasfc1.weight"} }, "recipe": func(s *work.Spec) { s.Recipe = nil },
		"model": func(s *work.Spec) { s.Initial.Model[0]++ }, "outer": func(s *work.Spec) { s.Initial.Outer[0]++ },
		"blob": func(s *work.Spec) { s.Initial.Blob[0]++ }, "rounds": func(s *work.Spec) { s.Rounds++ },
		"steps": func(s *work.Spec) { s.Steps++ }, "units": func(s *work.Spec) { s.MaxUnits++ },
		"providers": func(s *work.Spec) { s.MinProviders++ }, "verifiers": func(s *work.Spec) { s.MinVerifiers++ },
		"least": func(s *work.Spec) { s.LeastVerifiers++ }, "seed": func(s *work.Spec) { s.Seed[0]++ },
		"price": func(s *work.Spec) { s.Price.PerUnit = money.New(1) }, "split": func(s *work.Spec) { s.Split.Provider++ },
		"split 2": func(s *work.Spec) { s.Split.Verifiers++ }, "split 3": func(s *work.Spec) { s.Split.Burn++ },
		"bond": func(s *work.Spec) { s.ProviderBond = money.New(1) }, "bond 2": func(s *work.Spec) { s.VerifierBond = money.New(1) },
		"newcomers": func(s *work.Spec) { s.Audit.NewcomerUnits++ }, "divisor": func(s *work.Spec) { s.Audit.CleanDivisor++ },
		"floor": func(s *work.Spec) { s.Audit.FloorPPM++ }, "tokens": func(s *work.Spec) { s.UnitTokens++ },
		"dispute": func(s *work.Spec) { s.Windows.Dispute++ }, "compute": func(s *work.Spec) { s.Windows.Compute++ },
		"reveal": func(s *work.Spec) { s.Windows.Reveal++ }, "audit": func(s *work.Spec) { s.Windows.AuditCommit++ },
		"audit 2": func(s *work.Spec) { s.Windows.AuditReveal++ }, "aggregate": func(s *work.Spec) { s.Windows.Aggregate++ },
		"wait": func(s *work.Spec) { s.Windows.Wait++ },
	} {
		s := fullSpec()
		change(&s)
		add(name, work.RunID(author, work.CreateRun{Spec: s}))
	}
}

// TestCommitSealBinds changes everything that a seal must bind, one by one.
func TestCommitSealBinds(t *testing.T) {
	h := hash("h")
	r := work.Result{Payload: work.PayloadRef{Root: hash("r"), Blob: hash("b"), Size: 9}, Trace: hash("t")}
	change := func(f func(*work.Result)) work.Result {
		c := r
		f(&c)
		return c
	}
	a, s := account("a"), hash("salt")
	seals := map[protocol.Hash]int{}
	for i, seal := range []protocol.Hash{
		work.CommitSeal(h, 1, 2, h, a, r, s),
		work.CommitSeal(hash("i"), 1, 2, h, a, r, s),
		work.CommitSeal(h, 2, 2, h, a, r, s),
		work.CommitSeal(h, 1, 3, h, a, r, s),
		work.CommitSeal(h, 1, 2, hash("i"), a, r, s),
		work.CommitSeal(h, 1, 2, h, account("b"), r, s),
		work.CommitSeal(h, 1, 2, h, a, r, h),
		work.CommitSeal(h, 1, 2, h, a, change(func(r *work.Result) { r.Payload.Root[0]++ }), s),
		work.CommitSeal(h, 1, 2, h, a, change(func(r *work.Result) { r.Payload.Blob[0]++ }), s),
		work.CommitSeal(h, 1, 2, h, a, change(func(r *work.Result) { r.Payload.Size++ }), s),
		work.CommitSeal(h, 1, 2, h, a, change(func(r *work.Result) { r.Trace[0]++ }), s),
	} {
		if j, ok := seals[seal]; ok {
			t.Errorf("seals %d and %d are equal", i, j)
		}
		seals[seal] = i
	}
}

// TestReceiptsExplain reads one receipt of each kind of a run with a liar.
func TestReceiptsExplain(t *testing.T) {
	w, all := start(t, testSpec(), four, verifiers)
	w.settle(t, 60, all, map[string]strategy{"p2": liar})
	want := map[string]string{
		"r1-u":    "Of the price of 10 MUT the worker gets 8500 parts of 10000 (8.5 MUT), the verifiers 1000 (1 MUT), and 0.5 MUT are burned",
		"r1-v":    "duties that verifiers did in round 1, which share 3 MUT",
		"bounty":  "Half of a bond of 50 MUT that was slashed in round 1",
		"bond":    "The bond of a member that left or whose run has ended",
		"refund":  "Budget that the run locked and did not spend",
		"u-wrong": "wrong; refuted in a dispute. Recomputed by",
	}
	for _, r := range w.ledger.Receipts(w.run) {
		text := r.Explain()
		if strings.Contains(text, "\n") || !strings.Contains(text, "Rules: work version 1.") || !strings.Contains(text, r.Amount.Coins()+" to "+r.To.String()) {
			t.Errorf("receipt %s: %s", r.ID, text)
		}
		for key, part := range want {
			if strings.Contains(text, part) {
				delete(want, key)
			}
		}
	}
	for key := range want {
		t.Errorf("no receipt says what %s must say", key)
	}
}

// TestMessagesJSON sends every message of a run with a liar through its JSON form.
func TestMessagesJSON(t *testing.T) {
	w, all := start(t, testSpec(), four, verifiers)
	kinds := map[string]bool{}
	for range 60 {
		for _, who := range all {
			how := honest
			if who == "p2" {
				how = liar
			}
			for _, task := range work.Duty(w.state(), account(who)) {
				for _, m := range w.message(account(who), how, task) {
					data, err := json.Marshal(m)
					if err != nil {
						t.Fatal(err)
					}
					decode := func() (protocol.Msg, error) { return work.DecodeMsg(m.Kind(), data) }
					if m.Kind() == (dispute.Open{}).Kind() {
						decode = func() (protocol.Msg, error) { return dispute.DecodeMsg(m.Kind(), data) }
					}
					back, err := decode()
					if err != nil {
						t.Fatalf("%s: %v", data, err)
					}
					kinds[m.Kind()] = true
					if err := w.ledger.Submit(account(who), back); err != nil {
						t.Fatalf("%s of %s: %v", m.Kind(), who, err)
					}
				}
			}
			if err := w.play(account(who)); err != nil {
				t.Fatal(err)
			}
		}
		w.ledger.Advance()
	}
	if w.state().Phase != work.PhaseFinished || len(kinds) < 6 {
		t.Errorf("phase %s after messages of %d kinds", w.state().Phase, len(kinds))
	}
}

// TestPointsLength refuses openings with too few or too many points, which encoding/json would fill or cut.
func TestPointsLength(t *testing.T) {
	for n, ok := range map[int]bool{0: false, 16: false, 17: true, 18: false} {
		points, err := json.Marshal(make([]protocol.Hash, n))
		if err != nil {
			t.Fatal(err)
		}
		data := `{"round":1,"report":{"audits":[{"unit":0,"points":` + string(points) + `}]}}`
		if _, err := work.DecodeMsg("work/audit-reveal", []byte(data)); (err == nil) != ok || (err != nil && !errors.Is(err, protocol.ErrInvalid)) {
			t.Errorf("%d points: %v", n, err)
		}
	}
}

// TestOpeningsTakeNoMemoryFirst: a message of many empty openings is refused before room is made for them.
func TestOpeningsTakeNoMemoryFirst(t *testing.T) {
	body := []byte(`{"report":{"audits":[` + strings.Repeat("{},", work.MaxMessage/3-20) + `{}]}}`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := work.DecodeMsg(work.AuditReveal{}.Kind(), body)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, protocol.ErrTooLarge) {
		t.Error(err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 64*work.MaxMessage {
		t.Errorf("%d bytes of message take %d of memory", len(body), used)
	}
	strict := []byte(`{"report":{"audits":[{"unit":0,"more":1}]}}`)
	if _, err := work.DecodeMsg(work.AuditReveal{}.Kind(), strict); !errors.Is(err, protocol.ErrInvalid) {
		t.Errorf("a field that openings do not have: %v", err)
	}
}
