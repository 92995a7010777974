// Package mutirao holds no code of its own: its tests hold the rules about the shape of the tree.
package mutirao

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/mutirao/mutirao"

// layers says what each folder may import directly, besides itself and internal.
// It is policy: widen it with a decision record in docs/adr, not to make a build pass.
var layers = map[string][]string{
	"internal":  {},
	"engine":    {},
	"learn":     {"engine"},
	"verify":    {"engine"},
	"p2p":       {"verify"}, // pieces of a blob are checked with verify/merkle: docs/adr/003
	"protocol":  {"verify", "engine"},
	"chain":     {"protocol", "verify", "engine", "contracts"},
	"audit":     {}, // a second implementation shares nothing with the first: docs/adr/009
	"agent":     {"protocol", "verify", "learn", "engine"},
	"gateway":   {"protocol"},
	"dashboard": {"protocol"},
	"contracts": {}, // embedded ABI and bytecode only
	"examples":  {}, // embedded run files and data
	"cmd":       {"node"},
}

// free are the folders that connect what may not see each other.
var free = []string{"node", "sim"}

// homes names the one folder below which a third-party tree lives. It reaches only that folder, node, sim and cmd.
var homes = map[string]string{
	"github.com/cosmos":         "chain",
	"github.com/cometbft":       "chain",
	"cosmossdk.io":              "chain",
	"github.com/ethereum":       "chain",
	"github.com/libp2p":         "p2p",
	"github.com/pelletier":      "learn",
	"github.com/oasisprotocol":  "protocol", // protocol/beacon: docs/adr/025
	"oras.land":                 "node",     // node/oci: docs/adr/017
	"github.com/opencontainers": "node",
	"github.com/CycloneDX":      "node", // node/provenance: docs/adr/017
	"github.com/google":         "node", // a registry for tests
}

type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
	Error      *struct{ Err string }
}

// packages lists the packages of the module without compiling them.
func packages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-e", "-deps=false", "-json=ImportPath,Imports,Deps,Error", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// layer returns the first folder of a package of this module, or "".
func layer(path string) string {
	rest, ok := strings.CutPrefix(path, module+"/")
	if !ok {
		return ""
	}
	first, _, _ := strings.Cut(rest, "/")
	return first
}

func under(path, tree string) bool { return path == tree || strings.HasPrefix(path, tree+"/") }

func TestImportsPointUpwards(t *testing.T) {
	for _, p := range packages(t) {
		from := layer(p.ImportPath)
		if from == "" || slices.Contains(free, from) {
			continue
		}
		allowed, known := layers[from]
		if !known {
			t.Errorf("%s: folder %q is in no layer: say in layers_test.go what it may import", p.ImportPath, from)
			continue
		}
		for _, imp := range p.Imports {
			to := layer(imp)
			if to == "" || to == from || to == "internal" || slices.Contains(allowed, to) {
				continue
			}
			t.Errorf("%s imports %s: %s may import only %v; move the code to the layer that owns the rule", p.ImportPath, imp, from, allowed)
		}
	}
}

// A third-party tree is reached when a package of this module imports it, or imports one that does, however many steps
// away. What third parties import among themselves is theirs.
func TestThirdPartyTreesStayAtHome(t *testing.T) {
	all := packages(t)
	imports := map[string][]string{}
	for _, p := range all {
		imports[p.ImportPath] = p.Imports
	}
	for _, p := range all {
		from := layer(p.ImportPath)
		if from == "" || from == "cmd" || slices.Contains(free, from) {
			continue
		}
		for tree, home := range homes {
			if from == home || slices.Contains(layers[from], home) {
				continue
			}
			for _, via := range append([]string{p.ImportPath}, p.Deps...) {
				if layer(via) == "" || !slices.ContainsFunc(imports[via], func(imp string) bool { return under(imp, tree) }) {
					continue
				}
				t.Errorf("%s reaches %s through %s: the tree lives in %s and may not leak into %s", p.ImportPath, tree, via, home, from)
			}
		}
	}
}

// The engine is what a contract's answer and a dispute depend on: the standard library and x/sys/cpu, nothing else.
func TestEngineDependsOnNothing(t *testing.T) {
	for _, p := range packages(t) {
		if layer(p.ImportPath) != "engine" {
			continue
		}
		for _, dep := range p.Deps {
			if strings.Contains(strings.SplitN(dep, "/", 2)[0], ".") && !under(dep, module+"/engine") && !under(dep, "golang.org/x/sys") {
				t.Errorf("%s reaches %s: engine may use the standard library and golang.org/x/sys/cpu only", p.ImportPath, dep)
			}
		}
	}
}
