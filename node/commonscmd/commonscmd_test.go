package commonscmd

import (
	"strings"
	"testing"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/commons"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/money"
)

// What people read names every part of the budget, and where each proposal stands.
func TestStatusInWords(t *testing.T) {
	open := commons.Proposal{ID: protocol.Hash{0xab}, Name: "risk", Asked: money.MUT(2), Status: commons.Open, Ends: 90, Conviction: money.MUT(3), Needed: money.MUT(4)}
	large := open
	large.Name, large.Needed = "large", money.Amount{}
	passing := open
	passing.Name, passing.Passing = "good", true
	granted := open
	granted.Name, granted.Status = "old", commons.Granted
	s := status{Summary: commons.Summary{Height: 7, Budget: money.MUT(10), Treasury: money.MUT(6), Free: money.MUT(4), Minted: money.MUT(1)},
		Proposals: []commons.View{{Proposal: open}, {Proposal: large}, {Proposal: passing}, {Proposal: granted, Job: &commons.Job{Spent: money.MUT(5)}}, {Proposal: commons.Proposal{Name: "no", Status: commons.Lapsed}}}}
	var b strings.Builder
	if err := s.print(&b); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(b.String()), " ")
	for _, want := range []string{"budget 10 MUT", "treasury 6 MUT", "burned lately 4 MUT", "minted 1 MUT", "at block 7", "ab000000 risk 2 MUT 3 MUT 4 MUT open until block 90",
		"large 2 MUT 3 MUT a smaller ask", "good 2 MUT 3 MUT 4 MUT passes, until block 90", "old 2 MUT 3 MUT - at work, spent 5 MUT", "no 0 MUT 0 MUT - lapsed"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
}

func TestAProposalSaysHowToWorkForIt(t *testing.T) {
	v := commons.View{Proposal: commons.Proposal{ID: protocol.Hash{1}, Name: "risk", Status: commons.Granted, Hire: commons.Hire{Class: market.Class{Resource: "cpu", Region: "eu", Tier: market.Audited}, Providers: 2, Limit: 1_000_000_000}}, Job: &commons.Job{}}
	for ended, want := range map[bool]bool{false: true, true: false} {
		v.Job.Ended = ended
		var b strings.Builder
		if err := printProposal(&b, v, []string{"http://127.0.0.1:26657"}); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), "mutirao join mutirao-invite-") != want || !strings.Contains(b.String(), "hires 2 of cpu/eu/audited/0") {
			t.Errorf("ended %v:\n%s", ended, b.String())
		}
	}
}
