//go:build !amd64 || purego

package many

const fast = false

func sum(*[Lanes][Size]byte, *[Lanes]*byte, *uint16, int) {
	panic("many: no assembly for this machine")
}
