package contracts

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"path"
	"strings"
	"testing"
)

// build/ must come from the sources beside it: the digest is taken as compile.mjs takes it.
func TestBuildIsOfTheseSources(t *testing.T) {
	var names []string
	for _, pattern := range []string{"src/*.sol", "test/*.sol"} {
		found, err := fs.Glob(files, pattern) // sorted
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, found...)
	}
	digest := sha256.New()
	for _, name := range names {
		content, err := files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		digest.Write([]byte(path.Base(name) + "\x00" + string(content) + "\x00"))
	}
	want, err := files.ReadFile("build/SOURCES.sha256")
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(digest.Sum(nil)); got != strings.TrimSpace(string(want)) {
		t.Errorf("contracts/build is older than contracts/src: run `npm install && npm run compile` in contracts/")
	}
}

func TestRiskModelIsEmbedded(t *testing.T) {
	a := Load("RiskModel")
	if len(a.Bytecode) < 200 || !strings.Contains(string(a.ABI), `"assess"`) {
		t.Errorf("RiskModel has no usable bytecode or ABI: %d characters of code", len(a.Bytecode))
	}
}
