package provenance

import (
	"errors"
	"fmt"

	"github.com/mutirao/mutirao/protocol"
)

// Types of the statement. Source: in-toto attestation v1 and SLSA v1.
const (
	statementType = "https://in-toto.io/Statement/v1"
	predicateType = "https://slsa.dev/provenance/v1"
)

// How a model was made.
const (
	Trained   = "https://github.com/mutirao/mutirao/blob/main/spec/provenance.md#training-run-v1" // a run that the network verified
	Deposited = "https://github.com/mutirao/mutirao/blob/main/spec/provenance.md#deposit-v1"      // registered on its author's word
)

// Names of digests that are not those of files. Each is a root or id of the network: spec/verify.md, spec/registry.md.
const (
	DigestModel   = "mutiraoModel"   // id of a model
	DigestDataset = "mutiraoDataset" // id of a dataset
	DigestRecords = "mutiraoRecords" // Merkle root over records
	DigestWeights = "mutiraoWeights" // state root of trained tensors
	DigestProgram = "mutiraoProgram" // program hash of the model without them
	digestFile    = "sha256"         // of a file
)

// Statement says what its subjects are. Source: in-toto attestation, spec/v1/statement.md.
type Statement struct {
	Type          string     `json:"_type"`
	Subject       []Resource `json:"subject"` // the files
	PredicateType string     `json:"predicateType"`
	Predicate     Predicate  `json:"predicate"`
}

// Resource is a file, or something of the network. Source: in-toto attestation, resource_descriptor.md.
type Resource struct {
	Name        string            `json:"name,omitzero"`
	URI         string            `json:"uri,omitzero"`
	Digest      map[string]string `json:"digest,omitzero"`
	Annotations map[string]string `json:"annotations,omitzero"`
}

// Predicate is how the subjects were made. Source: SLSA, provenance v1.
type Predicate struct {
	BuildDefinition Definition `json:"buildDefinition"`
	RunDetails      Details    `json:"runDetails"`
}

// Definition is what went in.
type Definition struct {
	BuildType    string     `json:"buildType"`
	External     External   `json:"externalParameters"`
	Internal     Internal   `json:"internalParameters"`
	Dependencies []Resource `json:"resolvedDependencies,omitzero"` // datasets and models that the model comes from, with how each is known
}

// External names what was asked for.
type External struct {
	Network string           `json:"network"` // chain id
	Model   protocol.Hash    `json:"model"`
	Name    string           `json:"name"`
	Run     protocol.Hash    `json:"run,omitzero"`
	Author  protocol.Account `json:"author"`
}

// Internal is what the network found.
type Internal struct {
	Rounds  uint32   `json:"rounds,omitzero"`
	Records uint64   `json:"records,omitzero"` // learned from, all passes counted; tokens of a text
	Params  []string `json:"params,omitzero"`  // names of the trained tensors
	Height  uint64   `json:"height"`           // of the block that registered the model
	Lineage any      `json:"lineage"`          // the tree, as mutirao models show --json has it
}

// Details is who made it, and what came out besides the files.
type Details struct {
	Builder    Builder    `json:"builder"`
	Metadata   Metadata   `json:"metadata"`
	Byproducts []Resource `json:"byproducts"`
}

// Builder is the network, or the author of a deposited model.
type Builder struct {
	ID string `json:"id"`
}

// Metadata names the run.
type Metadata struct {
	InvocationID string `json:"invocationId"`
}

// NewStatement is a statement about files, whose digests are added with Add.
func NewStatement(p Predicate) *Statement {
	return &Statement{Type: statementType, Subject: []Resource{}, PredicateType: predicateType, Predicate: p}
}

// maxSubjects bounds the files that a statement makes its reader hash.
const maxSubjects = 64

var errStatement = errors.New("its payload is no statement about a model of the network")

func (s *Statement) check() error {
	d := s.Predicate.BuildDefinition
	if s.Type != statementType || s.PredicateType != predicateType || d.BuildType != Trained && d.BuildType != Deposited {
		return fmt.Errorf("%w: %.60q about %.60q, %.120q", errStatement, s.Type, s.PredicateType, d.BuildType)
	}
	if len(s.Subject) == 0 || len(s.Subject) > maxSubjects {
		return fmt.Errorf("%w: it has %d subjects", errStatement, len(s.Subject))
	}
	return nil
}

// Digest is that of a byproduct, "" if the statement does not tell it.
func (s *Statement) Digest(name string) string {
	for _, r := range s.Predicate.RunDetails.Byproducts {
		if d := r.Digest[name]; d != "" {
			return d
		}
	}
	return ""
}
