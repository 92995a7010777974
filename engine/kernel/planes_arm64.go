//go:build !purego

package kernel

// There is no assembly on arm64 for depthwise planes that are not staged.

type (
	nearWindow struct{}
	planeTile  struct{}
	lastWindow struct{}
)

func (c *Conv) nearWindow() *nearWindow { return nil }
func (r *convRun) near()                {}

func (c *Conv) lastWindow() *lastWindow   { return nil }
func (c *Conv) packLast(dst, w []float32) {}
func (r *convRun) last()                  {}
