package disputecmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/mutirao/mutirao/agent/member"
	"github.com/mutirao/mutirao/agent/workshop"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/role"
	"github.com/mutirao/mutirao/node/running"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/bisect"
)

// Player is an account that plays from a folder: with its key, and the data and models that it fetches from members.
type Player struct {
	*Court
	machine *role.Machine
	dir     string
	out     io.Writer // what it does, in words
}

// OpenPlayer opens the folder of an account and connects. Close it.
func OpenPlayer(ctx context.Context, network, dir string, out io.Writer) (*Player, error) {
	urls, err := running.Endpoints(network)
	if err != nil {
		return nil, err
	}
	key, err := role.Key(dir)
	if err != nil {
		return nil, err
	}
	court, err := open(ctx, network, key)
	if err != nil {
		return nil, err
	}
	m, err := role.Open(ctx, role.Config{Dir: dir, Ledger: urls})
	if err != nil {
		return nil, err
	}
	return &Player{court, m, dir, out}, nil
}

// Close leaves the data network.
func (p *Player) Close() error { return p.machine.Close() }

// Challenge opens a dispute over a unit of the open round of a run and returns its id; or, if a verifier's account is given by its beginning, over
// what that verifier named as the aggregate.
func (p *Player) Challenge(ctx context.Context, run string, round, unit uint32, verifier string, nonce uint64) (protocol.Hash, error) {
	runs, err := p.Runs(ctx)
	if err != nil {
		return protocol.Hash{}, err
	}
	for i := len(runs) - 1; i >= 0; i-- { // the newest that fits
		if run != "" && !hasPrefix(runs[i], run) {
			continue
		}
		if verifier != "" {
			if unit, err = p.voteOf(ctx, runs[i], verifier); err != nil {
				return protocol.Hash{}, err
			}
		}
		before, err := p.cases(ctx, runs[i].String())
		if err != nil {
			return protocol.Hash{}, err
		}
		if err := p.submit(ctx, dispute.Open{Run: runs[i], Round: round, Unit: unit, Nonce: nonce}); err != nil {
			return protocol.Hash{}, err
		}
		after, err := p.cases(ctx, runs[i].String())
		if err != nil {
			return protocol.Hash{}, err
		}
		known := map[protocol.Hash]bool{}
		for _, c := range before {
			known[c.ID()] = true
		}
		for _, c := range after {
			if !known[c.ID()] && c.Challenger() == p.Account() {
				return c.ID(), nil
			}
		}
		return protocol.Hash{}, errors.New("the dispute was opened and is not listed")
	}
	return protocol.Hash{}, failure.New(failure.NotFound, fmt.Sprintf("there is no run %.70q", run), errNone, "look into the invite, or leave --run out")
}

// voteOf is the number that stands for the vote of a verifier of the open round.
func (p *Player) voteOf(ctx context.Context, run protocol.Hash, account string) (uint32, error) {
	s, err := p.Run(ctx, run)
	if err != nil {
		return 0, err
	}
	found, unit := 0, uint32(0)
	if s.Round != nil {
		for i := range s.Round.Seats {
			if strings.HasPrefix(s.Round.Seats[i].Account.String(), strings.ToLower(account)) {
				found, unit = found+1, work.VoteUnit(i)
			}
		}
	}
	if found != 1 {
		return 0, failure.New(failure.NotFound, fmt.Sprintf("%.50q is not one verifier of the open round", account), fmt.Errorf("%d have accounts that begin so", found), "write the whole account")
	}
	return unit, nil
}

func hasPrefix(h protocol.Hash, text string) bool {
	s := h.String()
	return len(text) <= len(s) && s[:len(text)] == text
}

// submit is Submit with reasons for people.
func (p *Player) submit(ctx context.Context, m protocol.Msg) error {
	err := p.Submit(ctx, m)
	code, next := failure.General, "mutirao dispute list"
	switch {
	case err == nil || errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, protocol.ErrInsufficient):
		code, next = failure.Credit, "ask a member to send coins to "+p.Account().String()
	case errors.Is(err, protocol.ErrPhase), errors.Is(err, protocol.ErrRound), errors.Is(err, protocol.ErrFinished):
		code, next = failure.NotFound, "a unit can be disputed from its reveal until the round's disputes are played, an aggregate from when it is named until the round closes"
	case errors.Is(err, protocol.ErrNotAssigned), errors.Is(err, protocol.ErrInvalid):
		code = failure.Denied
	default:
		if balance, e := p.Balance(ctx, p.Account()); e == nil && balance.IsZero() {
			code, next = failure.Credit, "ask a member to send coins to "+p.Account().String()+", or name another folder with --dir"
		}
	}
	return failure.New(code, "the ledger refused the "+m.Kind(), err, next)
}

// mine finds an open dispute in which the account plays.
func (p *Player) mine(ctx context.Context, id string) (*dispute.State, error) {
	c, err := p.Find(ctx, id)
	if err != nil {
		return nil, err
	}
	if c.State == nil {
		return nil, failure.New(failure.NotFound, "the dispute has ended", fmt.Errorf("%s: %s", verdict(c.Ruling.Verdict), c.Ruling.Reason), "mutirao dispute explain "+short(c.ID().String(), 12))
	}
	if who := p.Account(); who != c.State.Challenger && who != c.State.Claim.Defender {
		return nil, failure.New(failure.Denied, "the account of "+p.dir+" does not play in this dispute",
			fmt.Errorf("it is %s, the players are %s and %s", who, c.State.Claim.Defender, c.State.Challenger), "name the folder of a player with --dir")
	}
	return c.State, nil
}

