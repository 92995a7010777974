package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/protocol"
)

const memoryFile = "demo.json"

// memory is what a demo that was interrupted must know to go on; everything else is on the ledger.
type memory struct {
	Schema string         `json:"schema"` // "mutirao.demo-memory/v1"
	Seed   uint64         `json:"seed"`
	Run    string         `json:"run"`
	RunID  protocol.Hash  `json:"run_id"`
	Supply string         `json:"supply"` // of all coins before the run, amut
	Killed bool           `json:"killed"`
	Rounds []memoryMetric `json:"rounds"` // of closed rounds
}

type memoryMetric struct {
	Round   uint32  `json:"round"`
	Seconds float64 `json:"seconds"`
	Up      uint64  `json:"up"`   // bytes sent by all providers in the round
	Down    uint64  `json:"down"` // bytes received
}

var errOtherDemo = errors.New("the folder holds another demo")

// recall reads the folder's memory, or starts one.
func recall(dir string, seed uint64, run string) (*memory, error) {
	fresh := &memory{Schema: "mutirao.demo-memory/v1", Seed: seed, Run: run}
	raw, err := os.ReadFile(filepath.Join(dir, memoryFile))
	if errors.Is(err, fs.ErrNotExist) {
		return fresh, fresh.save(dir)
	}
	var m memory
	if err == nil {
		err = json.Unmarshal(raw, &m)
	}
	if err != nil {
		return nil, failure.New(failure.General, "cannot read the demo's notes in "+dir, err, "choose another folder with --dir")
	}
	if m.Schema != fresh.Schema || m.Seed != seed || m.Run != run {
		return nil, failure.New(failure.Usage, "cannot continue the demo in "+dir,
			fmt.Errorf("%w: run %s, seed %d", errOtherDemo, m.Run, m.Seed), fmt.Sprintf("mutirao demo --run %s --seed %d --dir %s, or another folder", m.Run, m.Seed, dir))
	}
	return &m, nil
}

// metric returns what was measured of a closed round, or nil.
func (m *memory) metric(round uint32) *memoryMetric {
	for i := range m.Rounds {
		if m.Rounds[i].Round == round {
			return &m.Rounds[i]
		}
	}
	return nil
}

// remember notes what was measured of a round and cannot be measured again.
func (s *show) remember(row roundRow) {
	if s.memory.metric(row.Round) == nil {
		s.note(func(m *memory) {
			m.Rounds = append(m.Rounds, memoryMetric{Round: row.Round, Seconds: row.Seconds, Up: row.Up, Down: row.Down})
		})
	}
}

// note changes the notes and keeps them.
func (s *show) note(change func(*memory)) {
	s.noting.Lock()
	defer s.noting.Unlock()
	change(s.memory)
	if err := s.memory.save(s.dir); err != nil {
		s.say("the demo's notes cannot be written: %v", err)
	}
}

// save replaces the notes in one step, so that a crash leaves the old or the new ones.
func (m *memory) save(dir string) error {
	raw, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	next := filepath.Join(dir, memoryFile+".next")
	if err := os.WriteFile(next, append(raw, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(next, filepath.Join(dir, memoryFile))
}
