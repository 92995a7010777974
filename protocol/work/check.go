package work

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
)

// Check validates the Spec.
func (m CreateRun) Check() error { return m.Spec.Check() }

// Check validates role and addresses.
func (m Join) Check() error {
	if m.Role != Provider && m.Role != Verifier {
		return fmt.Errorf("%w: unknown role %.20q", protocol.ErrInvalid, m.Role)
	}
	return protocol.CheckText("peer", m.Peer, 0, MaxPeer)
}

// Check validates the addresses.
func (m Ready) Check() error { return protocol.CheckText("peer", m.Peer, 0, MaxPeer) }

// Check accepts every Leave.
func (m Leave) Check() error { return nil }

// Check validates the unit's index and that there is a seal.
func (m Commit) Check() error {
	if m.Seal.IsZero() {
		return fmt.Errorf("%w: seal is missing", protocol.ErrInvalid)
	}
	return checkUnit(m.Unit)
}

// Check validates the unit's index and the sizes of the result.
func (m Reveal) Check() error {
	r := m.Result
	if r.Payload.Root.IsZero() || r.Payload.Blob.IsZero() || r.Trace.IsZero() {
		return fmt.Errorf("%w: result lacks a payload root, a blob or a trace root", protocol.ErrInvalid)
	}
	if r.Payload.Size == 0 || r.Payload.Size > MaxPayload {
		return fmt.Errorf("%w: payload of %d bytes, allowed are 1 to %d", protocol.ErrTooLarge, r.Payload.Size, MaxPayload)
	}
	return checkUnit(m.Unit)
}

// Check validates that there is a seal.
func (m AuditCommit) Check() error {
	if m.Seal.IsZero() {
		return fmt.Errorf("%w: seal is missing", protocol.ErrInvalid)
	}
	return nil
}

// Check validates the lists of the report.
func (m AuditReveal) Check() error {
	if len(m.Report.Available) > MaxUnits {
		return fmt.Errorf("%w: report about %d units, allowed are %d", protocol.ErrTooLarge, len(m.Report.Available), MaxUnits)
	}
	return checkOpenings(m.Report.Audits)
}

// Check validates the next state, the trace and the list of rejected units.
func (m Aggregate) Check() error {
	if m.Next.Model.IsZero() || m.Next.Outer.IsZero() || m.Next.Blob.IsZero() {
		return fmt.Errorf("%w: next state lacks a root or a blob", protocol.ErrInvalid)
	}
	if m.Trace.IsZero() {
		return fmt.Errorf("%w: the vote names no trace", protocol.ErrInvalid)
	}
	if len(m.Rejected) > MaxUnits {
		return fmt.Errorf("%w: %d rejected units, allowed are %d", protocol.ErrTooLarge, len(m.Rejected), MaxUnits)
	}
	for i, unit := range m.Rejected {
		if err := checkUnit(unit); err != nil {
			return err
		}
		if i > 0 && m.Rejected[i-1] >= unit {
			return fmt.Errorf("%w: rejected units are not in ascending order", protocol.ErrInvalid)
		}
	}
	return nil
}

func checkUnit(index uint32) error {
	if index >= MaxUnits {
		return fmt.Errorf("%w: unit %d, allowed are 0 to %d", protocol.ErrInvalid, index, MaxUnits-1)
	}
	return nil
}

func checkOpenings(list []Opening) error {
	if len(list) > MaxUnits {
		return fmt.Errorf("%w: %d openings, allowed are %d", protocol.ErrTooLarge, len(list), MaxUnits)
	}
	for i := range list {
		o := &list[i]
		if err := checkUnit(o.Unit); err != nil {
			return err
		}
		if i > 0 && list[i-1].Unit >= o.Unit {
			return fmt.Errorf("%w: openings are not in ascending order", protocol.ErrInvalid)
		}
		if err := protocol.CheckText("detail", o.Detail, 0, MaxDetail); err != nil {
			return err
		}
	}
	return nil
}
