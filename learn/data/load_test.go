package data

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/mutirao/mutirao/learn/recipe"
)

func example(t *testing.T, name string) (*recipe.Recipe, string) {
	dir := filepath.Join("..", "..", "examples", name)
	file, err := os.ReadFile(filepath.Join(dir, "run.toml"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := recipe.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	return r, dir
}

// TestLoadTable checks the counts that the data's source states: 569 patients, 30 features, 212 malignant.
func TestLoadTable(t *testing.T) {
	r, dir := example(t, "diagnosis")
	s, err := Load(r, dir)
	if err != nil {
		t.Fatal(err)
	}
	ill := 0
	row := make([]float32, 30)
	for i := range s.Count {
		if s.Row(row, i) == 1 {
			ill++
		}
	}
	if s.Count != 569 || ill != 212 {
		t.Errorf("%d patients, %d malignant", s.Count, ill)
	}
	if _, err := Load(r, t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// TestLoadGoSource reads the GOROOT that runs this test.
func TestLoadGoSource(t *testing.T) {
	r, dir := example(t, "gocode")
	s, err := Load(r, dir)
	if err != nil {
		t.Fatal(err)
	}
	if s.Count < 1000 || s.Count*r.Model.Context > r.Data.LimitBytes || !bytes.Contains(s.Records, []byte("package bufio")) {
		t.Errorf("%d windows from %d bytes at most", s.Count, r.Data.LimitBytes)
	}
	t.Setenv("GOROOT", t.TempDir())
	if _, err := Load(r, dir); !errors.Is(err, ErrNoGo) {
		t.Errorf("a GOROOT without source: %v", err)
	}
}
