package books

import (
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/ledgertest"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/money"
)

// inMarket changes the effects of one rule of the market.
func inMarket(what string, made func(), change func([]protocol.Effect) (changed []protocol.Effect, ok bool)) ledgertest.Faults {
	return ledgertest.Faults{Market: func(rule string, list []protocol.Effect) []protocol.Effect {
		if rule != what {
			return list
		}
		changed, ok := change(list)
		if ok {
			made()
		}
		return changed
	}}
}

// instead replaces the first effect of a type that suits.
func instead[E protocol.Effect](list []protocol.Effect, suits func(E) bool, by func(E) []protocol.Effect) (changed []protocol.Effect, ok bool) {
	for _, e := range list {
		if x, is := e.(E); is && !ok && suits(x) {
			changed, ok = append(changed, by(x)...), true
			continue
		}
		changed = append(changed, e)
	}
	return changed, ok
}

func every[E protocol.Effect](E) bool { return true }

func nothing[E protocol.Effect](E) []protocol.Effect { return nil }

func twice(p protocol.Pay) []protocol.Effect { return []protocol.Effect{p, p} }

// marketFaults are mistakes with the market's money.
var marketFaults = []injected{
	{"a lease paid twice", "balance", func(_ *Simulation, made func()) ledgertest.Faults {
		return inMarket("settle", made, func(l []protocol.Effect) ([]protocol.Effect, bool) { return instead(l, every[protocol.Pay], twice) })
	}},
	{"a lease's burn not made", "supply", func(_ *Simulation, made func()) ledgertest.Faults {
		return inMarket("settle", made, func(l []protocol.Effect) ([]protocol.Effect, bool) {
			return instead(l, every[protocol.Burn], nothing[protocol.Burn])
		})
	}},
	{"work paid before its window has closed", "balance", func(s *Simulation, made func()) ledgertest.Faults {
		early := func(p market.Params) market.Params { p.HoldbackBlocks--; return p }
		shows := false // nothing does of a lease whose work is all past its window
		return ledgertest.Faults{Params: early, Lease: func(l market.Lease) market.Lease {
			now := protocol.Height(s.Books.Height()) + 1
			shows = now < l.End+protocol.Height(ledgertest.MarketParams.HoldbackBlocks)
			return l
		}, Market: func(rule string, list []protocol.Effect) []protocol.Effect {
			if _, paid := instead(list, every[protocol.Pay], twice); paid && shows && rule == "settle" {
				made()
			}
			return list
		}}
	}},
	{"a seller paid the buyer's price", "balance", func(_ *Simulation, made func()) ledgertest.Faults {
		wrong := false
		return ledgertest.Faults{Lease: func(l market.Lease) market.Lease {
			wrong = l.Quote.Seller < l.Quote.Buyer
			l.Quote.Seller = l.Quote.Buyer
			return l
		}, Market: func(rule string, list []protocol.Effect) []protocol.Effect {
			if _, paid := instead(list, every[protocol.Pay], twice); paid && wrong && (rule == "settle" || rule == "close") {
				made()
			}
			return list
		}}
	}},
	{"the pool's part paid to the treasury", "balance", func(_ *Simulation, made func()) ledgertest.Faults {
		return inMarket("settle", made, func(l []protocol.Effect) ([]protocol.Effect, bool) {
			return instead(l, func(p protocol.Pay) bool { return p.To == ledgertest.MarketParams.Pool }, func(p protocol.Pay) []protocol.Effect {
				return []protocol.Effect{protocol.Pay{To: ledgertest.MarketParams.Treasury, Amount: p.Amount}}
			})
		})
	}},
	{"the rest of a lease that was cut not returned", "balance", func(_ *Simulation, made func()) ledgertest.Faults {
		return inMarket("over", made, func(l []protocol.Effect) ([]protocol.Effect, bool) {
			return instead(l, every[protocol.Pay], nothing[protocol.Pay])
		})
	}},
	{"a deposit of a bid returned short", "balance", func(_ *Simulation, made func()) ledgertest.Faults {
		return inMarket("clear", made, func(l []protocol.Effect) ([]protocol.Effect, bool) {
			return instead(l, every[protocol.Pay], func(p protocol.Pay) []protocol.Effect {
				return []protocol.Effect{protocol.Pay{To: p.To, Amount: p.Amount.Minus(money.New(1))}}
			})
		})
	}},
	{"a bid that stayed sealed not charged", "supply", func(_ *Simulation, made func()) ledgertest.Faults {
		return inMarket("clear", made, func(l []protocol.Effect) ([]protocol.Effect, bool) {
			return instead(l, every[protocol.Burn], nothing[protocol.Burn])
		})
	}},
	{"silence not charged", "supply", func(_ *Simulation, made func()) ledgertest.Faults {
		return inMarket("silence", made, func(l []protocol.Effect) ([]protocol.Effect, bool) {
			return instead(l, every[protocol.Burn], nothing[protocol.Burn])
		})
	}},
	{"a lease that nobody took not paid back", "balance", func(_ *Simulation, made func()) ledgertest.Faults {
		return ledgertest.Faults{Market: func(rule string, list []protocol.Effect) []protocol.Effect {
			refused := false
			for _, e := range list {
				x, is := e.(protocol.Event)
				refused = refused || is && x.Type == "market.lease-refused"
			}
			if rule != "silence" || !refused {
				return list
			}
			last := len(list) - 2 // the buyer's money, before the event
			if _, pays := list[max(last, 0)].(protocol.Pay); !pays {
				return list
			}
			made()
			return append(append([]protocol.Effect{}, list[:last]...), list[last+1])
		}}
	}},
	{"the bond of an ask returned twice", "balance", func(_ *Simulation, made func()) ledgertest.Faults {
		return inMarket("withdraw", made, func(l []protocol.Effect) ([]protocol.Effect, bool) { return instead(l, every[protocol.Pay], twice) })
	}},
	{"the bond of a lapsed ask kept", "balance", func(_ *Simulation, made func()) ledgertest.Faults {
		return inMarket("lapse", made, func(l []protocol.Effect) ([]protocol.Effect, bool) {
			return instead(l, every[protocol.Pay], nothing[protocol.Pay])
		})
	}},
	{"a lease taken at once charged to somebody else", "balance", func(s *Simulation, made func()) ledgertest.Faults {
		return inMarket("take", made, func(l []protocol.Effect) ([]protocol.Effect, bool) {
			return instead(l, func(x protocol.Lock) bool { return x.From != s.people[0] }, func(x protocol.Lock) []protocol.Effect {
				return []protocol.Effect{protocol.Lock{From: s.people[0], Amount: x.Amount}}
			})
		})
	}},
	{"a lease that outlives its run", contradiction, func(_ *Simulation, made func()) ledgertest.Faults {
		return inMarket("end of job", made, func(l []protocol.Effect) ([]protocol.Effect, bool) {
			return instead(l, func(e protocol.Event) bool { return e.Type == "market.lease-ended" }, nothing[protocol.Event])
		})
	}},
	{"the price of an offer for a run that has ended kept", "balance", func(_ *Simulation, made func()) ledgertest.Faults {
		return inMarket("end of job", made, func(l []protocol.Effect) ([]protocol.Effect, bool) {
			return instead(l, every[protocol.Pay], nothing[protocol.Pay])
		})
	}},
	{"a machine that did not join not charged", "supply", func(_ *Simulation, made func()) ledgertest.Faults {
		return inMarket("idle", made, func(l []protocol.Effect) ([]protocol.Effect, bool) {
			return instead(l, every[protocol.Burn], nothing[protocol.Burn])
		})
	}},
	{"the bond of a convicted provider's lease spared", "balance", func(_ *Simulation, made func()) ledgertest.Faults {
		return inMarket("void", made, func(l []protocol.Effect) ([]protocol.Effect, bool) {
			return instead(l, every[protocol.Pay], nothing[protocol.Pay])
		})
	}},
}
