package numeric

import (
	"io/fs"
	"path/filepath"
	"testing"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/analysistest"
	"golang.org/x/tools/go/analysis/checker"
	"golang.org/x/tools/go/packages"
)

func TestAnalyzer(t *testing.T) {
	analysistest.Run(t, analysistest.TestData(), Analyzer, module+"engine/product", module+"chain/floats", module+"node/free")
}

// TestRepository holds the module's own packages to the rules.
func TestRepository(t *testing.T) {
	if testing.Short() {
		t.Skip("loads half of the module")
	}
	for _, tree := range numericTrees {
		t.Run(tree, func(t *testing.T) {
			// The go command lists the files in another process; walking them here makes a new file invalidate a
			// cached result of this test.
			walk := func(string, fs.DirEntry, error) error { return nil }
			if err := filepath.WalkDir(filepath.Join("../../..", tree), walk); err != nil {
				t.Fatal(err)
			}
			loaded, err := packages.Load(&packages.Config{Mode: packages.LoadSyntax, Dir: "../../.."}, module+tree+"/...")
			if err != nil {
				t.Fatal(err)
			}
			if len(loaded) == 0 || packages.PrintErrors(loaded) > 0 {
				t.Fatalf("%d packages loaded, or errors in them", len(loaded))
			}
			graph, err := checker.Analyze([]*analysis.Analyzer{Analyzer}, loaded, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, root := range graph.Roots {
				if root.Err != nil {
					t.Errorf("%s: %v", root.Package.PkgPath, root.Err)
				}
				for _, d := range root.Diagnostics {
					t.Errorf("%s: %s", root.Package.Fset.Position(d.Pos), d.Message)
				}
			}
		})
	}
}
