package audit

import (
	"bytes"
	"math/big"
	"slices"
)

// Parts per million. Rule: spec/registry.md §3, §5.
const (
	whole    = 1_000_000
	upward   = 300_000
	compute  = 500_000
	data     = 300_000
	author   = 150_000
	verifier = 50_000

	depositPerByte = 1_000_000_000_000 // amut; spec/registry.md §7
)

// model is who owns a model and what it earned. Rule: spec/registry.md §3 to §6.
type model struct {
	parents  []parent
	uses     uint64
	earned   *big.Int          // of its own uses, and what came up
	direct   *big.Int          // of earned: of its own uses
	from     map[Hash]*big.Int // of earned: what came up, by the model that it came from
	flowed   *big.Int          // of earned: divided between its holders and its parents
	own      *big.Int          // of flowed: its holders'
	paid     *big.Int          // of own: paid to them
	holdings map[Account]*holding
	author   Account  // of a deposited model
	deposit  *big.Int // of the author, while the bytes lie on the ledger; nil otherwise
}

type holding struct {
	ppm   int64
	seen  *big.Int // own, when it was touched last
	due   *big.Int // accrued and not paid
	steps []step   // of due; kept only to explain it
}

// step is income that was divided while a holding had the same parts.
type step struct {
	ppm            int64
	income, amount *big.Int
}

// registry reads a message about a dataset or a model.
func (b *Books) registry(m Message) {
	var body struct {
		Run    Hash    `json:"run"`
		Model  Hash    `json:"model"`
		Holder Account `json:"holder"`
		To     Account `json:"to"`
		PPM    int64   `json:"ppm"`
		Fee    Coins   `json:"fee"`
		Bytes  []byte  `json:"artifact"`
		Upload Hash    `json:"upload"`
		Size   int64   `json:"size"`
	}
	if !b.decode(m, &body) {
		return
	}
	switch m.Kind {
	case "registry/register-dataset":
		e, ok := b.take("registry.dataset-registered", "steward", m.From.String())
		var id Hash
		if !ok || id.UnmarshalText([]byte(e.Attributes["dataset"])) != nil {
			b.find("dataset of "+m.From.String(), "announced", "not announced")
			return
		}
		b.datasets[id] = m.From
	case "registry/publish-model":
		b.publish(body.Run)
	case "registry/use":
		b.use(body.Model, m.From, body.Fee.Int)
	case "registry/divide-income":
		b.flow(body.Model)
	case "registry/claim-dividend":
		b.claim(body.Model, body.Holder)
	case "registry/transfer-shares":
		b.transfer(body.Model, m.From, body.To, body.PPM)
	case "registry/deposit-model":
		b.deposit(m.From, int64(len(body.Bytes)))
	case "registry/withdraw-model":
		b.withdraw(body.Model, m.From)
	case "registry/open-upload":
		b.openUpload(m.From, body.Size)
	case "registry/add-chunk":
		b.finishUpload(body.Upload, m.From)
	case "registry/abort-upload":
		b.endUpload(body.Upload, m.From)
	default:
		b.find("message "+m.Kind, "known to this audit", "unknown")
	}
}

// publish gives the first shares of a model: by verified work, data, authorship and verification.
func (b *Books) publish(id Hash) {
	e, ok := b.take("registry.model-published", "run", id.String())
	if !ok {
		return // only an artifact was added
	}
	var name Hash
	r := b.runs[id]
	if name.UnmarshalText([]byte(e.Attributes["model"])) != nil || r == nil {
		b.find("model of run "+id.String(), "of a run that exists", "unknown")
		return
	}
	m := newModel()
	m.parents = r.parents
	give := func(who Account, ppm int64) {
		if m.holdings[who] == nil {
			m.holdings[who] = &holding{seen: new(big.Int), due: new(big.Int)}
		}
		m.holdings[who].ppm += ppm
	}
	toAuthor := int64(author)
	for _, role := range []struct {
		ppm int64
		of  func(*member) int64
	}{
		{compute, func(m *member) int64 { return m.units }},
		{verifier, func(m *member) int64 { return m.duties }},
	} {
		parts := divide(r, role.ppm, role.of)
		if len(parts) == 0 {
			toAuthor += role.ppm
		}
		for who, ppm := range parts {
			if ppm > 0 {
				give(who, ppm)
			}
		}
	}
	give(b.datasets[r.dataset], data)
	give(r.author, toAuthor)
	b.models[name] = m
}

