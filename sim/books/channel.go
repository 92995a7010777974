package books

import (
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/ledgertest"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/voucher"
)

// channel opens a channel to a model, or adds to one, or gives notice.
func (s *Simulation) channel(model protocol.Hash) {
	open := s.Ledger.Channels()
	switch n := s.random.IntN(100); {
	case n < 60 || len(open) == 0:
		s.nonce++
		s.submit(s.person(), voucher.Open{Model: model, Deposit: money.New(1 + s.random.Uint64N(1<<50)), Blocks: 1 + s.random.Uint32N(300), Nonce: s.nonce})
	case n < 80:
		s.submit(s.person(), voucher.Fund{Channel: open[s.random.IntN(len(open))].ID, Amount: money.New(1 + s.random.Uint64N(1<<50))})
	default:
		c := open[s.random.IntN(len(open))]
		s.submit(c.Payer, voucher.Close{Channel: c.ID})
	}
}

// redeem sends some vouchers: most are good, some old, forged, above the deposit or of no channel.
func (s *Simulation) redeem() {
	open := s.Ledger.Channels()
	if len(open) == 0 {
		return
	}
	var list []voucher.Voucher
	for range 1 + s.random.IntN(8) {
		c := open[s.random.IntN(len(open))]
		v := voucher.Voucher{Channel: c.ID, Uses: c.Uses + s.random.Uint64N(20), Amount: c.Amount.Plus(money.New(s.random.Uint64N(1 << 47)))}
		payer := c.Payer
		switch s.random.IntN(12) {
		case 0:
			payer = s.person()
		case 1:
			v.Channel = hash("no channel")
		}
		list = append(list, ledgertest.SignVoucher(payer, v))
	}
	s.submit(s.person(), voucher.Redeem{Vouchers: voucher.Pack(list)})
}
