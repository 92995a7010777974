package demo

import (
	"path/filepath"
	"sync"
	"time"

	"github.com/mutirao/mutirao/agent"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/node/child"
	"github.com/mutirao/mutirao/node/invite"
	"github.com/mutirao/mutirao/node/role"
)

// grace is how long a provider has to end by itself.
const grace = 3 * time.Second

// troupe are the providers' processes and what they and the verifiers have reported.
type troupe struct {
	mu      sync.Mutex
	playing map[string]*child.Child
	traffic map[string][2]uint64         // bytes received and sent so far, by name
	derived map[uint32]map[string]string // by round: who computed the aggregate, and its model root
}

func newTroupe() *troupe {
	return &troupe{playing: map[string]*child.Child{}, traffic: map[string][2]uint64{}, derived: map[uint32]map[string]string{}}
}

func (t *troupe) stop() {
	t.mu.Lock()
	var list []*child.Child
	for _, c := range t.playing {
		list = append(list, c)
	}
	t.mu.Unlock()
	child.StopAll(list, grace)
}

// total sums what all providers have received and sent so far.
func (t *troupe) total() (down, up uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, b := range t.traffic {
		down, up = down+b[0], up+b[1]
	}
	return down, up
}

// roots returns who computed the aggregate of a round, with its root.
func (t *troupe) roots(round uint32) map[string]string {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := map[string]string{}
	for name, root := range t.derived[round] {
		list[name] = root
	}
	return list
}

// play starts a provider's process, unless it is playing.
func (s *show) play(a actor) error {
	if s.troupe.playing[a.name] != nil {
		return nil
	}
	dir := filepath.Join(s.dir, a.name)
	if err := role.WriteKey(dir, a.secret); err != nil {
		return err
	}
	c, err := child.Start(a.name, dir, "join", s.invite().String(), "--dir", dir, "--json", "--supervised", "--drill", a.drill, "--reserve", a.reserve)
	if err != nil {
		return err
	}
	s.troupe.mu.Lock()
	s.troupe.playing[a.name] = c
	s.troupe.mu.Unlock()
	go s.listen(a, c)
	return nil
}

func (s *show) invite() invite.Invite {
	return invite.Invite{Chain: network.ChainID, Ledger: s.ledger.endpoints(), Run: s.run}
}

// listen follows a provider's events until its process ends. The victim dies in the middle of its unit.
func (s *show) listen(a actor, c *child.Child) {
	for e := range c.Events() {
		s.troupe.mu.Lock()
		s.troupe.traffic[a.name] = [2]uint64{max(e.In, s.troupe.traffic[a.name][0]), max(e.Out, s.troupe.traffic[a.name][1])}
		s.troupe.mu.Unlock()
		s.heard(a.name, e.Name, e.Round, e.Detail)
		if a.name == victim && e.Name == agent.Started && e.Round == killRound {
			if err := c.Kill(); err != nil {
				s.say("%s could not be killed: %v", a.name, err)
			}
			s.note(func(m *memory) { m.Killed = true })
			s.say("%s (process %d) killed in the middle of its unit of round %d", a.name, c.PID(), e.Round)
		}
	}
}

// heard notes who computed which aggregate.
func (s *show) heard(name, news string, round uint32, detail string) {
	if news != agent.Derived {
		return
	}
	s.troupe.mu.Lock()
	defer s.troupe.mu.Unlock()
	if s.troupe.derived[round] == nil {
		s.troupe.derived[round] = map[string]string{}
	}
	s.troupe.derived[round][name] = detail
}
