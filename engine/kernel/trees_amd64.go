//go:build !purego

package kernel

func canScore() bool { return current() == avx512 }

// scoreTreeActive sets left to the leaves that are left of a tree for groups of rows; a group has so many elements of x.
func scoreTreeActive(left []uint64, x []float32, nodes []scoreNode, groups, group int) {
	var first *scoreNode
	if len(nodes) > 0 {
		first = &nodes[0]
	}
	scoreTreeAVX512(&left[0], &x[0], first, len(nodes), groups, 4*group)
}
