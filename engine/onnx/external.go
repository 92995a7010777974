package onnx

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// opener reads external data: files beside the model, by a name relative to its folder. A nil opener has none.
type opener func(name string, offset int64, b []byte) error

// folder opens files below dir only, through whatever links the name may hold.
func folder(dir string) opener {
	return func(name string, offset int64, b []byte) error {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return err
		}
		defer root.Close()
		f, err := root.Open(filepath.FromSlash(name))
		if err != nil {
			return err
		}
		defer f.Close()
		if info, err := f.Stat(); err != nil {
			return err
		} else if !info.Mode().IsRegular() || info.Size() < offset+int64(len(b)) {
			return fmt.Errorf("%s has no %d bytes at %d", name, len(b), offset)
		}
		_, err = f.ReadAt(b, offset)
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
}

// read returns the size bytes that the entries (location, offset, length) point to.
func (o opener) read(entries []entryProto, size int) ([]byte, error) {
	var name string
	var offset int64
	for _, e := range entries {
		var err error
		switch e.key {
		case "location":
			name = e.value
		case "offset":
			if offset, err = strconv.ParseInt(e.value, 10, 63); err != nil || offset < 0 || offset > 1<<50 {
				return nil, fmt.Errorf("%w: external data: offset %q", ErrInvalid, e.value)
			}
		case "length":
			if n, err := strconv.ParseInt(e.value, 10, 63); err != nil || n != int64(size) {
				return nil, fmt.Errorf("%w: external data: length %q, want %d", ErrInvalid, e.value, size)
			}
		}
	}
	if o == nil {
		return nil, fmt.Errorf("%w: external data in %q: the model was not read from a folder", ErrInvalid, name)
	}
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return nil, fmt.Errorf("%w: external data in %q, which is not below the model's folder", ErrInvalid, name)
	}
	// The file is checked to be long enough before memory is taken for it.
	if err := o(name, offset+int64(size), nil); err != nil {
		return nil, fmt.Errorf("%w: external data: %w", ErrInvalid, err)
	}
	b := make([]byte, size)
	if err := o(name, offset, b); err != nil {
		return nil, fmt.Errorf("%w: external data: %w", ErrInvalid, err)
	}
	return b, nil
}
