// Package contracts embeds the compiled Solidity of contracts/src: ABI and bytecode as npm solc wrote them
// (contracts/compile.mjs). It imports nothing, so that every layer above may read an ABI.
package contracts

import (
	"embed"
	"encoding/json"
	"fmt"
)

//go:embed build/*.json build/SOURCES.sha256 src/*.sol test/*.sol
var files embed.FS

// Artifact is one compiled contract.
type Artifact struct {
	Contract string          // name in Solidity
	Solc     string          // version of the compiler
	ABI      json.RawMessage // as in the contract ABI specification
	Bytecode string          // creation code, 0x-prefixed hexadecimal; "0x" for an interface
	Deployed string          // code as it lies on the ledger, of a contract that the ledger itself creates; otherwise empty
}

// Load returns the artifact of the contract with the given Solidity name. It panics for a name that is not in
// contracts/src: the set is fixed when the program is built.
func Load(name string) Artifact {
	raw, err := files.ReadFile("build/" + name + ".json")
	if err != nil {
		panic(fmt.Sprintf("contracts: no contract %q was compiled", name))
	}
	var a Artifact
	if err := json.Unmarshal(raw, &a); err != nil {
		panic(fmt.Sprintf("contracts: build/%s.json: %v", name, err))
	}
	return a
}
