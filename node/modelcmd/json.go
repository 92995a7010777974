package modelcmd

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// readJSON reads nested lists of numbers or truth values as an array of the element type. All lists at one depth are equally long.
func readJSON(b []byte, dt tensor.DType) (*tensor.Tensor, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	shape := []int{}
	for at := v; ; {
		list, ok := at.([]any)
		if !ok {
			break
		}
		if shape = append(shape, len(list)); len(list) == 0 || len(shape) > graph.MaxRank {
			return nil, fmt.Errorf("lists of lengths %v", shape)
		}
		at = list[0]
	}
	var flat []any
	if err := flatten(v, shape, &flat); err != nil {
		return nil, err
	}
	t := tensor.New(dt, shape...)
	for i, x := range flat {
		if err := set(t, i, x); err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
	}
	return t, nil
}

func flatten(v any, shape []int, to *[]any) error {
	list, ok := v.([]any)
	if !ok {
		if len(shape) > 0 {
			return fmt.Errorf("a value where a list of %d stands elsewhere", shape[0])
		}
		*to = append(*to, v)
		return nil
	}
	if len(shape) == 0 || len(list) != shape[0] {
		return fmt.Errorf("a list of %d entries beside others of shape %v", len(list), shape)
	}
	for _, x := range list {
		if err := flatten(x, shape[1:], to); err != nil {
			return err
		}
	}
	return nil
}

// set writes element i of t.
func set(t *tensor.Tensor, i int, v any) error {
	if t.DType() == tensor.Bool {
		b, ok := v.(bool)
		if !ok {
			return fmt.Errorf("%v is neither true nor false", v)
		}
		t.Bool()[i] = b
		return nil
	}
	number, ok := v.(json.Number)
	if !ok {
		return fmt.Errorf("%v is no number", v)
	}
	var err error
	switch t.DType() {
	case tensor.Float32:
		err = json.Unmarshal([]byte(number), &t.Float32()[i])
	case tensor.Uint8:
		err = json.Unmarshal([]byte(number), &tensor.Data[uint8](t)[i])
	case tensor.Int8:
		err = json.Unmarshal([]byte(number), &tensor.Data[int8](t)[i])
	case tensor.Int32:
		err = json.Unmarshal([]byte(number), &tensor.Data[int32](t)[i])
	case tensor.Int64:
		err = json.Unmarshal([]byte(number), &t.Int64()[i])
	}
	return err
}
