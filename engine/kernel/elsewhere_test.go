package kernel

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestVetElsewhere: the package compiles, and its assembly has the frames of its Go declarations, on processors that this is not.
func TestVetElsewhere(t *testing.T) {
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("needs the go tool: ", err)
	}
	if _, err := os.Stat("stubs_arm64.go"); err != nil {
		t.Skip("needs the source tree: ", err)
	}
	// Reading what is not compiled here tells the cache of test results what this test depends on.
	sources, err := filepath.Glob("*_*.[gs]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sources {
		if _, err := os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	for _, arch := range []string{"amd64", "arm64", "riscv64"} {
		cmd := exec.Command(goTool, "vet", ".")
		cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0", "GOFLAGS=")
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", arch, err, text)
		}
	}
}
