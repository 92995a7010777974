package merkle

import "testing"

// TestBatchIsTheSame compares every kind of hash, and trees of all sizes at one time, with the functions that do one at a time.
func TestBatchIsTheSame(t *testing.T) {
	b := NewBatch()
	defer b.Close()
	const n = 150
	var leaf, node, bound, digest [n]Hash
	var lists, leaves [][]Hash
	content := func(i int) []byte { return make([]byte, i*i%2500) }
	for i := range n {
		m := b.Leaf(&leaf[i], len(content(i)))
		copy(m, content(i))
		l, r := Leaf([]byte{byte(i)}), Leaf([]byte{1, byte(i)})
		b.Node(&node[i], &l, &r)
		b.Bind(&bound[i], i, l)
		b.Digest(&digest[i], "domain", content(i%20), r[:])
		list := make([]Hash, i)
		for j := range list {
			list[j] = Leaf([]byte{byte(i), byte(j)})
		}
		lists, leaves = append(lists, append([]Hash{}, list...)), append(leaves, list)
	}
	b.Flush()
	b.Trees(lists)
	for i := range n {
		l, r := Leaf([]byte{byte(i)}), Leaf([]byte{1, byte(i)})
		switch {
		case leaf[i] != Leaf(content(i)):
			t.Errorf("leaf %d", i)
		case node[i] != Node(l, r):
			t.Errorf("node %d", i)
		case bound[i] != Bind(i, l):
			t.Errorf("root %d", i)
		case digest[i] != Digest("domain", content(i%20), r[:]):
			t.Errorf("digest %d", i)
		case lists[i][0] != plain(leaves[i]) || Tree(leaves[i]) != plain(leaves[i]):
			t.Errorf("tree of %d leaves", i)
		}
	}
}

// plain is the definition of RFC 6962.
func plain(leaves []Hash) Hash {
	if len(leaves) < 2 {
		return subtree(leaves)
	}
	k := split(len(leaves))
	return Node(plain(leaves[:k]), plain(leaves[k:]))
}