// Choose makes one choice of the challenger by hand. What it shows of the part that it points at follows from a re-execution of the unit.
func (p *Player) Choose(ctx context.Context, id string, choice uint32) error {
	d, err := p.mine(ctx, id)
	if err != nil {
		return err
	}
	if d.Player() != p.Account() || d.ToMove() != dispute.Challenger {
		return failure.New(failure.NotFound, "there is no choice to make", fmt.Errorf("the %s is to move", d.ToMove()), "mutirao dispute show "+short(d.ID.String(), 12))
	}
	s, err := p.Run(ctx, d.Claim.Run)
	if err != nil {
		return err
	}
	m := p.member(s)
	if m.Shop, err = workshop.Open(ctx, p.Client, p.machine.Blobs(), s); err != nil {
		return err
	}
	msg, err := m.Choose(ctx, s, d, int(choice))
	if errors.Is(err, bisect.ErrChoice) {
		return failure.New(failure.Denied, "that cannot be chosen", err, "mutirao dispute play "+short(d.ID.String(), 12)+" --dry-run")
	}
	if err != nil {
		return err
	}
	return p.made(ctx, d, msg)
}

// Answer makes one answer of the defender by hand, read from a file.
func (p *Player) Answer(ctx context.Context, id, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return failure.New(failure.NotFound, "cannot read the answer", err, "name a file with --answer")
	}
	defer f.Close()
	answer, err := io.ReadAll(io.LimitReader(f, bisect.MaxAnswer+1))
	if err != nil {
		return err
	}
	d, err := p.mine(ctx, id)
	if err != nil {
		return err
	}
	move := dispute.Move{Dispute: d.ID, Turn: d.Turn, Side: d.ToMove(), Answer: answer}
	signature, err := p.Sign(move.Digest())
	if err != nil {
		return err
	}
	return p.made(ctx, d, dispute.Play{Move: move, Signature: signature})
}

// made sends a move that was made by hand.
func (p *Player) made(ctx context.Context, d *dispute.State, move protocol.Msg) error {
	if err := p.submit(ctx, move); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "turn %d of the %s is made\n", d.Turn+1, d.ToMove())
	return nil
}

// member plays for the account in a run.
func (p *Player) member(s *work.State) *member.Member {
	return member.New(member.Config{Identity: p.machine.Identity, Run: s.ID, Ledger: p.Client, Court: p.Client, Blobs: p.machine.Blobs()}, work.Verifier)
}

// retryPause is how long the player waits after something failed, such as a model that cannot be fetched yet.
const retryPause = time.Second

// Play makes the account's moves in a dispute from a re-execution of its unit: the one that is due, without sending it, if dry; otherwise all
// until the dispute has ended.
func (p *Player) Play(ctx context.Context, id string, dry bool) error {
	d, err := p.mine(ctx, id)
	if err != nil {
		return err
	}
	s, err := p.Run(ctx, d.Claim.Run)
	if err != nil {
		return err
	}
	m := p.member(s)
	var height protocol.Height
	for {
		if m.Shop == nil {
			m.Shop, err = workshop.Open(ctx, p.Client, p.machine.Blobs(), s)
		}
		var done bool
		if err == nil {
			done, err = p.step(ctx, m, d, dry)
		}
		switch {
		case done:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			var explained *failure.Error
			if errors.As(err, &explained) {
				return err
			}
			fmt.Fprintf(p.out, "trying again: %v\n", err)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(retryPause):
			}
		}
		if height, err = p.Next(ctx, height); err != nil {
			return err
		}
	}
}

// step looks once and makes the move that is due. It reports whether there is nothing more to do.
func (p *Player) step(ctx context.Context, m *member.Member, d *dispute.State, dry bool) (done bool, err error) {
	now, err := p.Dispute(ctx, d.ID)
	if errors.Is(err, protocol.ErrNotFound) {
		one, err := p.Show(ctx, d.ID.String(), false)
		if err != nil {
			return true, err
		}
		fmt.Fprintf(p.out, "%s: %s\n", one.Verdict, plain(one.Reason))
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if now.Player() != p.Account() {
		if dry {
			fmt.Fprintf(p.out, "the %s is to move until block %d: %s\n", now.ToMove(), now.Deadline(), asks(now.Game.Stage))
		}
		return dry, nil
	}
	s, err := p.Run(ctx, d.Claim.Run)
	if err != nil {
		return false, err
	}
	msgs, err := m.Play(ctx, s)
	if err != nil {
		return false, err
	}
	for _, msg := range msgs {
		play, ok := msg.(dispute.Play)
		if !ok || play.Move.Dispute != d.ID {
			continue
		}
		if !dry {
			if err := p.submit(ctx, play); err != nil {
				return false, err
			}
		}
		fmt.Fprintf(p.out, "turn %d: the %s %s\n", play.Move.Turn+1, play.Move.Side, does(now.Game.Stage, play.Move))
		return dry, nil
	}
	if s.Round == nil || s.Round.Number != d.Claim.Round {
		return true, failure.New(failure.NotFound, "the unit cannot be executed any more", errors.New("its round has closed"), "mutirao dispute explain "+short(d.ID.String(), 12))
	}
	return true, failure.New(failure.Unverified, "there is no move to make", errors.New("the claim cannot be defended: no answer that the game takes follows from this execution"), "mutirao dispute explain "+short(d.ID.String(), 12))
}

func does(asked bisect.Stage, m dispute.Move) string {
	return Does(dispute.Moved{Side: m.Side, Asked: asked, Choice: m.Choice, Bytes: uint32(len(m.Answer))})
}
