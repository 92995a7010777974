package dryrun

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mutirao/mutirao/learn/data"
	"github.com/mutirao/mutirao/learn/recipe"
	"github.com/mutirao/mutirao/node/failure"
)

// Load reads a run file and its data.
func Load(file string) (*recipe.Recipe, *data.Set, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, failure.New(code(err), "the run file cannot be read", err, "name an existing file, such as examples/diagnosis/run.toml")
	}
	r, err := recipe.Parse(text)
	if err != nil {
		return nil, nil, mistake(file, err)
	}
	set, err := data.Load(r, filepath.Dir(file))
	switch {
	case errors.Is(err, data.ErrNoGo):
		return nil, nil, failure.New(failure.NotFound, "the text of the run is not on this machine", err, "install Go, or set GOROOT to a Go installation with its source")
	case err != nil:
		return nil, nil, failure.New(code(err), "the data of the run cannot be read", err, "check data.path and data.label in "+file)
	}
	return r, set, nil
}

func code(err error) int {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return failure.NotFound
	case errors.Is(err, fs.ErrPermission):
		return failure.Denied
	}
	return failure.General
}

// mistake brings a recipe's error into the three-line form, with the place.
func mistake(file string, err error) error {
	var e *recipe.Error
	if !errors.As(err, &e) {
		return failure.New(failure.Usage, "the run file is not valid", err, "correct "+file)
	}
	what := file + ": " + e.What
	if e.Line > 0 {
		what = fmt.Sprintf("%s line %d: %s", file, e.Line, e.What)
	}
	next := e.Next
	if next == "" {
		next = "correct the value in " + file
	}
	return failure.New(failure.Usage, what, because{e.Why, err}, next)
}

// because is an error with a text of its own.
type because struct {
	why string
	err error
}

func (b because) Error() string { return b.why }
func (b because) Unwrap() error { return b.err }
