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
func table() string {
	var b strings.Builder
	own := graph.Operators()
	all, interpreted := Operators(), Interpreted()
	fmt.Fprintf(&b, `# Operators

Generated from the operator tables of `+"`engine/graph` and `engine/onnx`"+` by a test (`+"`go test ./engine/onnx -rewrite`"+`); do not edit.

A graph of the network has the %d operators marked "graph": they are what the ledger accepts and what has kernels. The other operators of
ONNX in this list are compositions of them, made when a file is read (%d operators in all). Files of operator sets %d to %d are read; files are
written in operator set %d. Its element types are float32, uint8, int8, int32, int64 and bool; those of files that are carried in these: spec/element-types.md. Shapes are fixed when a model is specialised to its
inputs; no tensor of a run is empty. If, Loop and Scan are written out where condition and number of iterations are known beforehand.
Functions that a file defines are replaced by their nodes. A session (spec/session.md) runs what a graph cannot hold: its %d operators marked
"interpreted", and all others on strings, on empty tensors and where data decides a shape.

| Operator | In a graph | Read from ONNX | In a session | Of the network only |
|---|---|---|---|---|
`, len(own), len(all), MinOpset, MaxOpset, graph.Opset, len(interpreted))
	names := slices.Compact(slices.Sorted(slices.Values(slices.Concat(own, all, interpreted))))
	for _, name := range names {
		row := []string{name, "", "", "", ""}
		if slices.Contains(interpreted, name) {
			row[3] = "interpreted"
		}
		if slices.Contains(own, name) {
			row[1] = "graph"
		}
		switch {
		case !slices.Contains(all, name) && row[3] == "":
			row[4] = "domain mutirao"
		case !slices.Contains(all, name):
		case row[1] != "":
			row[2] = "yes"
		default:
			row[2] = "composed"
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
	}
	return b.String()
}

// TestTable compares docs/operators.md with the operator tables.
func TestTable(t *testing.T) {
	file := filepath.Join("..", "..", "docs", "operators.md")
	want := table()
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
