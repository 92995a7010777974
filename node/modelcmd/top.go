package modelcmd

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/mutirao/mutirao/engine/onnx"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/node/failure"
)

// maxLabels bounds a file of labels.
const maxLabels = 1 << 24 // bytes

// readLabels reads a label from each line.
func readLabels(file string) ([]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, failure.New(failure.NotFound, "cannot read labels from "+file, err, "give a text file with one label on each line")
	}
	defer f.Close()
	var labels []string
	s := bufio.NewScanner(io.LimitReader(f, maxLabels))
	for s.Scan() {
		labels = append(labels, strings.TrimSpace(s.Text()))
	}
	if err := s.Err(); err != nil {
		return nil, failure.New(failure.General, "cannot read labels from "+file, err, "give a text file with one label on each line")
	}
	return labels, nil
}

// printTop prints the k classes with the greatest scores of each row of an output [rows, classes, 1…] of float32; of equal scores the first class
// comes first. Other outputs print nothing.
func printTop(w io.Writer, p part, k int, labels, keys []string) {
	if p.Tensor == nil || p.Tensor.DType() != tensor.Float32 || len(p.Tensor.Shape()) < 2 || p.Tensor.Len() == 0 {
		return
	}
	rows, classes := p.Tensor.Shape()[0], p.Tensor.Shape()[1]
	if classes < 2 || rows*classes != p.Tensor.Len() {
		return
	}
	if len(keys) == classes {
		labels = keys
	}
	for r := range rows {
		scores := p.Tensor.Float32()[r*classes : (r+1)*classes]
		order := make([]int, classes)
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
		fmt.Fprintf(w, "%s, row %d\n", p.name, r)
		for _, c := range order[:min(k, classes)] {
			label := fmt.Sprintf("class %d", c)
			if c < len(labels) {
				label = labels[c]
			}
			fmt.Fprintf(w, "  %-10.6g  %s\n", scores[c], label)
		}
	}
}

// outputs are what the model puts out.
func (m *model) outputs() []onnx.Port {
	if m.onnx != nil {
		return m.onnx.Outputs()
	}
	var ports []onnx.Port
	for _, v := range m.graph.Outputs {
		p := onnx.Port{Name: v.Name, Type: v.DType.String(), DType: v.DType, Dims: []onnx.Dim{}}
		for _, d := range v.Shape {
			p.Dims = append(p.Dims, onnx.Dim{Size: d})
		}
		ports = append(ports, p)
	}
	return ports
}