func newModel() *model {
	return &model{earned: new(big.Int), direct: new(big.Int), from: map[Hash]*big.Int{}, flowed: new(big.Int), own: new(big.Int), paid: new(big.Int), holdings: map[Account]*holding{}}
}

// deposit locks what the bytes of a model cost. Rule: spec/registry.md §7.
func (b *Books) deposit(author Account, bytes int64) {
	e, ok := b.take("registry.model-deposited", "author", author.String())
	var id Hash
	if !ok || id.UnmarshalText([]byte(e.Attributes["model"])) != nil {
		b.find("model of "+author.String(), "announced", "not announced")
		return
	}
	amount := depositFor(bytes)
	if !b.deposited(id, author, amount) {
		return
	}
	b.because("model %.8s has %d bytes, at %s each", id, bytes, big.NewInt(depositPerByte))
	b.move(author, b.genesis.Registry, amount, "deposit of a model")
}

func depositFor(bytes int64) *big.Int {
	return new(big.Int).Mul(big.NewInt(depositPerByte), big.NewInt(bytes))
}

// deposited notes whose the deposit of a model is; one that is new is all its author's.
func (b *Books) deposited(id Hash, author Account, amount *big.Int) bool {
	m := b.models[id]
	if m == nil {
		m = newModel()
		m.author, m.holdings[author] = author, &holding{ppm: whole, seen: new(big.Int), due: new(big.Int)}
		b.models[id] = m
	}
	if m.deposit != nil || m.author != author {
		b.find("deposit for model "+id.String(), "of its author, once", "of "+author.String())
		return false
	}
	m.deposit = amount
	return true
}

// withdraw returns the deposit.
func (b *Books) withdraw(id Hash, author Account) {
	m := b.known(id)
	if m == nil {
		return
	}
	if m.deposit == nil || m.author != author {
		b.find("withdrawal of model "+id.String(), "by its author, of a deposit", "by "+author.String())
		return
	}
	b.move(b.genesis.Registry, author, m.deposit, "deposit of a model")
	m.deposit = nil
}

// divide shares ppm by work with the largest remainders, equal ones in ascending order of accounts.
func divide(r *run, ppm int64, of func(*member) int64) map[Account]int64 {
	var list []Account
	sum := new(big.Int)
	for who, m := range r.members {
		if of(m) > 0 && !m.expelled {
			list = append(list, who)
			sum.Add(sum, big.NewInt(of(m)))
		}
	}
	if len(list) == 0 {
		return nil
	}
	parts, rest := map[Account]int64{}, map[Account]*big.Int{}
	left := ppm
	for _, who := range list {
		product := new(big.Int).Mul(big.NewInt(of(r.members[who])), big.NewInt(ppm))
		q, rem := product.DivMod(product, sum, new(big.Int))
		parts[who], rest[who] = q.Int64(), rem
		left -= parts[who]
	}
	slices.SortFunc(list, func(x, y Account) int {
		if c := rest[y].Cmp(rest[x]); c != 0 {
			return c
		}
		return bytes.Compare(x[:], y[:])
	})
	for _, who := range list[:left] {
		parts[who]++
	}
	return parts
}

// use locks the fee of one use. What it is divided into follows when somebody asks.
func (b *Books) use(id Hash, payer Account, fee *big.Int) {
	if fee == nil {
		fee = new(big.Int)
	}
	if m := b.known(id); m != nil {
		b.because("use %d of model %.8s; its holders and parents share the fee", m.uses+1, id)
		b.move(payer, b.genesis.Registry, fee, "use of a model")
		m.uses++
		m.earned.Add(m.earned, fee)
		m.direct.Add(m.direct, fee)
		b.expect(Receipt{Owner: id, Kind: "use", To: payer, Amount: fee.String()})
	}
}

func (b *Books) known(id Hash) *model {
	m := b.models[id]
	if m == nil {
		b.find("model "+id.String(), "published", "unknown")
	}
	return m
}

