package onnx

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
)

var rewrite = flag.Bool("rewrite", false, "rewrite docs/operators.md")

// table is docs/operators.md.
func table(t testing.TB) string {
	var b strings.Builder
	own := graph.Operators()
	all, interpreted, first := Operators(), Interpreted(), firstOpsets(t)
	fmt.Fprintf(&b, `# Operators

Generated from the operator tables of `+"`engine/graph` and `engine/onnx`"+` by a test (`+"`go test ./engine/onnx -rewrite`"+`); do not edit.

**graph**: one of the %d operators of the network, which the ledger accepts and which have kernels. **composed**: written with those when a file
is read (%d operators are read in all). **session**: interpreted by a session (spec/session.md), which also runs all others on strings, on
empty tensors and where data decides a shape. **network**: in the network's own domain, of derivatives mostly, not of ONNX.

Operator sets are those of files that are read, from the one that the operator came with to the newest, %d; files are written in operator
set %d. In a graph, shapes are fixed when a model is specialised to its inputs, no tensor is empty, If, Loop and Scan are written out where
condition and number of iterations are known beforehand, and functions that a file defines are replaced by their nodes.

Element types were found out by reading a node with inputs of each type. A graph computes in float32 and int64, and in products of 8-bit
integers. **Other types are carried in these** (spec/element-types.md): results are rounded to float16, bfloat16, float8 or float4, and wrapped
to narrow integers, after each operator; **float64 is computed in float32**, which `+"`mutirao model run`"+` says on stderr. "floats" are all of these, "integers"
those of 2, 4, 8, 16, 32 and 64 bits with and without sign, "all" also bool. Not read: complex numbers, float8e8m0, float6.

What of ONNX's own tests does not pass, and why: docs/onnx-conformance.md.

| Operator | Operator sets | Element types | How | Notes |
|---|---|---|---|---|
`, len(own), len(all), MaxOpset, graph.Opset)
	names := slices.Compact(slices.Sorted(slices.Values(slices.Concat(own, all, interpreted))))
	for _, name := range names {
		var how []string
		read := slices.Contains(all, name)
		switch {
		case slices.Contains(own, name) && read:
			how = append(how, "graph")
		case slices.Contains(own, name):
			how = append(how, "network")
		case read:
			how = append(how, "composed")
		}
		if slices.Contains(interpreted, name) {
			how = append(how, "session")
		}
		sets, types := "", ""
		if read {
			types = typesOf(name)
		}
		if first[name] != "" {
			sets = first[name]
			if !strings.Contains(name, ".") {
				sets += fmt.Sprintf("–%d", MaxOpset)
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", name, sets, types, strings.Join(how, ", "), limits[name])
	}
	return b.String()
}

// TestTable compares docs/operators.md with the operator tables.
func TestTable(t *testing.T) {
	file := filepath.Join("..", "..", "docs", "operators.md")
	want := table(t)
	if *rewrite {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the tables say: go test ./engine/onnx -run TestTable -rewrite", file)
	}
}

// TestOwnOperatorsAreRead: what Save can write, Specialise can read. Those of the network's domain are read as they are.
func TestOwnOperatorsAreRead(t *testing.T) {
	for _, name := range graph.Operators() {
		if rules[name] == nil && !strings.HasSuffix(name, "Grad") && name != "TreeEnsemble" {
			t.Errorf("operator %s is written but not read", name)
		}
	}
}
