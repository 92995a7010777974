//go:build (amd64 || arm64) && !purego

package kernel

import "unsafe"

// byPlane makes the plan of a depthwise convolution, if its window can be staged.
func (p *convPlan) byPlane(c *Conv) {
	w := &c.Window
	if p.near = c.nearWindow(); p.near != nil {
		p.way = byPlane
		return
	}
	cols := min(w[2].Out, 512)
	rows := max(1, min(w[1].Out, stagedPlane/(cols*w[0].Kernel*min(w[1].Stride, w[1].Kernel)*min(w[2].Stride, w[2].Kernel))))
	if p.stage = stagingOf(w, rows, cols); p.stage == nil {
		return
	}
	p.way = byPlane
	p.rows, p.cols = rows, cols
	for _, at := range p.stage.offsets {
		p.offsets = append(p.offsets, 4*at)
	}
	if w[0].Out == 1 && rows == w[1].Out && cols == w[2].Out {
		p.pieces = p.stage.pieces(w)
	}
}

// planes computes the outputs of one channel.
func (r *convRun) planes(s *convScratch, image int) {
	p, w, n := &r.plan, &r.Window, r.out()
	x := r.x[image*r.in():][:r.in()]
	slab := w[1].Out * w[2].Out
	s.band = grow(s.band, p.stage.channel(w)+4*16)
	t := &s.depth
	t.offsets, t.places = unsafe.Pointer(&p.offsets[0]), len(p.offsets)
	t.xRow, t.yRow = 4*p.stage.cols, 4*w[2].Out
	t.low, t.high, t.residual = r.end.low, r.end.high, r.distance()
	band := s.band[:p.stage.channel(w)]
	if p.pieces != nil && !s.bordered {
		clear(band)
		s.bordered = true
	}
	for o := range w[0].Out {
		for row := 0; row < w[1].Out; row += p.rows {
			for col := 0; col < w[2].Out; col += p.cols {
				if p.pieces != nil {
					p.stage.copy(band, x, w, p.pieces)
				} else {
					p.stage.fill(band, x, w, o, row, col, 0)
				}
				for i := range r.Outputs {
					channel := image%r.Groups*r.Outputs + i
					y := r.y[(image*r.Outputs+i)*n+o*slab+row*w[2].Out+col:]
					t.w = unsafe.Pointer(&r.w[channel*len(p.offsets)])
					t.bias = *(*float32)(r.end.biases(channel))
					t.rows = min(p.rows, w[1].Out-row)
					r.strips(t, y, s.band, min(p.cols, w[2].Out-col))
				}
			}
		}
	}
	if !r.end.plain() {
		for i := range r.Outputs {
			at := (image*r.Outputs + i) * n
			r.end.rest(r.y[at:at+n], image%r.Groups*r.Outputs+i, at)
		}
	}
}

// strips computes rows of outputs of the given width, some vectors at a time.
func (r *convRun) strips(t *depthTile, y, band []float32, width int) {
	lanes := r.plan.tiling.lanes
	for from := 0; from < width; {
		n := min(width-from, 4*lanes)
		vectors := (n + lanes - 1) / lanes
		setLanes(&t.mask, lanes, n-(vectors-1)*lanes)
		t.x, t.y = unsafe.Pointer(&band[from]), unsafe.Pointer(&y[from])
		r.plan.tiling.depthwise[vectors-1](t)
		from += n
	}
}