// flow divides what a model has earned between its parents and its holders. All sums are of everything ever earned.
func (b *Books) flow(id Hash) *model {
	m := b.known(id)
	if m == nil {
		return nil
	}
	kept := minus(m.earned, m.flowed)
	for _, p := range m.parents {
		above := b.known(p.Model)
		if above == nil {
			return nil
		}
		up := minus(part(m.earned, upward*p.PPM, whole*whole), part(m.flowed, upward*p.PPM, whole*whole))
		above.earned.Add(above.earned, up)
		if above.from[id] == nil {
			above.from[id] = new(big.Int)
		}
		above.from[id].Add(above.from[id], up)
		kept.Sub(kept, up)
	}
	m.flowed.Set(m.earned)
	m.own.Add(m.own, kept)
	return m
}

func (h *holding) accrue(m *model) {
	income := minus(m.own, h.seen)
	amount := part(income, h.ppm, whole)
	h.due.Add(h.due, amount)
	if n := len(h.steps); n > 0 && h.steps[n-1].ppm == h.ppm {
		last := &h.steps[n-1]
		last.income, last.amount = new(big.Int).Add(last.income, income), new(big.Int).Add(last.amount, amount)
	} else if h.ppm > 0 && income.Sign() > 0 && n < maxSteps {
		h.steps = append(h.steps, step{h.ppm, income, amount})
	}
	h.seen.Set(m.own)
}

func (b *Books) claim(id Hash, holder Account) {
	m := b.flow(id)
	if m == nil {
		return
	}
	h := m.holdings[holder]
	if h == nil {
		b.find("dividend of "+holder.String(), "to a holder of model "+id.String(), "to a stranger")
		return
	}
	h.accrue(m)
	b.royalties(id, m, 0)
	for _, s := range h.steps {
		b.because("the holder has %d of 1,000,000 parts: %s · %d / 1,000,000, rounded down at each touch, is %s", s.ppm, s.income, s.ppm, s.amount)
	}
	h.steps = nil
	b.move(b.genesis.Registry, holder, h.due, "dividend")
	b.expect(Receipt{Owner: id, Kind: "dividend", To: holder, Amount: h.due.String()})
	m.paid.Add(m.paid, h.due)
	h.due = new(big.Int)
	m.drop(holder)
}

// maxSteps bounds what is kept of a holding to explain it, maxChain and maxTold how far a chain of models is told.
const (
	maxSteps = 64
	maxChain = 8
	maxTold  = 100
)

// royalties tells where the income of a model comes from, down the chain of the models that were made from it.
func (b *Books) royalties(id Hash, m *model, depth int) {
	if !b.explain || depth == maxChain || len(b.notes) > maxTold {
		return
	}
	b.because("model %.8s has earned %s in all, of which %s for %d uses of its own", id, m.earned, m.direct, m.uses)
	for _, child := range both(m.from, map[Hash]struct{}{}) {
		c := b.models[child]
		for _, p := range c.parents {
			if p.Model == id {
				b.because("%s came up from model %.8s, which was made from it: %s · 30 %% · %d / 1,000,000, rounded down, of all that it has earned", m.from[child], child, c.flowed, p.PPM)
			}
		}
		b.royalties(child, c, depth+1)
	}
	if up := minus(m.flowed, m.own); up.Sign() > 0 {
		b.because("model %.8s passes 30 %% on to the models that it was made from, which is %s; %s are its holders'", id, up, m.own)
	}
}

func (b *Books) transfer(id Hash, from, to Account, ppm int64) {
	m := b.flow(id)
	if m == nil {
		return
	}
	giver := m.holdings[from]
	if giver == nil || giver.ppm < ppm || ppm <= 0 {
		b.find("transfer of model "+id.String(), "of parts that the sender holds", "of others")
		return
	}
	taker := m.holdings[to]
	if taker == nil {
		taker = &holding{seen: new(big.Int).Set(m.own), due: new(big.Int)}
		m.holdings[to] = taker
	}
	giver.accrue(m)
	taker.accrue(m)
	giver.ppm -= ppm
	taker.ppm += ppm
	m.drop(from)
}

// drop forgets a holding of nothing.
func (m *model) drop(who Account) {
	if h := m.holdings[who]; h.ppm == 0 && h.due.Sign() == 0 {
		delete(m.holdings, who)
	}
}
