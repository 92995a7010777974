package modelscmd

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/registry"
)

// roles in the order in which shares are told, with their words.
var roles = []struct {
	role registry.ShareRole
	word string
}{{registry.ForCompute, "compute"}, {registry.ForData, "data"}, {registry.ForAuthor, "authorship"}, {registry.ForVerifier, "verification"}}

// percent writes parts per million exactly.
func percent(ppm uint32) string {
	s := fmt.Sprintf("%d.%04d", ppm/10_000, ppm%10_000)
	return strings.TrimRight(strings.TrimRight(s, "0"), ".") + " %"
}

// clean keeps a text that a ledger or a file of a stranger gave from steering the terminal.
func clean(text string) string {
	quoted := strconv.QuoteToGraphic(text)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

func short(h protocol.Hash) string { return h.String()[:16] }

// PrintList writes models as a table.
func PrintList(w io.Writer, list []Line) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "MODEL\tNAME\tLINEAGE\tPARENTS\tCALLABLE\tUSES\tEARNED")
	for _, m := range list {
		callable := "no"
		if m.Callable {
			callable = "yes"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%d\t%s\n", short(m.ID), clean(m.Name), clean(string(m.Lineage)), m.Parents, callable, m.Uses, m.Earned.Coins())
	}
	return t.Flush()
}

// Print writes a card for people.
func (c *Card) Print(w io.Writer) error {
	size := "not on the ledger, its bytes lie with the members of the run"
	if c.Callable != nil {
		size = fmt.Sprintf("%d bytes on the ledger, %d numbers -> %d, %d multiply-accumulates", c.Bytes, c.Callable.Inputs, c.Callable.Outputs, c.Callable.MACs)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "model\t%s\n", c.ID)
	fmt.Fprintf(t, "name\t%s\n", clean(c.Name))
	fmt.Fprintf(t, "weights\t%s\n", c.Weights)
	fmt.Fprintf(t, "program\t%s\n", c.Program)
	fmt.Fprintf(t, "size\t%s\n", size)
	fmt.Fprintf(t, "author\t%s, block %d\n", c.Author, c.Height)
	fmt.Fprintf(t, "shares\tERC-20 token %s\n", c.Token)
	i := c.Income
	fmt.Fprintf(t, "uses\t%d\n", i.Uses)
	fmt.Fprintf(t, "income\t%s: %s to holders (%s paid), %s to parents, %s not yet divided\n",
		i.Earned.Coins(), i.ToHolders.Coins(), i.Paid.Coins(), i.ToParents.Coins(), i.Undivided.Coins())
	fmt.Fprintf(t, "proof\tmutirao proof model %s, mutirao proof share %s ACCOUNT\n", c.ID, c.ID)
	for _, from := range c.Lineage.From {
		if from.Kind == "run" {
			fmt.Fprintf(t, "paid\tmutirao credits receipts %s\n", from.ID)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w, "\nlineage")
	if err := c.PrintLineage(w); err != nil {
		return err
	}
	fmt.Fprintln(w)
	fmt.Fprintln(t, "HOLDER\tHOLDS\tFIRST GIVEN FOR\tDUE")
	for _, h := range c.Holders {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", h.Holder, percent(h.PPM), given(h), h.Due.Coins())
	}
	return t.Flush()
}

func given(h Holder) string {
	var parts []string
	for _, r := range roles {
		if ppm := h.Given[r.role]; ppm > 0 {
			parts = append(parts, r.word+" "+percent(ppm))
		}
	}
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, ", ")
}

// PrintLineage writes the tree of what a model comes from, with how each edge is known.
func (c *Card) PrintLineage(w io.Writer) error {
	_, err := io.WriteString(w, tree(c.Lineage, "", ""))
	return err
}

// tree writes a node behind first, and what is below it behind rest.
func tree(o Origin, first, rest string) string {
	id := o.ID
	if len(id) > 42 { // an address is told whole
		id = id[:16]
	}
	s := first
	if o.Lineage != "" {
		s += clean(string(o.Lineage)) + ": "
	}
	s += o.Kind + " " + id
	if o.Name != "" {
		s += fmt.Sprintf(" %q", o.Name)
	}
	if o.PPM > 0 {
		s += ", " + percent(o.PPM) + " of the royalty"
	}
	if o.Facts != "" {
		s += ", " + clean(o.Facts)
	}
	if o.Seen {
		s += ", see above"
	}
	s += "\n"
	for i, from := range o.From {
		if i == len(o.From)-1 {
			s += tree(from, rest+"└─ ", rest+"   ")
		} else {
			s += tree(from, rest+"├─ ", rest+"│  ")
		}
	}
	return s
}
