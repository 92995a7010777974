package market

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// write puts a table into a folder as a CSV file, rounded so that it is the same wherever it is computed.
func (t table) write(dir string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n%s\n", t.about, strings.Join(t.head, ","))
	for _, row := range t.rows {
		for i, v := range row {
			if i > 0 {
				b.WriteByte(',')
			}
			if i == 0 {
				fmt.Fprintf(&b, "%g", v)
			} else {
				fmt.Fprintf(&b, "%.4f", v)
			}
		}
		b.WriteByte('\n')
	}
	return os.WriteFile(filepath.Join(dir, t.name+".csv"), []byte(b.String()), 0o644)
}

// markdown is the table for a reader.
func (t table) markdown(format string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(t.head, " | "), strings.Repeat("---|", len(t.head)))
	for _, row := range t.rows {
		fmt.Fprintf(&b, "| %g |", row[0])
		for _, v := range row[1:] {
			fmt.Fprintf(&b, " "+format+" |", v)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// course is one line of what happened in a world.
type course struct {
	mechanism string
	Course
}

func played(w *World, seed uint64) []course {
	var list []course
	for _, m := range Mechanisms() {
		list = append(list, course{m.Name(), w.Run(m, seed)})
	}
	return list
}

func courses(list []course) string {
	var b strings.Builder
	b.WriteString("| | welfare, call auction = 1 | work done | utilisation | mean price, MUT | mean wait, batches | 95 % wait at most | Jain | leases broken |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, c := range list {
		fmt.Fprintf(&b, "| %s | %.3f | %.1f %% | %.1f %% | %.3f | %.2f | %.0f | %.3f | %d |\n", c.mechanism, c.Welfare/list[0].Welfare, 100*c.Done, 100*c.Utilisation, c.Price, c.Wait, c.Late, c.Jain, c.Broken)
	}
	return b.String()
}

// prices is the course of prices over a world's first days.
func prices(list []course, batches int) table {
	t := table{name: "prices", about: "Mean price of units that begin in a batch, MUT; 0 where none begin", head: []string{"batch"}}
	for _, c := range list {
		t.head = append(t.head, c.mechanism)
	}
	for i := range batches {
		row := []float64{float64(i)}
		for _, c := range list {
			row = append(row, c.Prices[i])
		}
		t.rows = append(t.rows, row)
	}
	return t
}

// loads compares mechanisms under growing load.
func loads(seed uint64, batches int, percent []int) (welfare, waiting table) {
	welfare = table{name: "load", about: "Welfare under a load that rises and falls every day, machines fail; call auction = 1", head: []string{"load"}}
	waiting = table{name: "waiting", about: "Mean batches until a job begins, of those that begin within 10", head: []string{"load"}}
	for _, m := range Mechanisms() {
		welfare.head, waiting.head = append(welfare.head, m.Name()), append(waiting.head, m.Name())
	}
	for _, load := range percent {
		list := played(synthetic(seed, batches, load, 200), seed)
		a, b := []float64{float64(load)}, []float64{float64(load)}
		for _, c := range list {
			a, b = append(a, c.Welfare/list[0].Welfare), append(b, c.Wait)
		}
		welfare.rows, waiting.rows = append(welfare.rows, a), append(waiting.rows, b)
	}
	return welfare, waiting
}

// size is how much an evaluation computes.
type size struct {
	books, batches      int
	jobs, owners, loads []int
}

// evaluate runs everything from one seed. trace may be nil.
func evaluate(seed uint64, n size, trace *World, name string) (string, []table) {
	one := efficiency(seed, "welfare-1", "Welfare over the dual bound, one class", shape{classes: 1, alternatives: 1}, n.jobs)
	eight := efficiency(seed, "welfare-8", "Welfare over the dual bound, eight substitutable classes", shape{classes: 8, alternatives: 4}, n.jobs)
	exact := exactness(seed, []int{4, 6, 8, 10, 12})
	lying, blind := honesty(seed, true, n.owners, n.books)
	several, blindSeveral := honesty(seed, false, n.owners, n.books)
	tenth := manipulation(seed, n.owners, n.books)
	welfare, waiting := loads(seed, n.batches, n.loads)
	busy := played(synthetic(seed, n.batches, 100, 200), seed)
	course := prices(busy, min(n.batches, 3*day))
	tables := []table{one, eight, exact, lying, blind, several, blindSeveral, tenth, welfare, waiting, course}

	var b strings.Builder
	fmt.Fprintf(&b, `# How the market does beside others

Made by `+"`make market-eval`"+` from seed %d, on the rules of `+"`protocol/market/auction`"+` themselves (`+"`sim/market`"+`). Everything repeats from the seed; nothing is timed. The numbers are of synthetic orders
(values between 0.2 and 1, costs between 0.1 and 0.6 MUT, classes that differ in speed), not of a market that exists.

| | |
|---|---|
| call auction | what the chain does: sealed bids, one price a class; classes with fewer than ten owners on a side by trade reduction |
| McAfee | trade reduction whatever the number of owners |
| posted price | the rules' base price, which follows utilisation; jobs take it in the order of their arrival |
| reverse auction | each job polls 5 sellers, who ask for their cost and 10 %%, and takes the cheapest |
| first come | each job takes the first machines listed that it can pay, at their cost and 10 %% |

What the numbers say, for better and worse:

- With many owners in a class the call auction takes all that can be had, and one owner's lies gain next to nothing: below 1 %% from ten owners on, told blindly, and below 1.5 %% from fifteen on even if all sealed bids were known.
- Thin classes pay for their truth. Below ten owners trades are reduced: five jobs in one class get half of what a reverse auction of honest sellers gets, and eight classes among fifty jobs five eighths of the bound
  against three quarters. Few, broad classes are worth more than many narrow ones.
- Below ten owners no untrue price gains anything, whatever an order wants, even if all other orders were known: the orders that set the prices do not trade, and lots decide who trades.
- Sellers of the reverse auction and of first come gain hundreds of percent by asking more. Their welfare is what they would have among honest sellers, and prices say nothing.
- A day with peaks is not a sequence of single batches: serving fewer jobs now leaves machines for better ones later, so trade reduction can come out above the call auction, and no batch can know it.
  First come does most work and least welfare.

## Welfare

What bids would pay at most less what machines cost, over the dual bound, which no allocation exceeds. Half as many sellers as jobs; means of %d books, the same for all; a posted price has had %d books to find its level.

One class:

%s
Eight classes that can stand for one another:

%s
![welfare, one class](market/welfare-1.svg) ![welfare, eight classes](market/welfare-8.svg)

Small books of whole jobs and single machines against the true optimum, by trying everything. The last column is the dual bound over it: what the bound says too much.

%s
## Lies

What an owner gains by scaling the price of its order by 0.4 to 2, in percent of what the truth gives it; so many owners on either side of one class, mean of buyers and sellers. *Blind*: it knows how
the others' orders are drawn, and always tells the lie that is best on average. *Knowing*: it knows all other orders and tells the best lie of each book, which is more than anybody can know of sealed bids.

Orders of one unit, blind:

%s
Orders of one unit, knowing:

%s
Orders of several units (jobs 1 to 4, sellers 1 to 8), blind:

%s
Orders of several units, knowing:

%s
![blind, one unit](market/lies-blind-single.svg) ![knowing, one unit](market/lies-single.svg) ![blind, several units](market/lies-blind.svg) ![knowing, several units](market/lies.svg)

After a trade reduction one side wants more units than the other has. Lots decide who of it trades: if the best price went first, a buyer or seller near the margin could gain its place by
a better price than the truth and would pay no more for it (2 to 10 %% with three to eight owners). Lots cost welfare, up to a twentieth of the bound in thin classes. Units held back are another matter: no price rule of this kind sees them.

An owner of a tenth of all units, who may misstate its reserve and hold units back as well:

%s
![gain of a tenth](market/manipulator.svg)

Sellers of "reverse auction" and "first come" are paid what they ask, so saying more than the truth pays there; these mechanisms assume that nobody does.

## A day's load, and machines that fail

60 machines in 4 classes; jobs come at a rate that goes from half to one and a half of the mean and back every 100 batches, stay 20 batches on average with a long tail, are whole, accept up to three classes and leave
after 10 batches of waiting. Each machine fails about once in 200 batches for 5 to 25; its jobs go on elsewhere. %d batches, mean load 100 %%:

%s
![welfare by load](market/load.svg) ![waiting by load](market/waiting.svg) ![prices](market/prices.svg)

Jain's index compares the parts of their work that %d owners of jobs got done: 1 if all got the same.
`, seed, measured, warm, one.markdown("%.3f"), eight.markdown("%.3f"), exact.markdown("%.3f"), blind.markdown("%.2f"), lying.markdown("%.2f"),
		blindSeveral.markdown("%.2f"), several.markdown("%.2f"), tenth.markdown("%.2f"), n.batches, courses(busy), owners)
	if trace != nil {
		fmt.Fprintf(&b, "\n## A trace\n\n`%s`: %d jobs, %d classes, %d batches. Values and machines are drawn from the seed; machines are made for a load of 90 %%.\n\n%s", name, len(trace.Jobs), trace.Classes, trace.Batches, courses(played(trace, seed)))
	}
	return b.String(), tables
}
