package onnx

import (
	"math"
	"slices"
	"sort"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// selectionInterpreters choose: how much they give depends on what they are given.
var selectionInterpreters = map[string]interpreter{
	"NonMaxSuppression": (*step).nonMaxSuppression, "Unique": (*step).unique, "TfIdfVectorizer": (*step).tfIDF,
}

// box is a rectangle, low ends before high ends.
type box struct{ x0, y0, x1, y1 float32 }

// boxOf reads [y x y x] with corners in any order, or [x y width height] around a centre.
func boxOf(b []float32, centred bool) box {
	if centred {
		w, h := b[2]/2, b[3]/2
		return box{b[0] - w, b[1] - h, b[0] + w, b[1] + h}
	}
	return box{min(b[1], b[3]), min(b[0], b[2]), max(b[1], b[3]), max(b[0], b[2])}
}

func (b box) area() float32 { return float32((b.x1 - b.x0) * (b.y1 - b.y0)) }

// overlaps reports whether the common area of a and b, divided by the area that they cover together, exceeds the threshold.
func (a box) overlaps(b box, threshold float32) bool {
	c := box{max(a.x0, b.x0), max(a.y0, b.y0), min(a.x1, b.x1), min(a.y1, b.y1)}
	if !(c.x1 > c.x0 && c.y1 > c.y0) {
		return false
	}
	common, first, second := c.area(), a.area(), b.area()
	together := float32(float32(first+second) - common)
	if !(common > 0 && first > 0 && second > 0 && together > 0) {
		return false
	}
	return float32(common/together) > threshold
}

// number is the one float32 that input i holds, or the default.
func (s *step) number(i int, otherwise float32) float32 {
	if !s.has(i) {
		return otherwise
	}
	t := s.tensor(i)
	if t.DType() != tensor.Float32 || t.Len() != 1 {
		invalid("input %d is %v, want one float32", i, s.in[i])
	}
	return t.Float32()[0]
}

// nonMaxSuppression takes boxes by descending score, of equal scores the first, unless they overlap one that was taken. Only scores above
// the threshold count, if there is one. Source: spec/session.md §4.
func (s *step) nonMaxSuppression() []Value {
	boxes, scores := s.tensor(0), s.tensor(1)
	bs, ss := boxes.Shape(), scores.Shape()
	if boxes.DType() != tensor.Float32 || scores.DType() != tensor.Float32 || len(bs) != 3 || len(ss) != 3 || bs[2] != 4 || bs[0] != ss[0] || bs[1] != ss[2] {
		invalid("boxes are %v, scores %v, want float32 [batches boxes 4] and [batches classes boxes]", s.in[0], s.in[1])
	}
	most := 0
	if s.has(2) {
		most = s.integer(2)
	}
	iou, least := s.number(3, 0), s.number(4, float32(math.Inf(-1)))
	centred := s.whole("center_point_box", 0) != 0
	var taken []int64
	for batch := range bs[0] {
		s.hold(4 * bs[1])
		rectangles := make([]box, bs[1])
		for i := range rectangles {
			rectangles[i] = boxOf(boxes.Float32()[(batch*bs[1]+i)*4:][:4], centred)
		}
		for class := range ss[1] {
			row := scores.Float32()[(batch*ss[1]+class)*ss[2]:][:ss[2]]
			for _, i := range s.taken(rectangles, row, most, iou, least, s.has(4)) {
				taken = append(taken, int64(batch), int64(class), int64(i))
			}
		}
	}
	s.hold(len(taken))
	return []Value{{Tensor: tensor.FromInt64(taken, len(taken)/3, 3)}}
}

// taken are the boxes of one class, in the order in which they are taken.
func (s *step) taken(boxes []box, scores []float32, most int, iou, least float32, thresholded bool) []int {
	s.spend(64 * len(scores))
	s.hold(2 * len(scores))
	var candidates []int
	for i, v := range scores {
		if !thresholded || v > least {
			candidates = append(candidates, i)
		}
	}
	slices.SortStableFunc(candidates, func(i, j int) int { return -compareFloats(scores[i], scores[j]) })
	var kept []int
	for _, i := range candidates {
		if len(kept) >= most {
			break
		}
		s.spend(64 * len(kept))
		if !slices.ContainsFunc(kept, func(k int) bool { return boxes[i].overlaps(boxes[k], iou) }) {
			kept = append(kept, i)
		}
	}
	return kept
}

// compareFloats orders floats; NaN is below everything, and zeros are equal.
func compareFloats(a, b float32) int {
	switch {
	case a < b || a != a && b == b:
		return -1
	case a > b || b != b && a == a:
		return 1
	}
	return 0
}

// ranks are numbers in the order of the elements; elements are equal if and only if their ranks are. Zeros are equal; NaN are, and above
// everything.
func (s *step) ranks(v Value) []int64 {
	if v.Text != nil {
		return s.places(v.Text, s.sorted(v)).Int64()
	}
	t := v.Tensor
	if t.DType() != tensor.Float32 {
		list := slices.Clone(s.asInt64(t).Int64())
		for i := range list {
			if v.element() == Uint64 {
				list[i] ^= math.MinInt64 // its order is that of the unsigned numbers
			}
		}
		return list
	}
	s.hold(2 * t.Len())
	out := make([]int64, t.Len())
	for i, x := range t.Float32() {
		switch bits := int32(math.Float32bits(x)); {
		case x != x:
			out[i] = math.MaxInt64
		case bits < 0:
			out[i] = -int64(bits & math.MaxInt32)
		default:
			out[i] = int64(bits)
		}
	}
	return out
}

func (s *step) asInt64(t *tensor.Tensor) *tensor.Tensor {
	if t.DType() == tensor.Int64 {
		return t
	}
	if t.Len() == 0 {
		return s.new(tensor.Int64, t.Shape()...)
	}
	return s.op("Cast", []attrProto{{name: "to", kind: kindInt, integer: int64(tensor.Int64)}}, t)
}

// unique gives the different elements, or slices of an axis, sorted or in the order in which they appear first; where each appears
// first; which of them each element is; and how often each appears.
func (s *step) unique() []Value {
	v := s.value(0)
	if !v.isTensor() {
		invalid("input 0 is %v, want a tensor", v)
	}
	shape, axis := v.shape(), 0
	if s.attr("axis") != nil {
		axis = s.axis(s.whole("axis", 0), len(shape))
	} else {
		v = v.reshape([]int{product(shape)})
		shape = v.shape()
	}
	front := s.moved(v, axis, 0)
	count := shape[axis]
	width := 1
	if count > 0 {
		width = product(shape) / count
	}
	ranks := s.ranks(front)
	row := func(i int) []int64 { return ranks[i*width:][:width] }
	s.hold(4 * count)
	places := upTo(count)
	for n := count; n > 0; n /= 2 {
		s.spend(4 * len(ranks)) // sorting
	}
	sort.SliceStable(places, func(i, j int) bool { return slices.Compare(row(places[i]), row(places[j])) < 0 })
	var groups [][]int // places of equal rows, ascending
	for i, at := range places {
		if i > 0 && slices.Equal(row(at), row(places[i-1])) {
			groups[len(groups)-1] = append(groups[len(groups)-1], at)
			continue
		}
		groups = append(groups, []int{at})
	}
	if s.whole("sorted", 1) == 0 {
		slices.SortFunc(groups, func(a, b []int) int { return a[0] - b[0] })
	}
	first, inverse, counts := s.new(tensor.Int64, len(groups)), s.new(tensor.Int64, count), s.new(tensor.Int64, len(groups))
	var parts []Value
	for g, members := range groups {
		first.Int64()[g], counts.Int64()[g] = int64(members[0]), int64(len(members))
		for _, at := range members {
			inverse.Int64()[at] = int64(g)
		}
		parts = append(parts, s.cut(front, 0, members[0], members[0]+1))
	}
	y := v
	if len(parts) > 0 {
		y = s.moved(s.join(parts, 0), 0, axis)
	}
	return []Value{y, {Tensor: first}, {Tensor: inverse}, {Tensor: counts}}
}

// grams is the pool of a TfIdfVectorizer as a tree: what follows node n with item i, and the n-gram that ends there.
type grams struct {
	next map[[2]int64]int64
	ends map[int64]int
}

// tfIDF counts in each row the n-grams of a pool, also those whose items lie up to max_skip_count apart.
func (s *step) tfIDF() []Value {
	v := s.value(0)
	shape := v.shape()
	if !v.isTensor() || len(shape) != 1 && len(shape) != 2 {
		invalid("input 0 is %v, want [items] or [rows items]", v)
	}
	items, pool, g := s.items(v)
	columns := s.integers("ngram_indexes")
	size := 0
	for _, c := range columns {
		if c < 0 || c >= graph.MaxElements {
			invalid("ngram_indexes holds %d", c)
		}
		size = max(size, int(c)+1)
	}
	least, most, skips := s.whole("min_gram_length", 1), s.whole("max_gram_length", 1), s.whole("max_skip_count", 0)
	if least < 1 || most < least || skips < 0 {
		invalid("n-grams of %d to %d items and %d skips", least, most, skips)
	}
	s.fill(g, pool, least, most, len(columns))
	width := shape[len(shape)-1]
	out := s.new(tensor.Float32, append(slices.Clone(shape[:len(shape)-1]), size)...)
	counts := make([]float32, len(columns))
	for row := range product(shape[:len(shape)-1]) {
		clear(counts)
		s.count(g, items[row*width:][:width], counts, least, most, skips)
		for i, n := range counts {
			if n > 0 {
				out.Float32()[row*size+int(columns[i])] = s.weighted(n, i)
			}
		}
	}
	return []Value{{Tensor: out}}
}

func (s *step) integers(name string) []int64 {
	if a := s.attr(name); a != nil {
		return a.ints
	}
	return nil
}

// items are the elements of the input and of the pool as numbers.
func (s *step) items(v Value) (items, pool []int64, g *grams) {
	g = &grams{map[[2]int64]int64{}, map[int64]int{}}
	if v.Text == nil {
		pool = s.integers("pool_int64s")
		return s.asInt64(v.Tensor).Int64(), pool, g
	}
	var texts []string
	if a := s.attr("pool_strings"); a != nil {
		texts = a.texts
	}
	known := Value{Text: &Text{[]int{len(texts)}, texts}}
	list := s.sorted(v, known)
	return s.places(v.Text, list).Int64(), s.places(known.Text, list).Int64(), g
}

// fill reads the pool: ngram_counts says where the n-grams of each length begin.
func (s *step) fill(g *grams, pool []int64, least, most, columns int) {
	starts := s.integers("ngram_counts")
	s.hold(16 * len(pool))
	id := 0
	for n := 1; n <= len(starts); n++ {
		from, to := starts[n-1], int64(len(pool))
		if n < len(starts) {
			to = starts[n]
		}
		if from < 0 || from > to || to > int64(len(pool)) || (to-from)%int64(n) != 0 {
			invalid("ngram_counts %v for a pool of %d", starts, len(pool))
		}
		for at := from; at < to; at += int64(n) {
			if id == columns {
				invalid("more n-grams than the %d of ngram_indexes", columns)
			}
			if n >= least && n <= most {
				at64 := int64(0)
				for _, item := range pool[at : at+int64(n)] {
					key := [2]int64{at64, item}
					if _, ok := g.next[key]; !ok {
						g.next[key] = int64(len(g.next) + 1)
					}
					at64 = g.next[key]
				}
				g.ends[at64] = id
			}
			id++
		}
	}
}

// count adds the n-grams of a row. A single item is counted once, not again for every distance.
func (s *step) count(g *grams, row []int64, counts []float32, least, most, skips int) {
	for distance := 1; distance <= skips+1 && distance <= max(1, len(row)); distance++ {
		if distance > 1 && least == 1 {
			least = 2
		}
		if least > most {
			return
		}
		for start := range row {
			at := int64(0)
			for n, i := 1, start; n <= most && i < len(row); n, i = n+1, i+distance {
				s.spend(16)
				next, ok := g.next[[2]int64{at, row[i]}]
				if !ok {
					break
				}
				at = next
				if id, ok := g.ends[at]; ok && n >= least {
					counts[id]++
				}
			}
		}
	}
}

// weighted is what n occurrences of an n-gram count: n, the n-gram's weight, or their product.
func (s *step) weighted(n float32, id int) float32 {
	weight := float32(1)
	if a := s.attr("weights"); a != nil {
		if id >= len(a.floats) {
			invalid("%d weights", len(a.floats))
		}
		weight = a.floats[id]
	}
	switch mode := s.attr("mode"); {
	case mode == nil:
		invalid("mode is missing")
	case mode.text == "TF":
		return n
	case mode.text == "IDF":
		return weight
	case mode.text != "TFIDF":
		invalid("mode %q", mode.text)
	}
	return float32(n * weight)
}
