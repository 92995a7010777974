package exec

// Arithmetic of int64. Results keep the low 64 bits; a quotient is rounded towards zero, and division by zero gives zero, so that every
// operator is a total function (spec/graph.md §3).

func addInt(a, b int64) int64 { return a + b }
func subInt(a, b int64) int64 { return a - b }
func mulInt(a, b int64) int64 { return a * b }
func maxInt(a, b int64) int64 { return max(a, b) }
func minInt(a, b int64) int64 { return min(a, b) }

func divInt(a, b int64) int64 {
	if b == 0 {
		return 0
	}
	return a / b // the least integer divided by -1 is itself, as the language defines
}

// foldInts applies f from left to right over all inputs. The output may overwrite the first two inputs, which are read before it is
// written, element by element.
func foldInts(in *instruction, f func(a, b int64) int64) func(*Program) error {
	shape := in.call.Out[0].Shape
	ids, y := in.in, in.out[0]
	loops := []*loop{elementLoop(shape, in.call.In[0].Shape, in.call.In[1].Shape)}
	for _, v := range in.call.In[2:] {
		loops = append(loops, elementLoop(shape, shape, v.Shape))
	}
	pair := func(l *loop, dst, a, b []int64) {
		l.all(func(at offsets) {
			i, j := at[1], at[2]
			for k := range l.inner {
				dst[at[0]+k] = f(a[i], b[j])
				i, j = i+l.step[1], j+l.step[2]
			}
		})
	}
	return func(p *Program) error {
		dst := p.values[y].Int64()
		pair(loops[0], dst, p.values[ids[0]].Int64(), p.values[ids[1]].Int64())
		for i, id := range ids[2:] {
			pair(loops[i+1], dst, dst, p.values[id].Int64())
		}
		return nil
	}
}
