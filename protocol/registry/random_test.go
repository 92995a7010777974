package registry

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
)

// seeds is how many worlds TestRandomMessages plays.
const seeds = 1000

// world is the smallest host: balances, an escrow, and the records of the registry. money.Amount has no negative values, so a rule that would
// take more than there is panics.
type world struct {
	t        *testing.T
	random   *rand.Rand
	people   []protocol.Account
	balances map[protocol.Account]money.Amount
	escrow   money.Amount
	models   []Model
	held     map[protocol.Hash]map[protocol.Account]Holding
	touches  map[protocol.Hash]uint64 // of holdings, each of which may round away less than one amut
	runs     int
	done     map[string]int // messages that were carried out
}

const riches = 1 << 60

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		t: t, random: rand.New(rand.NewPCG(seed, 6)), balances: map[protocol.Account]money.Amount{}, done: map[string]int{},
		held: map[protocol.Hash]map[protocol.Account]Holding{}, touches: map[protocol.Hash]uint64{},
	}
	for i := range 6 {
		who := account(fmt.Sprint("person ", i))
		w.people = append(w.people, who)
		w.balances[who] = money.New(riches)
	}
	return w
}

func (w *world) person() protocol.Account { return w.people[w.random.IntN(len(w.people))] }

// execute carries out effects, or none if somebody has too little.
func (w *world) execute(effects []protocol.Effect) bool {
	for _, e := range effects {
		switch e := e.(type) {
		case protocol.Lock:
			if w.balances[e.From].Compare(e.Amount) < 0 {
				return false // the rules lock first
			}
			w.balances[e.From] = w.balances[e.From].Minus(e.Amount)
			w.escrow = w.escrow.Plus(e.Amount)
		case protocol.Pay:
			w.escrow = w.escrow.Minus(e.Amount)
			w.balances[e.To] = w.balances[e.To].Plus(e.Amount)
		case protocol.Burn:
			w.t.Fatal("the registry burns")
		}
	}
	return true
}

func (w *world) model(id protocol.Hash) int {
	return slices.IndexFunc(w.models, func(m Model) bool { return m.ID == id })
}

// flow lets the income of a model flow and returns the model.
func (w *world) flow(i int) Model {
	var parents []Model
	for _, p := range w.models[i].Parents {
		parents = append(parents, w.models[w.model(p.Model)])
	}
	m, changed, err := Flow(w.models[i], parents)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, p := range changed {
		w.models[w.model(p.ID)] = p
	}
	w.models[i] = m
	return m
}

func (w *world) give(m Model, list []Holding) {
	w.models = append(w.models, m)
	w.held[m.ID] = map[protocol.Account]Holding{}
	for _, h := range list {
		w.held[m.ID][h.Holder] = h
	}
}

func (w *world) put(h Holding) {
	w.touches[h.Model]++
	if h.Gone() {
		delete(w.held[h.Model], h.Holder)
	} else {
		w.held[h.Model][h.Holder] = h
	}
}

// publish ends a run of random members and registers its model, which may come from others.
func (w *world) publish() {
	w.runs++
	run := &work.State{ID: hash(fmt.Sprint("run ", w.runs)), Author: w.person(), Phase: work.PhaseFinished, Done: 1,
		Spec: work.Spec{Name: "r", Dataset: hash("data"), InferenceProgram: hash("p")}, Current: work.StateRef{Model: hash(fmt.Sprint("weights ", w.runs))}}
	for range w.random.IntN(7) {
		status := []work.Status{work.Active, work.Left, work.Expelled}[w.random.IntN(3)]
		run.Members = append(run.Members, work.Member{Account: w.person(), Status: status, Units: w.random.Uint32N(5), Duties: w.random.Uint32N(5)})
	}
	var parents []Model
	left := uint32(whole)
	n := min(w.random.IntN(4), len(w.models))
	for k, i := range w.random.Perm(len(w.models))[:n] {
		part := left
		if k < n-1 {
			part = 1 + w.random.Uint32N(left/2)
		}
		left -= part
		parents = append(parents, w.models[i])
		run.Spec.Parents = append(run.Spec.Parents, work.Parent{Model: w.models[i].ID, PPM: part})
		if w.random.IntN(2) == 0 {
			run.Spec.Initial.Model = w.models[i].Weights
		}
	}
	m, list, effects, err := Publish(PublishModel{Run: run.ID}, run, Dataset{ID: hash("data"), Steward: w.person()}, parents, nil, w.person(), protocol.Env{})
	if err != nil || !w.execute(effects) {
		w.t.Fatal(err)
	}
	w.give(m, list)
	w.done["publish"]++
}

// small is a graph that differs by a constant.
func small(t *testing.T, constant float32) []byte {
	b := graph.NewBuilder("g")
	x := b.Input("x", tensor.Float32, 1, 1)
	b.Output("y", b.Op("Add", nil, x, b.Initializer("c", tensor.Scalar(constant))))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return graph.Encode(g)
}

