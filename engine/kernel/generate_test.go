package kernel

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestGenerated runs the tests of the generator, then the generator, and compares with the committed files.
func TestGenerated(t *testing.T) {
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("needs the go tool: ", err)
	}
	if _, err := os.Stat("_asm"); err != nil {
		t.Skip("needs the source tree: ", err)
	}
	// Reading the sources tells the cache of test results what this test depends on.
	sources, err := filepath.Glob("_asm/*.go")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no sources of the generator (%v)", err)
	}
	for _, name := range sources {
		if _, err := os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	out := t.TempDir()
	for _, args := range [][]string{{"test", "."}, {"run", ".", "-out", out}} {
		cmd := exec.Command(goTool, args...)
		cmd.Dir = "_asm"
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=", "GOOS=", "GOARCH=")
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
	names, err := filepath.Glob(filepath.Join(out, "*"))
	if err != nil || len(names) == 0 {
		t.Fatalf("the generator wrote nothing (%v)", err)
	}
	for _, name := range names {
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Base(name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s differs from what the generator writes (%v): go run . -out .. in engine/kernel/_asm", filepath.Base(name), err)
		}
	}
}
