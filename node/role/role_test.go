package role

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKeyIsMadeOnceAndForItsOwner(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lend")
	first, err := loadKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	again, err := loadKey(dir)
	if err != nil || again != first {
		t.Errorf("the key changed: %v", err)
	}
	info, err := os.Stat(filepath.Join(dir, keyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if other, err := loadKey(t.TempDir()); err != nil || other == first {
		t.Errorf("two folders have one key: %v", err)
	}
}

func TestDamagedKeyIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, keyFile)
	if err := os.WriteFile(file, []byte("not a key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := loadKey(dir); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("got %v", err)
	}
	if raw, _ := os.ReadFile(file); string(raw) != "not a key\n" {
		t.Errorf("the file now holds %q", raw)
	}
}

func TestDeriveSeparatesPurposes(t *testing.T) {
	var secret, other [32]byte
	other[0] = 1
	seen := map[[32]byte]bool{}
	for _, k := range [][32]byte{Derive(secret, "account"), Derive(secret, "peer"), Derive(other, "account"), secret} {
		if seen[k] {
			t.Error("two purposes share a key")
		}
		seen[k] = true
	}
}
