package modelcmd

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/mutirao/mutirao/engine/onnx"
)

// errNoMember is wrapped by errors about an archive without an array of the wanted name.
var errNoMember = errors.New("no such array")

// maxMember is the longest array that is unpacked from an archive, in bytes.
const maxMember = 1 << 30

// readNPZ reads the array of that name from NumPy's archive, or its only array under any name.
func readNPZ(b []byte, name string) (onnx.Value, error) {
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return onnx.Value{}, fmt.Errorf("invalid .npz: %w", err)
	}
	var found *zip.File
	var have []string
	for _, f := range z.File {
		if f.Name == name+".npy" {
			found = f
		}
		if have = append(have, strings.TrimSuffix(f.Name, ".npy")); len(have) > 1<<12 {
			return onnx.Value{}, fmt.Errorf("invalid .npz: more than %d arrays", 1<<12)
		}
	}
	if found == nil && len(z.File) == 1 {
		found = z.File[0]
	}
	if found == nil {
		return onnx.Value{}, fmt.Errorf("%w: %.80q; the archive has %.200q", errNoMember, name, have)
	}
	if found.UncompressedSize64 > maxMember {
		return onnx.Value{}, fmt.Errorf("invalid .npz: array %.80q has %d bytes, at most %d are read", found.Name, found.UncompressedSize64, maxMember)
	}
	r, err := found.Open()
	if err != nil {
		return onnx.Value{}, fmt.Errorf("invalid .npz: %w", err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxMember))
	if err != nil {
		return onnx.Value{}, fmt.Errorf("invalid .npz: array %.80q: %w", found.Name, err)
	}
	v, err := readArray(data)
	if err != nil {
		return onnx.Value{}, fmt.Errorf("array %.80q: %w", found.Name, err)
	}
	return v, nil
}

// writeNPZ writes arrays as NumPy's archive, not compressed.
func writeNPZ(w io.Writer, list []part) error {
	z := zip.NewWriter(w)
	for _, p := range list {
		f, err := z.CreateHeader(&zip.FileHeader{Name: p.name + ".npy", Method: zip.Store})
		if err == nil {
			_, err = f.Write(writeArray(p.Value))
		}
		if err != nil {
			return err
		}
	}
	return z.Close()
}

// readMembers reads all arrays of an archive.
func readMembers(b []byte, to map[string]onnx.Value) error {
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return fmt.Errorf("invalid .npz: %w", err)
	}
	for _, f := range z.File {
		name := strings.TrimSuffix(f.Name, ".npy")
		if to[name], err = readNPZ(b, name); err != nil {
			return err
		}
	}
	return nil
}
