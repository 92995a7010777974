//go:build !purego

package many

import "golang.org/x/sys/cpu"

// sum writes the hashes of sixteen padded messages, the longest of so many blocks, at least one. It reads as much of each; bit i of active[b] says that
// message i has block b.
//
//go:noescape
func sum(out *[Lanes][Size]byte, messages *[Lanes]*byte, active *uint16, blocks int)

// fast says whether the processor has what sum takes.
var fast = cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW
