package trace

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/verify/merkle"
)

// A tile is the smallest part of a tensor that a proof opens: at most 512 elements, 2 KiB of float32. A referee opens a few
// of them for one micro-operation, so they decide what a dispute costs; smaller ones would slow the hashing of every unit.
const (
	tileElements = 512
	tileWidth    = 32 // columns of a tile of a matrix that has as many
)

// MaxTileBytes is the length of the longest tile.
const MaxTileBytes = tileElements * 8

// grid is the division of a tensor into tiles. A tensor is a matrix whose columns are its last dimension and whose rows are
// all others together. A tile is as wide as the matrix, up to 32 columns, then as high as 512 elements allow, and wider if the
// matrix is too low for that. Tiles at the right and lower edge hold what is left.
type grid struct {
	rows, cols         int // of the matrix
	tileRows, tileCols int // of one tile
	across, down       int // tiles
}

func newGrid(shape []int) grid {
	g := grid{rows: 1, cols: 1}
	if n := len(shape); n > 0 {
		g.cols = shape[n-1]
		for _, d := range shape[:n-1] {
			g.rows *= d
		}
	}
	if g.rows == 0 || g.cols == 0 {
		return grid{}
	}
	g.tileRows = min(g.rows, tileElements/min(g.cols, tileWidth))
	g.tileCols = min(g.cols, tileElements/g.tileRows)
	g.across = (g.cols + g.tileCols - 1) / g.tileCols
	g.down = (g.rows + g.tileRows - 1) / g.tileRows
	return g
}

func (g grid) tiles() int { return g.across * g.down }

// box is where tile i lies in the matrix.
func (g grid) box(i int) (row, col, height, width int) {
	row, col = i/g.across*g.tileRows, i%g.across*g.tileCols
	return row, col, min(g.tileRows, g.rows-row), min(g.tileCols, g.cols-col)
}

// tileLen is the number of elements of tile i.
func (g grid) tileLen(i int) int {
	_, _, height, width := g.box(i)
	return height * width
}

// at returns the tile that holds element i of the tensor, and the element's position in it.
func (g grid) at(i int) (tile, position int) {
	r, c := i/g.cols, i%g.cols
	tile = r/g.tileRows*g.across + c/g.tileCols
	_, _, _, width := g.box(tile)
	return tile, r%g.tileRows*width + c%g.tileCols
}

// appendTile appends the bytes of tile i: its elements in row-major order.
func (g grid) appendTile(b []byte, t *tensor.Tensor, i int) []byte {
	row, col, height, width := g.box(i)
	return t.AppendRows(b, row*g.cols+col, width, g.cols, height)
}

// Tiles returns the number of tiles of a tensor of the given shape.
func Tiles(shape []int) int { return newGrid(shape).tiles() }

// TileOf returns the tile that holds element i (row-major) of a tensor of the given shape: the leaf that a proof for that
// element opens. It panics if the shape has no elements.
func TileOf(shape []int, i int) int {
	tile, _ := newGrid(shape).at(i)
	return tile
}

// TileLen returns the number of elements of a tile.
func TileLen(shape []int, tile int) int {
	return newGrid(shape).tileLen(tile)
}

// TileElement returns the row-major index in the tensor of an element of a tile.
func TileElement(shape []int, tile, position int) int {
	g := newGrid(shape)
	row, col, _, width := g.box(tile)
	return (row+position/width)*g.cols + col + position%width
}

// TileBytes returns the bytes of a tile of t: little endian as tensor.Append writes them, with one NaN.
func TileBytes(t *tensor.Tensor, tile int) []byte {
	return newGrid(t.Shape()).appendTile(nil, t, tile)
}

// Element returns the bits of element i of t: those of a float32 with one NaN, 0 or 1 of a bool, an integer extended to 64.
func Element(t *tensor.Tensor, i int) uint64 {
	return decode(t.DType(), t.Append(make([]byte, 0, 8), i, i+1))
}

// Tile is an opened tile of a tensor.
type Tile struct {
	dtype tensor.DType
	grid  grid
	index int
	bytes []byte
}

// OpenTile reads the bytes of a tile. The error says that they are not the one encoding of as many elements.
func OpenTile(dt tensor.DType, shape []int, tile int, b []byte) (Tile, error) {
	g := newGrid(shape)
	if tile < 0 || tile >= g.tiles() {
		return Tile{}, fmt.Errorf("tile %d of %d", tile, g.tiles())
	}
	if _, err := tensor.Decode(dt, []int{TileLen(shape, tile)}, b); err != nil {
		return Tile{}, fmt.Errorf("tile %d: %w", tile, err)
	}
	return Tile{dt, g, tile, b}, nil
}

// Element returns the bits of element i of the tensor, as Element does, and whether the tile holds it.
func (t Tile) Element(i int) (bits uint64, ok bool) {
	tile, position := t.grid.at(i)
	if tile != t.index {
		return 0, false
	}
	size := t.dtype.Size()
	return decode(t.dtype, t.bytes[position*size:(position+1)*size]), true
}

// decode reads one element of a canonical encoding.
func decode(dt tensor.DType, b []byte) uint64 {
	switch dt {
	case tensor.Float32:
		return uint64(binary.LittleEndian.Uint32(b))
	case tensor.Int8:
		return uint64(int64(int8(b[0])))
	case tensor.Int32:
		return uint64(int64(int32(binary.LittleEndian.Uint32(b))))
	case tensor.Int64:
		return binary.LittleEndian.Uint64(b)
	}
	return uint64(b[0])
}

// CanonicalBits returns the bits of x, those of the one NaN for every NaN.
func CanonicalBits(x float32) uint32 {
	if x != x {
		return 0x7FC00000
	}
	return math.Float32bits(x)
}

// TypeRoot returns the root of a tensor of a type and shape whose tiles have a tree root: merkle.Digest, domain
// "mutirao/tensor/1", of the parts type (its ONNX number, one byte), dimensions (uint64 little endian each) and tree root.
func TypeRoot(dt tensor.DType, shape []int, tiles merkle.Hash) (root merkle.Hash) {
	b := merkle.NewBatch()
	defer b.Close()
	typeRoot(b, &root, dt, shape, tiles)
	b.Flush()
	return root
}

// typeRoot adds TypeRoot to a batch.
func typeRoot(b *merkle.Batch, root *merkle.Hash, dt tensor.DType, shape []int, tiles merkle.Hash) {
	var space [64]byte
	dims := space[:0]
	for _, d := range shape {
		dims = binary.LittleEndian.AppendUint64(dims, uint64(d))
	}
	b.Digest(root, domainTensor, []byte{byte(dt)}, dims, tiles[:])
}
