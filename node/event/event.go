// Package event owns the lines of news by which a role tells a person, or the process that started it, what it does.
package event

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/mutirao/mutirao/agent"
)

// Event is one line of news from a role: as JSON for the process that started it, as text for a person.
type Event struct {
	Schema string `json:"schema"` // "mutirao.event/v1"
	Name   string `json:"event"`  // closed set: see the names in package agent
	Round  uint32 `json:"round,omitempty"`
	Unit   uint32 `json:"unit,omitempty"`
	Detail string `json:"detail,omitempty"`
	In     uint64 `json:"in,omitempty"`  // payload bytes received so far
	Out    uint64 `json:"out,omitempty"` // payload bytes sent so far
}

// aboutUnits are the names of events about one unit, whose number may be 0.
var aboutUnits = []string{agent.Started, agent.Sealed, agent.Revealed, agent.Disagreed, agent.Moved}

// Writer writes events to one stream, a line each.
type Writer struct {
	mu   sync.Mutex
	w    io.Writer
	json bool
}

// NewWriter writes JSON lines if asJSON, otherwise lines for people.
func NewWriter(w io.Writer, asJSON bool) *Writer { return &Writer{w: w, json: asJSON} }

// Emit writes one event. A stream that is gone is not an error: its reader has other ways to notice.
func (ew *Writer) Emit(e Event) {
	ew.mu.Lock()
	defer ew.mu.Unlock()
	if ew.json {
		e.Schema = "mutirao.event/v1"
		json.NewEncoder(ew.w).Encode(e)
		return
	}
	place := ""
	if e.Round > 0 {
		place = fmt.Sprintf("round %d", e.Round)
	}
	if slices.Contains(aboutUnits, e.Name) {
		place += fmt.Sprintf(" unit %d", e.Unit)
	}
	fmt.Fprintf(ew.w, "%-10s %-16s %s\n", e.Name, place, e.Detail)
}
