package modelcmd

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/onnx"
	"github.com/mutirao/mutirao/engine/tensor"
)

// readArray reads NumPy's .npy of numbers or of strings.
func readArray(b []byte) (onnx.Value, error) {
	h, data, err := readHeader(b)
	if err != nil {
		return onnx.Value{}, err
	}
	if length, ok := strings.CutPrefix(h.descr, "<U"); ok {
		t, err := readText(h, length, data)
		return onnx.Value{Text: t}, err
	}
	return readNPY(b)
}

// maxText is the most characters of a string of an array.
const maxText = 1 << 20

// readText reads strings of that many characters of four bytes, the rest of shorter ones filled with zeros.
func readText(h npyArray, length string, data []byte) (*onnx.Text, error) {
	chars, err := strconv.Atoi(length)
	if err != nil || chars < 0 || chars > maxText {
		return nil, fmt.Errorf("%w: element type %q", errNPY, h.descr)
	}
	n, err := tensor.Elements(h.shape, graph.MaxElements)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNPY, err)
	}
	if n > 0 && len(data)/n != 4*chars || len(data) != 4*n*chars || chars == 0 && n > 1<<20 {
		return nil, fmt.Errorf("%w: %d bytes for %d strings of %d characters", errNPY, len(data), n, chars)
	}
	t := &onnx.Text{Shape: h.shape, Data: make([]string, n)}
	for i := range t.Data {
		var s []byte
		for c := data[4*i*chars : 4*(i+1)*chars]; len(c) > 0; c = c[4:] {
			r := rune(binary.LittleEndian.Uint32(c))
			if r == 0 {
				break
			}
			s = utf8.AppendRune(s, r)
		}
		t.Data[i] = string(s)
	}
	return t, nil
}

// writeArray is a tensor of numbers or strings as .npy.
func writeArray(v onnx.Value) []byte {
	if v.Text == nil {
		if descr := descriptions[v.Element]; descr != "" {
			return append(npyStart(descr, v.Tensor.Shape()), v.Element.Bytes(v.Tensor)...)
		}
		return writeNPY(v.Tensor)
	}
	longest := 1
	for _, s := range v.Text.Data {
		longest = max(longest, utf8.RuneCountInString(s))
	}
	b := npyStart(fmt.Sprintf("<U%d", longest), v.Text.Shape)
	for _, s := range v.Text.Data {
		n := 0
		for _, r := range s {
			b = binary.LittleEndian.AppendUint32(b, uint32(r))
			n++
		}
		b = append(b, make([]byte, 4*(longest-n))...)
	}
	return b
}
