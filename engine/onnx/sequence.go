package onnx

import (
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/tensor"
)

// sequenceInterpreters make and take apart sequences and optionals. A sequence is never changed: what inserts or erases makes a new list of
// the same elements.
var sequenceInterpreters = map[string]interpreter{
	"SequenceConstruct":  (*step).construct,
	"SequenceEmpty":      func(s *step) []Value { return []Value{{Sequence: []Value{}}} },
	"SequenceLength":     func(s *step) []Value { return []Value{{Tensor: tensor.FromInt64([]int64{int64(len(s.sequence(0)))})}} },
	"SequenceAt":         func(s *step) []Value { list := s.sequence(0); return []Value{list[s.position(1, len(list)-1)]} },
	"SequenceInsert":     (*step).insert,
	"SequenceErase":      (*step).erase,
	"SplitToSequence":    (*step).split,
	"ConcatFromSequence": (*step).concat,
	"Optional":           (*step).optional,
	"OptionalHasElement": func(s *step) []Value { return []Value{{Tensor: tensor.FromBool([]bool{s.has(0) && !s.in[0].None()})}} },
	"OptionalGetElement": (*step).element,
}

// position is input i, counted from the end if negative, as a place of at most last.
func (s *step) position(i, last int) int {
	at := s.integer(i)
	if at < 0 {
		at += last + 1
	}
	if at < 0 || at > last {
		panic(stop{fmt.Errorf("%w: position %d, the last one is %d", exec.ErrIndex, s.integer(i), last)})
	}
	return at
}

// sequenced counts a list before it is made.
func (s *step) sequenced(length int) {
	if length > maxSequence {
		unsupported("a sequence of %d, at most %d are supported", length, maxSequence)
	}
	s.hold(8 * length)
}

func (s *step) construct() []Value {
	s.sequenced(len(s.in))
	list := make([]Value, len(s.in))
	for i := range s.in {
		list[i] = s.value(i)
	}
	return []Value{{Sequence: list}}
}

func (s *step) insert() []Value {
	list := s.sequence(0)
	at := len(list)
	if s.has(2) {
		if at = s.integer(2); at < 0 {
			at += len(list)
		}
		if at < 0 || at > len(list) {
			panic(stop{fmt.Errorf("%w: position %d in a sequence of %d", exec.ErrIndex, s.integer(2), len(list))})
		}
	}
	s.sequenced(len(list) + 1)
	return []Value{{Sequence: slices.Insert(slices.Clone(list), at, s.value(1))}}
}

func (s *step) erase() []Value {
	list := s.sequence(0)
	at := len(list) - 1
	if s.has(1) {
		at = s.position(1, at)
	}
	if at < 0 {
		panic(stop{fmt.Errorf("%w: the sequence is empty", exec.ErrIndex)})
	}
	s.sequenced(len(list))
	out := make([]Value, 0, len(list)-1)
	return []Value{{Sequence: append(append(out, list[:at]...), list[at+1:]...)}}
}

// split cuts a tensor along an axis: into parts of the given lengths, of one length and a shorter last one, or of length 1, for which
// keepdims says whether the axis stays.
func (s *step) split() []Value {
	v := s.value(0)
	if !v.isTensor() {
		invalid("input 0 is %v, want a tensor", v)
	}
	axis := s.axis(s.whole("axis", 0), len(v.shape()))
	length := v.shape()[axis]
	var lengths []int
	switch {
	case !s.has(1):
		s.sequenced(length)
		lengths = slices.Repeat([]int{1}, length)
	case len(s.tensor(1).Shape()) == 0:
		each := s.integer(1)
		if each < 1 {
			invalid("parts of length %d", each)
		}
		s.sequenced((length + each - 1) / each)
		for at := 0; at < length; at += each {
			lengths = append(lengths, min(each, length-at))
		}
	default:
		lengths = s.list(1)
		s.sequenced(len(lengths))
	}
	list, at := []Value{}, 0
	for _, n := range lengths {
		if n < 0 || n > length-at {
			invalid("parts of lengths %v of an axis of length %d", lengths, length)
		}
		part := s.cut(v, axis, at, at+n)
		if !s.has(1) && s.whole("keepdims", 1) == 0 {
			part = part.reshape(slices.Delete(slices.Clone(part.shape()), axis, axis+1))
		}
		list = append(list, part)
		at += n
	}
	if at != length {
		invalid("parts of lengths %v of an axis of length %d", lengths, length)
	}
	return []Value{{Sequence: list}}
}

func (s *step) concat() []Value {
	list := s.sequence(0)
	if len(list) == 0 {
		invalid("the sequence is empty")
	}
	for i, v := range list {
		if !v.isTensor() {
			invalid("element %d is %v, want a tensor", i, v)
		}
	}
	rank := len(list[0].shape())
	if s.whole("new_axis", 0) == 0 {
		return []Value{s.join(list, s.axis(s.whole("axis", 0), rank))}
	}
	return []Value{s.stack(list, s.axis(s.whole("axis", 0), rank+1), Port{})}
}

// optional is an optional that holds the input, or an empty one.
func (s *step) optional() []Value {
	if s.has(0) {
		return []Value{s.in[0]}
	}
	return []Value{{}}
}

func (s *step) element() []Value {
	v := s.value(0)
	if v.None() {
		invalid("the optional is empty")
	}
	return []Value{v}
}
