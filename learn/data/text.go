package data

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// ReadGoSource joins the Go files below the folders of src, which are taken in the order given and
// walked in lexical order, until limit bytes are read. Tests and testdata are left out: they hold
// tables, not the language.
func ReadGoSource(src fs.FS, folders []string, limit int) ([]byte, error) {
	var text []byte
	for _, folder := range folders {
		err := fs.WalkDir(src, folder, func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && d.Name() == "testdata":
				return fs.SkipDir
			case !d.Type().IsRegular() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
				return nil
			}
			file, err := fs.ReadFile(src, name)
			if err != nil {
				return err
			}
			text = append(text, file[:min(len(file), limit-len(text))]...)
			if len(text) == limit {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read Go source: %w", err)
		}
	}
	return text, nil
}

// CutText cuts a text into windows of that many tokens, each with its successor byte. Neighbouring
// records share that one byte, so that every byte after the first is predicted exactly once.
func CutText(text []byte, window int) (*Set, error) {
	schema := Schema{Window: window}
	s := &Set{Schema: schema.Encode(), RecordSize: schema.RecordSize()}
	for at := 0; at+window < len(text); at += window {
		s.Records = append(s.Records, text[at:at+window+1]...)
		s.Count++
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	return s, nil
}
