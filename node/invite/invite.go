// Package invite owns the one word that a person pastes to join a run.
package invite

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/mutirao/mutirao/verify/merkle"
)

const (
	invitePrefix    = "mutirao-invite-"
	maxInviteBytes  = 4096
	maxInviteLedger = 16
)

var errInvite = errors.New("not a valid invite")

// Invite is what a person pastes to join a run: where the ledger is and which run is meant. It holds no secret:
// whoever has it can offer work, and nothing else.
type Invite struct {
	Chain  string      `json:"chain"`  // chain id of the ledger
	Ledger []string    `json:"ledger"` // RPC endpoints of validators, any of which will do
	Run    merkle.Hash `json:"run"`
}

// String is the invite as one word.
func (v Invite) String() string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and a hash always marshal
	}
	return invitePrefix + base64.RawURLEncoding.EncodeToString(raw)
}

// Parse reads an invite. The text comes from a stranger: it is bounded, and every address must be a URL with a host.
func Parse(s string) (Invite, error) {
	var v Invite
	body, ok := strings.CutPrefix(strings.TrimSpace(s), invitePrefix)
	if !ok || len(body) > maxInviteBytes {
		return v, fmt.Errorf("%w: it must start with %q and have at most %d characters", errInvite, invitePrefix, maxInviteBytes)
	}
	raw, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return v, fmt.Errorf("%w: %v", errInvite, err)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		return Invite{}, fmt.Errorf("%w: %v", errInvite, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Invite{}, fmt.Errorf("%w: it goes on after its end", errInvite)
	}
	if v.Chain == "" || len(v.Ledger) == 0 || len(v.Ledger) > maxInviteLedger {
		return Invite{}, fmt.Errorf("%w: it names no ledger, or more than %d", errInvite, maxInviteLedger)
	}
	for _, endpoint := range v.Ledger {
		u, err := url.Parse(endpoint)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "tcp") {
			return Invite{}, fmt.Errorf("%w: %q is no address of a ledger", errInvite, endpoint)
		}
	}
	return v, nil
}