func (w *world) deposit() {
	who, m := w.person(), DepositModel{Name: "m", Artifact: small(w.t, float32(w.random.IntN(2)))}
	id, err := DepositID(m.Artifact, who)
	if err != nil {
		w.t.Fatal(err)
	}
	var known *Model
	i := w.model(id)
	if i >= 0 {
		known = &w.models[i]
	}
	model, list, effects, err := Deposit(m, known, who, protocol.Env{})
	if err != nil || !w.execute(effects) {
		return
	}
	if i >= 0 {
		w.models[i] = model
	} else {
		w.give(model, list)
	}
	w.done["deposit"]++
}

// message sends one at random; many are refused, and leave everything as it was.
func (w *world) message() {
	switch n := w.random.IntN(100); {
	case n < 3:
		w.publish()
		return
	case n < 8:
		w.deposit()
		return
	case len(w.models) == 0:
		return
	case n < 12:
		i := w.random.IntN(len(w.models))
		if m, effects, err := Withdraw(w.models[i], w.person()); err == nil && w.execute(effects) {
			w.models[i] = m
			w.done["withdraw"]++
		}
		return
	}
	i := w.random.IntN(len(w.models))
	id := w.models[i].ID
	switch n := w.random.IntN(10); {
	case n < 4:
		from := w.person()
		m, effects, err := Charge(Use{id, money.New(1 + w.random.Uint64N(riches/8))}, w.models[i], from, protocol.Env{})
		if err == nil && w.execute(effects) {
			w.models[i] = m
			w.done["use"]++
		}
	case n < 5:
		w.flow(i)
		w.done["divide"]++
	case n < 7:
		w.claim(i, w.person())
	default:
		from, to := w.person(), w.person()
		sender, ok := w.held[id][from]
		if !ok {
			return
		}
		var known *Holding
		if h, ok := w.held[id][to]; ok {
			known = &h
		}
		m := w.flow(i)
		sender, receiver, _, err := Transfer(TransferShares{id, to, w.random.Uint32N(400_000)}, m, sender, known)
		if err == nil {
			w.put(sender)
			w.put(receiver)
			w.done["transfer"]++
		}
	}
}

func (w *world) claim(i int, who protocol.Account) {
	h, ok := w.held[w.models[i].ID][who]
	if !ok {
		return
	}
	m, h, effects, err := Claim(w.flow(i), h, protocol.Env{})
	if err == nil && w.execute(effects) {
		w.models[i] = m
		w.put(h)
		w.done["claim"]++
	}
}

// check holds the books against each other.
func (w *world) check() error {
	sum, claims := w.escrow, money.Amount{}
	for _, b := range w.balances {
		sum = sum.Plus(b)
	}
	if want := money.New(riches).Times(uint64(len(w.people))); sum != want {
		return fmt.Errorf("%s coins of %s", sum, want)
	}
	for _, m := range w.models {
		claims = claims.Plus(m.Claims()).Plus(m.Deposit)
		parts, owed := uint64(0), money.Amount{}
		for _, h := range w.held[m.ID] {
			parts += uint64(h.PPM)
			owed = owed.Plus(h.Owed(m))
		}
		kept := m.Holders.Minus(m.Paid)
		slack := money.New(w.touches[m.ID] + uint64(len(w.people)))
		switch {
		case parts != whole:
			return fmt.Errorf("%d parts of a model", parts)
		case owed.Compare(kept) > 0, kept.Minus(owed).Compare(slack) > 0:
			return fmt.Errorf("holders are owed %s of %s after %d touches", owed, kept, w.touches[m.ID])
		}
		given := uint64(0)
		for _, s := range m.Shares {
			given += uint64(s.PPM)
		}
		above := uint64(0)
		for _, p := range m.Parents {
			above += uint64(p.PPM)
		}
		if given != whole || len(m.Parents) > 0 && above != whole {
			return fmt.Errorf("%d parts were given, %d to parents", given, above)
		}
	}
	if claims != w.escrow {
		return fmt.Errorf("the escrow has %s, claims are %s", w.escrow, claims)
	}
	return nil
}

// Whatever people send, coins are conserved, the escrow is the sum of claims and deposits, parts sum to a whole, and nobody is owed more than
// there is; in the end everything but the dust of rounding is paid.
func TestRandomMessages(t *testing.T) {
	all := map[string]int{}
	for seed := range uint64(seeds) {
		w := newWorld(t, seed)
		for n := range 60 {
			w.message()
			if err := w.check(); err != nil {
				t.Fatalf("seed %d, message %d: %v", seed, n, err)
			}
		}
		for i := range w.models { // later models come from earlier ones, so income flows down the list from its end
			w.flow(len(w.models) - 1 - i)
		}
		dust := uint64(0)
		for i, m := range w.models {
			for _, who := range w.people {
				w.claim(i, who)
			}
			if m, effects, err := Withdraw(w.models[i], m.Author); err == nil && w.execute(effects) {
				w.models[i] = m
			}
			dust += w.touches[m.ID] + uint64(len(w.people))
		}
		if err := w.check(); err != nil || w.escrow.Compare(money.New(dust)) > 0 {
			t.Fatalf("seed %d: %s are left in escrow: %v", seed, w.escrow, err)
		}
		for kind, n := range w.done {
			all[kind] += n
		}
	}
	for _, kind := range []string{"publish", "deposit", "withdraw", "use", "divide", "claim", "transfer"} {
		if all[kind] < seeds/10 {
			t.Errorf("only %d messages %q", all[kind], kind)
		}
	}
	t.Log(all)
}
