package app_test

import (
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	beaconprecompile "github.com/mutirao/mutirao/chain/precompile/beacon"
	creditsprecompile "github.com/mutirao/mutirao/chain/precompile/credits"
	"github.com/mutirao/mutirao/chain/precompile/infer"
	marketprecompile "github.com/mutirao/mutirao/chain/precompile/market"
	registryprecompile "github.com/mutirao/mutirao/chain/precompile/registry"
	requestprecompile "github.com/mutirao/mutirao/chain/precompile/request"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/contracts"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/request"
)

// contractPlot is what actors remember of contracts.
type contractPlot struct {
	abis   map[string]abi.ABI
	askers []common.Address
	asked  []protocol.Hash             // requests, final ones too
	lent   map[common.Address][]person // by token: who may move shares for whom, owner and spender
}

// interfaces of the precompiles and where they are.
var interfaces = map[string]common.Address{
	"IInfer": infer.Address, "IRegistry": registryprecompile.Address, "IRequests": requestprecompile.Address, "IMarket": marketprecompile.Address, "ICredits": creditsprecompile.Address,
	"IBeacon": beaconprecompile.Address,
}

func (s *scene) abi(name string) abi.ABI {
	if s.abis == nil {
		s.abis = map[string]abi.ABI{}
	}
	if _, ok := s.abis[name]; !ok {
		s.abis[name] = readABI(s.t, name)
	}
	return s.abis[name]
}

// calls is a call of a method at an address.
func (s *scene) calls(from person, to common.Address, name, method string, value money.Amount, args ...any) *deed {
	return &deed{from: from, gas: 6_000_000, call: &call{&to, value, pack(s.t, s.abi(name), method, args...)}, labels: []string{name + "." + method}}
}

func ofContracts() []operation {
	return []operation{
		{"evm: send", 30, (*scene).sendsCoins},
		{"evm: deploy", 8, (*scene).deploys},
		{"evm: read", 90, (*scene).reads},
		{"evm: infer", 25, (*scene).infers},
		{"evm: token", 50, (*scene).movesShares},
		{"evm: ask", 20, (*scene).asksModel},
		{"evm: work", 120, (*scene).answersRequests},
	}
}

// sendsCoins also goes to accounts that are not there yet.
func (s *scene) sendsCoins() *deed {
	who := s.person()
	to := common.Address(s.person().Account())
	if s.chance(20) {
		s.r.Read(to[:])
	}
	return &deed{from: who, gas: 100_000, call: &call{&to, s.amount(who, 200), nil}, labels: []string{"evm.send"}}
}

func (s *scene) deploys() *deed {
	who := s.person()
	account := who.Account()
	name := some(s, []string{"Asker", "RiskModel"})
	code := common.FromHex(contracts.Load(name).Bytecode)
	if name == "RiskModel" {
		models := s.callable()
		if len(models) == 0 {
			return nil
		}
		packed, err := s.abi(name).Pack("", [32]byte(some(s, models)))
		if err != nil {
			return nil // its constructor takes something else
		}
		code = append(code, packed...)
	} else {
		nonce := s.app.Account.GetAccount(s.ctx, account[:]).GetSequence()
		s.askers = append(s.askers, crypto.CreateAddress(common.Address(account), nonce))
	}
	return &deed{from: who, gas: 5_000_000, call: &call{nil, money.Amount{}, code}, labels: []string{"evm.deploy"}}
}

// callable are models whose bytes are on the chain.
func (s *scene) callable() []protocol.Hash {
	return s.known(s.knownModels(), func(id protocol.Hash) bool {
		n, err := s.app.Registry.ArtifactSize(s.ctx, id)
		return err == nil && n > 0
	})
}

func (s *scene) infers() *deed {
	models := s.callable()
	if len(models) == 0 {
		return nil
	}
	return s.calls(s.person(), infer.Address, "IInfer", "infer", money.Amount{}, [32]byte(some(s, models)), bitsOf(float32(s.r.NormFloat64()), float32(s.r.NormFloat64())))
}

