package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/mutirao/mutirao/learn/recipe"
)

// ErrNoGo reports that this machine has no Go source to read.
var ErrNoGo = errors.New("no Go source tree found")

// maxFile bounds a CSV file; as text it is two to three times the set's own bytes.
const maxFile = 2 * MaxEncoded

// Load reads the data of a recipe. Paths in the recipe are relative to dir, the run file's folder.
func Load(r *recipe.Recipe, dir string) (*Set, error) {
	if r.Data.Kind == recipe.Table {
		name := filepath.Join(dir, filepath.FromSlash(r.Data.Path))
		file, err := readBounded(name, maxFile)
		if err != nil {
			return nil, err
		}
		s, err := ReadTable(file, r.Data.Label)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.Data.Path, err)
		}
		return s, nil
	}
	root, err := goRoot()
	if err != nil {
		return nil, err
	}
	text, err := ReadGoSource(os.DirFS(filepath.Join(root, "src")), r.Data.Include, r.Data.LimitBytes)
	if err != nil {
		return nil, err
	}
	return CutText(text, r.Model.Context)
}

// readBounded reads a file of at most limit bytes.
func readBounded(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // read only: nothing is lost
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%w: %s has more than %d bytes", ErrInvalid, filepath.Base(name), limit)
	}
	return b, nil
}

// goRoot finds the machine's Go tree: $GOROOT, else what the go command says.
func goRoot() (string, error) {
	root := os.Getenv("GOROOT")
	if root == "" {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
		if err != nil {
			return "", fmt.Errorf("%w: GOROOT is not set and the go command does not answer (%w); install Go or set GOROOT", ErrNoGo, err)
		}
		root = strings.TrimSpace(string(out))
	}
	if info, err := os.Stat(filepath.Join(root, "src")); err != nil || !info.IsDir() {
		return "", fmt.Errorf("%w: %s has no folder src; set GOROOT to a Go installation with its source", ErrNoGo, root)
	}
	return root, nil
}
