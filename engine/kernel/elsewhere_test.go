package kernel

import (
	"os"
	"os/exec"
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
	for _, arch := range []string{"amd64", "arm64", "riscv64"} {
		cmd := exec.Command(goTool, "vet", ".")
		cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0", "GOFLAGS=")
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", arch, err, text)
		}
	}
}
