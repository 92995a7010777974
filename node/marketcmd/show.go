package marketcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/running"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/market/auction"
	"github.com/mutirao/mutirao/protocol/money"
)

// Book is what all classes offer and cost.
type Book struct {
	Schema  string          `json:"schema"` // "mutirao.market-book/v1"
	Height  protocol.Height `json:"height"`
	Batch   uint64          `json:"batch"`
	Phase   string          `json:"phase"` // sealing or opening
	Clears  protocol.Height `json:"clears"`
	Classes []BookClass     `json:"classes"`
}

// BookClass is one class of a Book.
type BookClass struct {
	market.ClassState
	Last *market.ClassPrice `json:"last,omitempty"` // of the last batch in which it was traded
}

// Book reads the classes.
func (m *Market) Book(ctx context.Context) (Book, error) {
	b := Book{Schema: "mutirao.market-book/v1", Classes: []BookClass{}}
	p, err := m.MarketParams(ctx)
	if err != nil {
		return b, err
	}
	if b.Height, err = m.Height(ctx); err != nil {
		return b, err
	}
	next := b.Height + 1
	b.Batch, b.Phase = p.Batch(next), "sealing"
	if p.Revealing(next) {
		b.Phase = "opening"
	}
	b.Clears = protocol.Height((b.Batch+1)*p.BatchBlocks - 1)
	states, err := m.Classes(ctx)
	if err != nil {
		return b, err
	}
	for _, s := range states {
		line := BookClass{ClassState: s}
		prices, err := m.Prices(ctx, s.Class)
		if err != nil {
			return b, err
		}
		if len(prices) > 0 {
			line.Last = &prices[len(prices)-1]
		}
		b.Classes = append(b.Classes, line)
	}
	return b, nil
}

// Print writes the book as a table.
func (b Book) Print(w io.Writer) error {
	fmt.Fprintf(w, "block %d · batch %d, bids are %s · clears at the end of block %d\n", b.Height, b.Batch, map[string]string{"sealing": "sealed", "opening": "opened"}[b.Phase], b.Clears)
	t := table(w, "CLASS", "BASE PRICE", "OFFERED", "LEASED", "LAST CLEARED")
	for _, c := range b.Classes {
		last := "-"
		if c.Last != nil {
			last = fmt.Sprintf("%d at %s in block %d", c.Last.Units, PriceText(c.Last.Quote.Buyer), c.Last.Height)
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%s\n", ClassText(c.Class), PriceText(c.Base), c.Offered, c.Leased, last)
	}
	return t.Flush()
}

// Quote is what units cost at once.
type Quote struct {
	Schema string        `json:"schema"` // "mutirao.market-quote/v1"
	Class  market.Class  `json:"class"`
	Units  uint32        `json:"units"`
	Tenors uint32        `json:"tenors"`
	Free   uint32        `json:"free"`  // of the units
	Price  auction.Price `json:"price"` // of a unit during a tenor, nanoMUT
	Cost   money.Amount  `json:"cost"`  // of all units during all tenors
	Blocks uint64        `json:"blocks"`
}

var errShort = errors.New("too few units are free")

// Quote asks what units cost that are taken now.
func (m *Market) Quote(ctx context.Context, class market.Class, units, tenors, minReputation uint32) (Quote, error) {
	q := Quote{Schema: "mutirao.market-quote/v1", Class: class, Units: units, Tenors: tenors}
	p, err := m.MarketParams(ctx)
	if err != nil {
		return q, err
	}
	if q.Price, q.Free, err = m.Client.Quote(ctx, class, units, minReputation); err != nil {
		return q, running.Refused("there is no price for "+ClassText(class), err, "mutirao market book  lists what is offered")
	}
	q.Blocks = p.Tenors[class.Tenor] * uint64(tenors)
	q.Cost = money.New(uint64(q.Price)).Times(uint64(units)).Times(uint64(tenors)).Times(market.Tick)
	if q.Free < units {
		return q, failure.New(failure.Capacity, fmt.Sprintf("%d units of %s cannot be had now", units, ClassText(class)),
			fmt.Errorf("%w: %d", errShort, q.Free), "ask for fewer, or bid in the next batch: mutirao market bid")
	}
	return q, nil
}

// Print writes the quote as a sentence.
func (q Quote) Print(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%d × %s for %d tenors (%d blocks): %s each a tenor, %s together\n", q.Units, ClassText(q.Class), q.Tenors, q.Blocks, PriceText(q.Price), q.Cost.Coins())
	return err
}

// PrintAsks writes asks as a table.
func PrintAsks(w io.Writer, list []market.Ask) error {
	t := table(w, "ASK", "OWNER", "CLASS", "UNITS", "LEASED", "RESERVE", "UNTIL", "")
	for _, a := range list {
		note := ""
		if a.Closing {
			note = "closing"
		} else if a.Lapses < a.Until {
			note = "unless renewed"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%s\tblock %d\t%s\n", short(a.ID), short(a.Owner), ClassText(a.Class), a.Units, a.Leased, PriceText(a.Reserve), a.Lapses, note)
	}
	return t.Flush()
}

// PrintBids writes bids as a table. What is sealed stays hidden.
func PrintBids(w io.Writer, list []market.Bid) error {
	t := table(w, "BID", "OWNER", "DEPOSIT", "WANTS")
	for _, b := range list {
		wants := "sealed"
		if b.Open != nil {
			wants = ""
			for i, a := range b.Open.Alternatives {
				if i > 0 {
					wants += " or "
				}
				wants += fmt.Sprintf("%d × %s up to %s", a.Units, ClassText(a.Class), PriceText(a.Limit))
			}
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", short(b.ID), short(b.Owner), b.Deposit.Coins(), wants)
	}
	return t.Flush()
}

// PrintLeases writes leases as a table.
func PrintLeases(w io.Writer, list []market.Lease, me protocol.Account) error {
	t := table(w, "LEASE", "YOU", "WITH", "CLASS", "UNITS", "PRICE", "STATUS", "DUE", "SETTLED")
	for _, l := range list {
		as, with := "buy", l.Provider
		if l.Provider == me {
			as, with = "provide", l.Buyer
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\t%s\tblock %d\t%s of %s\n", l.ID, as, short(with), ClassText(l.Class), l.Units,
			PriceText(l.Quote.Buyer), l.Status, l.Due, l.Earned.Coins(), l.Cost.Coins())
	}
	return t.Flush()
}

func table(w io.Writer, columns ...string) *tabwriter.Writer {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i, c := range columns {
		if i > 0 {
			fmt.Fprint(t, "\t")
		}
		fmt.Fprint(t, c)
	}
	fmt.Fprintln(t)
	return t
}

// short is the beginning of an id, enough to recognise it.
func short(id fmt.Stringer) string {
	s := id.String()
	return s[:min(len(s), 12)]
}