// reads calls a view of a precompile.
func (s *scene) reads() *deed {
	who := s.person()
	other := common.Address(s.person().Account())
	model, callable, id, lease := [32]byte{}, [32]byte{}, [32]byte{}, [32]byte{}
	if list := s.knownModels(); len(list) > 0 {
		model = some(s, list)
	}
	if list := s.callable(); len(list) > 0 {
		callable = some(s, list)
	}
	if list := s.wanted(); len(list) > 0 {
		id = some(s, list)
	}
	if list := s.leases(who); len(list) > 0 {
		lease = some(s, list).ID
	}
	c := classOf(s.r.Intn(8))
	class := struct {
		Resource, Region, Tier string
		Tenor                  uint8
	}{c.Resource, c.Region, string(c.Tier), c.Tenor}
	views := []struct {
		name, method string
		args         []any
	}{
		{"IInfer", "preview", []any{callable, bitsOf(1, 2)}}, {"IInfer", "macs", []any{callable}}, {"IInfer", "fee", []any{callable}},
		{"IRegistry", "token", []any{model}}, {"IRegistry", "exists", []any{model}}, {"IRegistry", "info", []any{model}}, {"IRegistry", "parents", []any{model}},
		{"IRegistry", "artifact", []any{callable}}, {"IRegistry", "modelName", []any{model}}, {"IRegistry", "sharesOf", []any{model, other}}, {"IRegistry", "due", []any{model, other}},
		{"IRequests", "answer", []any{id}}, {"IRequests", "get", []any{id}}, {"IRequests", "inputOf", []any{id}}, {"IRequests", "wanted", []any{[32]byte{}, big.NewInt(10)}}, {"IRequests", "requestsOf", []any{other, [32]byte{}, big.NewInt(10)}},
		{"IRequests", "cost", []any{callable, requestTerms{2, big.NewInt(1e15), 20, 0, common.Address{}, 0, new(big.Int)}}}, {"IRequests", "bond", []any{id}}, {"IRequests", "sealOf", []any{id, other, bitsOf(1), [32]byte{1}}},
		{"IMarket", "price", []any{class}}, {"IMarket", "quote", []any{class, uint32(1)}}, {"IMarket", "lease", []any{lease}}, {"IMarket", "leases", []any{other, [32]byte{}, big.NewInt(5)}},
		{"ICredits", "spendable", []any{other}}, {"ICredits", "locked", []any{other}}, {"ICredits", "earned", []any{other}},
		{"IBeacon", "beacon", nil}, {"IBeacon", "beaconAt", []any{uint64(max(1, s.height()-1-s.r.Int63n(50)))}},
	}
	v := some(s, views)
	if s.chance(20) {
		v.name = "ShareToken"
		v.method = some(s, []string{"balanceOf", "allowance", "decimals", "model", "name", "symbol", "totalSupply"})
		v.args = map[string][]any{"balanceOf": {other}, "allowance": {other, other}}[v.method]
		return s.calls(who, registryprecompile.TokenAddress(model), v.name, v.method, money.Amount{}, v.args...)
	}
	return s.calls(who, interfaces[v.name], v.name, v.method, money.Amount{}, v.args...)
}

