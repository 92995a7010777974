package request

import (
	"fmt"
	"strings"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// Receipt explains how a request has ended. It is a record: final.
type Receipt struct {
	Version  uint32             `json:"version"` // of the rules
	Request  protocol.Hash      `json:"request"`
	Model    protocol.Hash      `json:"model"`
	From     protocol.Account   `json:"from"`
	Answer   protocol.Hash      `json:"answer"` // digest; zero if there is none
	Finality string             `json:"finality"`
	Paid     []protocol.Account `json:"paid,omitempty"` // workers, their price each
	Lost     []protocol.Account `json:"lost,omitempty"` // workers, their bond each
	Bounty   money.Amount       `json:"bounty"`         // of who had it replayed
	Fee      money.Amount       `json:"fee"`            // of the model's holders
	Back     money.Amount       `json:"back"`           // to the requester

	DeliveryFee money.Amount    `json:"delivery_fee,omitzero"` // waits for whoever calls back
	Height      protocol.Height `json:"height"`
	Time        int64           `json:"time"`
}

// RecordKind is "request".
func (Receipt) RecordKind() string { return "request" }

// RecordKey is the request, which has one receipt.
func (r Receipt) RecordKey() string { return r.Request.String() }

// Explain says in one paragraph how a request has ended.
func (r Receipt) Explain() string {
	if r.Answer.IsZero() {
		return fmt.Sprintf("Request %s for model %s, block %d: no answer; %s went back to %s, %d workers lost their bonds. Rules: request version %d.",
			r.Request.String()[:8], r.Model.String()[:8], r.Height, r.Back.Coins(), r.From, len(r.Lost), r.Version)
	}
	return fmt.Sprintf("Request %s for model %s, block %d: answered (%s); %d workers were paid, %d lost their bonds, %s went to the model's holders and %s back to %s. Rules: request version %d.",
		r.Request.String()[:8], r.Model.String()[:8], r.Height, r.Finality, len(r.Paid), len(r.Lost), r.Fee.Coins(), r.Back.Coins(), r.From, r.Version)
}

// texts lists accounts, separated by commas.
func texts(list []protocol.Account) string {
	words := make([]string, len(list))
	for i, a := range list {
		words[i] = a.String()
	}
	return strings.Join(words, ",")
}
