package modelcmd

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	_ "image/gif"  // reads GIF
	_ "image/jpeg" // reads JPEG
	_ "image/png"  // reads PNG

	"github.com/mutirao/mutirao/engine/onnx"
	"github.com/mutirao/mutirao/engine/tensor"
)

// Picture says how a picture becomes a tensor. The way is exact: the same file gives the same bits on every machine.
type Picture struct {
	Width, Height int       // in pixels; 0 is what the model declares, or the picture's own
	Stretch       bool      // change the proportions instead of cutting what is too much off at the edges
	Mean, Std     []float32 // (pixel/255 - mean) / std, one for all channels or one for each; nil is 0 and 1
	Layout        string    // "NCHW" or "NHWC", "" for the one that fits the model's input
}

// maxPixels bounds a picture, before it is decoded and after it is resized.
const maxPixels = 1 << 26

// read decodes a picture as one row of the input. An input of uint8 gets the pixels, others the numbers that Picture describes.
func (how Picture) read(b []byte, p onnx.Port) (*tensor.Tensor, error) {
	config, _, err := image.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	if config.Width < 1 || config.Height < 1 || config.Width > maxPixels/config.Height {
		return nil, fmt.Errorf("a picture of %dx%d pixels, at most %d are read", config.Width, config.Height, maxPixels)
	}
	layout, channels, err := how.form(p)
	if err != nil {
		return nil, err
	}
	width, height := how.size(p, layout)
	if width == 0 {
		width, height = config.Width, config.Height
	}
	if width > maxPixels/height {
		return nil, fmt.Errorf("a size of %dx%d, at most %d pixels", width, height, maxPixels)
	}
	picture, _, err := image.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	px := resize(pixelsOf(picture, channels), width, height, how.Stretch)
	return how.tensor(px, layout, p.DType)
}

// form finds the order of axes and the number of channels.
func (how Picture) form(p onnx.Port) (layout string, channels int, err error) {
	if len(p.Dims) != 4 && p.Dims != nil {
		return "", 0, fmt.Errorf("the input has %d axes, a picture needs 4", len(p.Dims))
	}
	isColor := func(axis int) bool { return p.Dims != nil && (p.Dims[axis].Size == 1 || p.Dims[axis].Size == 3) }
	layout = how.Layout
	switch {
	case layout == "" && !isColor(1) && isColor(3):
		layout = "NHWC"
	case layout == "":
		layout = "NCHW"
	case layout != "NCHW" && layout != "NHWC":
		return "", 0, fmt.Errorf("layout %q, want NCHW or NHWC", layout)
	}
	axis := 1
	if layout == "NHWC" {
		axis = 3
	}
	channels = 3
	if p.Dims != nil && p.Dims[axis].Size != 0 {
		if channels = p.Dims[axis].Size; !isColor(axis) {
			return "", 0, fmt.Errorf("an input of %d channels, want 1 or 3", channels)
		}
	}
	return layout, channels, nil
}

// size is the wanted size, 0 for the picture's own.
func (how Picture) size(p onnx.Port, layout string) (width, height int) {
	if how.Width > 0 && how.Height > 0 {
		return how.Width, how.Height
	}
	axis := 2
	if layout == "NHWC" {
		axis = 1
	}
	if p.Dims != nil && p.Dims[axis].Size > 0 && p.Dims[axis+1].Size > 0 {
		return p.Dims[axis+1].Size, p.Dims[axis].Size
	}
	return 0, 0
}

// pixels is a picture of bytes, row by row, the channels of a pixel side by side.
type pixels struct {
	width, height, channels int
	data                    []uint8
}

// pixelsOf takes the colors as they are, of transparent pixels over black.
func pixelsOf(m image.Image, channels int) pixels {
	b := m.Bounds()
	px := pixels{b.Dx(), b.Dy(), channels, make([]uint8, 0, b.Dx()*b.Dy()*channels)}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			if channels == 1 {
				px.data = append(px.data, color.GrayModel.Convert(m.At(x, y)).(color.Gray).Y)
				continue
			}
			r, g, b, _ := m.At(x, y).RGBA()
			px.data = append(px.data, uint8(r>>8), uint8(g>>8), uint8(b>>8))
		}
	}
	return px
}