// movesShares uses the ERC-20 token of a model, or has a holder paid.
func (s *scene) movesShares() *deed {
	models := s.knownModels()
	if len(models) == 0 {
		return nil
	}
	model := some(s, models)
	holders := s.holders(model)
	if len(holders) == 0 {
		return nil
	}
	holder, other := some(s, holders), s.person()
	token := registryprecompile.TokenAddress(model)
	parts := big.NewInt(1 + s.r.Int63n(100_000))
	switch s.r.Intn(4) {
	case 0:
		return s.calls(other, registryprecompile.Address, "IRegistry", "claim", money.Amount{}, [32]byte(model), common.Address(holder.Account()))
	case 1:
		if s.lent == nil {
			s.lent = map[common.Address][]person{}
		}
		s.lent[token] = []person{holder, other}
		return s.calls(holder, token, "ShareToken", "approve", money.Amount{}, common.Address(other.Account()), new(big.Int).Lsh(parts, 3))
	case 2:
		pair := s.lent[token]
		if pair == nil {
			return nil
		}
		return s.calls(pair[1], token, "ShareToken", "transferFrom", money.Amount{}, common.Address(pair[0].Account()), common.Address(s.person().Account()), parts)
	default:
		d := s.calls(holder, token, "ShareToken", "transfer", money.Amount{}, common.Address(other.Account()), parts)
		d.labels = append(d.labels, "IRegistry.moveShares") // which the token calls
		return d
	}
}

func (s *scene) wanted() []protocol.Hash {
	list, err := s.app.Requests.Wanted(s.ctx, protocol.Hash{}, 100)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, id := range list {
		remember(&s.asked, id) // also when they are final
	}
	return list
}

// asksModel makes a request, directly or by a contract that is called back and does so wrongly at times.
func (s *scene) asksModel() *deed {
	models := s.callable()
	if len(models) == 0 {
		return nil
	}
	who, model := s.person(), [32]byte(some(s, models))
	input := bitsOf(float32(s.r.NormFloat64()), float32(s.r.NormFloat64()))
	terms := requestTerms{uint8(1 + s.r.Intn(3)), big.NewInt(1 + s.r.Int63n(1e15)), uint64(5 + s.r.Intn(40)), uint64(s.r.Intn(3) * s.r.Intn(20)), common.Address{}, 0, new(big.Int)}
	if len(s.askers) == 0 || s.chance(40) {
		return s.calls(who, requestprecompile.Address, "IRequests", "request", money.Amount{}, model, input, terms)
	}
	asker := some(s, s.askers)
	if s.chance(30) {
		return s.calls(who, asker, "Asker", "setMode", money.Amount{}, uint8(s.r.Intn(5)))
	}
	terms.Callback, terms.CallbackGas = asker, uint64(100_000+s.r.Intn(400_000))
	return s.calls(who, asker, "Asker", "ask", money.MUT(1), model, input, terms)
}

// answersRequests seals, opens, has replayed and delivers.
func (s *scene) answersRequests() *deed {
	open := s.wanted()
	if len(s.asked) > 0 && s.chance(15) {
		return s.calls(s.person(), requestprecompile.Address, "IRequests", "deliver", money.Amount{}, [32]byte(some(s, s.asked)))
	}
	if len(open) == 0 {
		return nil
	}
	id := some(s, open)
	r, err := s.app.Requests.Request(s.ctx, id, escrow.Free)
	if err != nil {
		s.t.Fatal(err)
	}
	input, err := s.app.Requests.Input(s.ctx, id, escrow.Free)
	if err != nil || len(input) != 2 {
		return nil
	}
	if r.Status == request.Contested && s.chance(60) || s.chance(10) {
		return s.calls(s.person(), requestprecompile.Address, "IRequests", "replay", money.Amount{}, [32]byte(id))
	}
	who := s.person()
	if i := slices.IndexFunc(r.Workers, func(w request.Worker) bool { return w.Answer.IsZero() }); i >= 0 && r.Status != request.Wanted {
		if p, ok := s.owner(r.Workers[i].Account); ok {
			who = p
		}
	}
	output := locally(s.t, input...)
	if account := who.Account(); (account[0]^id[0])%5 == 0 {
		output[0]++ // a lie
	}
	salt := hashOf(17)
	if r.Status == request.Wanted {
		seal := request.SealOf(id, who.Account(), request.Digest(output), salt)
		return s.calls(who, requestprecompile.Address, "IRequests", "seal", money.Amount{}, [32]byte(id), [32]byte(seal))
	}
	return s.calls(who, requestprecompile.Address, "IRequests", "fulfill", money.Amount{}, [32]byte(id), output, [32]byte(salt))
}
