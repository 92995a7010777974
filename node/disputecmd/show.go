package disputecmd

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/bisect"
)

// Row is one dispute in a list.
type Row struct {
	ID         protocol.Hash    `json:"id"`
	Run        protocol.Hash    `json:"run"`
	Round      uint32           `json:"round"`
	Unit       uint32           `json:"unit"`
	About      string           `json:"about"` // the unit, or the aggregate as a verifier named it
	Defender   protocol.Account `json:"defender"`
	Second     protocol.Account `json:"second,omitzero"` // the auditor that defends after the worker has lost
	Challenger protocol.Account `json:"challenger"`
	Verdict    string           `json:"verdict"` // open, upheld, refuted, or moot: the claim was refuted in another dispute
	Moves      uint32           `json:"moves"`
	Opened     protocol.Height  `json:"opened"`
	Ended      protocol.Height  `json:"ended,omitempty"`
	Deadline   protocol.Height  `json:"deadline,omitempty"` // of the move that is due
	ToMove     dispute.Side     `json:"to_move,omitempty"`
	Asked      bisect.Stage     `json:"asked,omitempty"`
	Waits      bool             `json:"waits,omitempty"` // the worker has lost; the report of the unit's auditor is awaited
	Bond       string           `json:"bond"`
	Place      string           `json:"place"` // where the game has come
	Reason     string           `json:"reason,omitempty"`
	Proven     bool             `json:"proven"`
	Moved      []MoveRow        `json:"moved,omitempty"` // only of one dispute
}

// MoveRow is a move in words.
type MoveRow struct {
	Turn   uint32          `json:"turn"`
	Side   dispute.Side    `json:"side"`
	Asked  bisect.Stage    `json:"asked"`
	Choice uint32          `json:"choice"`
	Bytes  uint32          `json:"bytes"`
	Block  protocol.Height `json:"block"`
	Does   string          `json:"does"`
	Words  string          `json:"words"`
}

// verdicts of rulings for people.
func verdict(v bisect.Verdict) string {
	if v == bisect.Undecided {
		return "moot"
	}
	return string(v)
}

func row(c Case) Row {
	claim := c.Claim()
	r := Row{ID: c.ID(), Run: claim.Run, Round: claim.Round, Unit: claim.Unit, About: work.Subject(claim.Unit), Defender: claim.Defender, Challenger: c.Challenger(), Opened: c.Opened()}
	if s := c.State; s != nil {
		r.Verdict, r.Moves, r.Deadline, r.ToMove, r.Asked, r.Second = "open", s.Turn, s.Deadline(), s.ToMove(), s.Game.Stage, s.Second
		r.Waits = s.Lost != nil
		r.Bond, r.Place = s.Claims().Coins(), s.Game.Place()
		return r
	}
	x := c.Ruling
	r.Second = x.Second
	r.Verdict, r.Moves, r.Ended, r.Bond, r.Place, r.Reason, r.Proven = verdict(x.Verdict), x.Moves, x.Height, x.Bond.Coins(), x.Place, x.Reason, x.Proven
	return r
}

// List is all disputes about some runs.
type List struct {
	Schema string `json:"schema"` // "mutirao.disputes/v1"
	List   []Row  `json:"list"`
}

// List reads the disputes about the runs whose id begins with a text.
func (c *Court) List(ctx context.Context, run string) (*List, error) {
	cases, err := c.cases(ctx, run)
	if err != nil {
		return nil, err
	}
	l := &List{Schema: "mutirao.disputes/v1", List: []Row{}}
	for _, x := range cases {
		l.List = append(l.List, row(x))
	}
	return l, nil
}

// Print writes a table.
func (l *List) Print(w io.Writer) error {
	if len(l.List) == 0 {
		_, err := fmt.Fprintln(w, "no dispute has been opened")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "DISPUTE\tROUND\tABOUT\tDEFENDER\tCHALLENGER\tSTATE\tMOVES\tWHERE")
	for _, r := range l.List {
		state := r.Verdict
		if state == "open" {
			state = fmt.Sprintf("%s to move until block %d", r.ToMove, r.Deadline)
			if r.Waits {
				state = "waits for the unit's audit"
			}
		}
		about := "aggregate"
		if _, vote := work.VoteSeat(r.Unit); !vote {
			about = r.About
		}
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\t%d\t%s\n", short(r.ID.String(), 12), r.Round, about, short(r.Defender.String(), 10), short(r.Challenger.String(), 10), state, r.Moves, plain(r.Place))
	}
	return t.Flush()
}

// about names what is disputed.
func about(round, unit uint32) string {
	if seat, vote := work.VoteSeat(unit); vote {
		return fmt.Sprintf("the aggregate of round %d, as the verifier in seat %d named it", round, seat)
	}
	return fmt.Sprintf("unit %d of round %d", unit, round)
}

func short(s string, n int) string { return s[:min(len(s), n)] }

// plain makes text from a ledger harmless for a terminal.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\uFFFD' {
			return '·'
		}
		return r
	}, s)
}

// One is one dispute with its moves.
type One struct {
	Schema string `json:"schema"` // "mutirao.dispute/v1"
	Row
	explain bool
}

// Show reads one dispute; explain makes Print tell every move.
func (c *Court) Show(ctx context.Context, id string, explain bool) (*One, error) {
	found, err := c.Find(ctx, id)
	if err != nil {
		return nil, err
	}
	o := &One{Schema: "mutirao.dispute/v1", Row: row(found), explain: explain}
	moves, err := c.Moves(ctx, found.ID())
	if err != nil {
		return nil, err
	}
	for _, m := range moves {
		o.Moved = append(o.Moved, MoveRow{m.Turn, m.Side, m.Asked, m.Choice, m.Bytes, m.Height, Does(m), m.Words})
	}
	return o, nil
}

// Print tells the dispute.
func (o *One) Print(w io.Writer) error {
	p := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	p("dispute     %s", o.ID)
	p("about       %s, run %s", about(o.Round, o.Unit), short(o.Run.String(), 12))
	p("defender    %s", o.Defender)
	if !o.Second.IsZero() {
		p("then        %s, the auditor that confirmed the claim", o.Second)
	}
	p("challenger  %s  bond %s", o.Challenger, o.Bond)
	bytes := uint32(0)
	for _, m := range o.Moved {
		bytes += m.Bytes
	}
	p("opened      block %d  ·  %d moves, %d bytes of answers", o.Opened, o.Moves, bytes)
	if o.explain {
		p("")
		for _, m := range o.Moved {
			p("%3d  block %-6d %-10s %s", m.Turn, m.Block, m.Side, m.Does)
			p("     %s", plain(m.Words))
		}
		p("")
	} else if o.Place != "" {
		p("where       %s", plain(o.Place))
	}
	if o.Waits {
		p("state       the worker has lost; the report that the unit's auditor has sealed is awaited")
		return nil
	}
	if o.Verdict == "open" {
		p("state       the %s is to move until block %d, or loses: %s", o.ToMove, o.Deadline, asks(o.Asked))
		return nil
	}
	how := "by silence, by two signed moves for one turn, or because another dispute decided"
	if o.Proven {
		how = "proven on the ledger"
	}
	p("verdict     %s in block %d (%s): %s", o.Verdict, o.Ended, how, plain(o.Reason))
	return nil
}