// resize fits a picture into a size. Unless it is to be stretched, its middle is cut out in the proportions of the size first.
func resize(px pixels, width, height int, stretch bool) pixels {
	if !stretch {
		w, h := px.width, px.height
		if w*height > h*width {
			w = max(1, (h*width+height/2)/height)
		} else {
			h = max(1, (w*height+width/2)/width)
		}
		px = px.crop((px.width-w)/2, (px.height-h)/2, w, h)
	}
	if px.width == width && px.height == height {
		return px
	}
	return px.scaleRows(height).turned().scaleRows(width).turned()
}

func (px pixels) crop(left, top, width, height int) pixels {
	out := pixels{width, height, px.channels, make([]uint8, 0, width*height*px.channels)}
	for y := top; y < top+height; y++ {
		at := (y*px.width + left) * px.channels
		out.data = append(out.data, px.data[at:at+width*px.channels]...)
	}
	return out
}

// turned exchanges rows and columns.
func (px pixels) turned() pixels {
	out := pixels{px.height, px.width, px.channels, make([]uint8, len(px.data))}
	c := px.channels
	for y := range px.height {
		for x := range px.width {
			copy(out.data[(x*px.height+y)*c:][:c], px.data[(y*px.width+x)*c:][:c])
		}
	}
	return out
}

// weightBits is the precision of the weights with which rows are mixed.
const weightBits = 32

// scaleRows makes a picture of another height by the triangle filter: a new row is the mean of the old ones around it, weighted by how near
// they are, over one old row when it grows and as many as it replaces when it shrinks. All arithmetic is on integers.
func (px pixels) scaleRows(height int) pixels {
	out := pixels{px.width, height, px.channels, make([]uint8, px.width*height*px.channels)}
	row := px.width * px.channels
	sums := make([]int, row)
	reach := 2 * max(px.height, height) // half the width of the triangle, in units of 1/(2·height) of an old row
	for y := range height {
		center := (2*y + 1) * px.height // of the new row, in these units
		first := max(0, (center-reach)/(2*height)-1)
		last := min(px.height-1, (center+reach)/(2*height)+1)
		total := 0
		for old := first; old <= last; old++ {
			total += max(0, reach-distance(center, (2*old+1)*height))
		}
		clear(sums)
		for old := first; old <= last; old++ {
			w := max(0, reach-distance(center, (2*old+1)*height)) << weightBits / total
			if w == 0 {
				continue
			}
			for i, v := range px.data[old*row : (old+1)*row] {
				sums[i] += w * int(v)
			}
		}
		for i, s := range sums {
			out.data[y*row+i] = uint8(min(255, (s+1<<(weightBits-1))>>weightBits))
		}
	}
	return out
}

func distance(a, b int) int { return max(a-b, b-a) }

// tensor writes the pixels as one row of the input.
func (how Picture) tensor(px pixels, layout string, dt tensor.DType) (*tensor.Tensor, error) {
	shape := []int{1, px.channels, px.height, px.width}
	place := func(pixel, c int) int { return c*px.height*px.width + pixel }
	if layout == "NHWC" {
		shape = []int{1, px.height, px.width, px.channels}
		place = func(pixel, c int) int { return pixel*px.channels + c }
	}
	if dt == tensor.Uint8 {
		t := tensor.New(dt, shape...)
		for i, v := range px.data {
			tensor.Data[uint8](t)[place(i/px.channels, i%px.channels)] = v
		}
		return t, nil
	}
	if dt != tensor.Float32 && dt != 0 {
		return nil, fmt.Errorf("the input is %v, a picture is float32 or uint8", dt)
	}
	mean, err := perChannel("mean", how.Mean, 0, px.channels)
	if err != nil {
		return nil, err
	}
	std, err := perChannel("std", how.Std, 1, px.channels)
	if err != nil {
		return nil, err
	}
	t := tensor.New(tensor.Float32, shape...)
	for i, v := range px.data {
		c := i % px.channels
		t.Float32()[place(i/px.channels, c)] = (float32(v)/255 - mean[c]) / std[c]
	}
	return t, nil
}

// perChannel is a number for each channel.
func perChannel(name string, list []float32, otherwise float32, channels int) ([]float32, error) {
	out := make([]float32, channels)
	for c := range out {
		switch len(list) {
		case 0:
			out[c] = otherwise
		case 1:
			out[c] = list[0]
		case channels:
			out[c] = list[c]
		default:
			return nil, fmt.Errorf("%d numbers of %s for %d channels", len(list), name, channels)
		}
	}
	return out, nil
}
