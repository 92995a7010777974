// Command plots draws the tables of the simulations, CSV files of a folder, as SVG files beside them: plots DIR.
package main

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

// figure says what of a table is drawn: the columns of ys over column 0, all of them if it names none. dir is the folder's name.
type figure struct {
	dir, file, title, x, y string
	ys                     []int
	logX, logY             bool
	plain                  bool // lines without points
}

var figures = []figure{
	{dir: "economics", file: "deterrence-0", title: "A false unit gains or loses (audits 3 %, honest auditors)", x: "bond, unit prices", y: "gain over a true unit, unit prices", ys: []int{1, 2}},
	{dir: "economics", file: "deterrence-34", title: "A false unit gains or loses (audits 3 %, 34 % of auditors in league)", x: "bond, unit prices", y: "gain over a true unit, unit prices", ys: []int{1, 2}},
	{dir: "economics", file: "vesting", title: "False units that are paid when pay is kept back", x: "rounds of holding back", y: "percent of the false units", ys: []int{1, 2}},
	{dir: "economics", file: "grinding", title: "A false unit escapes its audit", x: "draws to choose from", y: "percent", ys: []int{1, 2, 3, 4}, logX: true},
	{dir: "economics", file: "bonds", title: "What disputing true units costs", x: "disputes", y: "first bonds lost", ys: []int{1, 2}, logY: true},
	{dir: "market", file: "welfare-1", title: "Welfare over the dual bound, one class", x: "jobs", y: "of the bound", logX: true},
	{dir: "market", file: "welfare-8", title: "Welfare over the dual bound, eight classes", x: "jobs", y: "of the bound", logX: true},
	{dir: "market", file: "lies-blind-single", title: "Best fixed lie, orders of one unit", x: "owners on a side", y: "gain, percent", ys: []int{1, 2, 3}},
	{dir: "market", file: "lies-single", title: "Best lie if all other orders are known, orders of one unit", x: "owners on a side", y: "gain, percent", ys: []int{1, 2, 3}},
	{dir: "market", file: "lies-blind", title: "Best fixed lie, orders of several units", x: "owners on a side", y: "gain, percent", ys: []int{1, 2, 3}},
	{dir: "market", file: "lies", title: "Best lie if all other orders are known, orders of several units", x: "owners on a side", y: "gain, percent", ys: []int{1, 2, 3}},
	{dir: "market", file: "manipulator", title: "A tenth of all units in one hand", x: "sellers", y: "gain, percent", ys: []int{1, 2, 3}},
	{dir: "market", file: "load", title: "Welfare by load, call auction = 1", x: "mean load, percent", y: "of the call auction's"},
	{dir: "market", file: "waiting", title: "Waiting by load", x: "mean load, percent", y: "batches"},
	{dir: "market", file: "prices", title: "Prices of three days", x: "batch", y: "MUT for a unit", plain: true},
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: plots DIR")
		os.Exit(2)
	}
	for _, f := range figures {
		if f.dir != filepath.Base(os.Args[1]) {
			continue
		}
		if err := f.draw(os.Args[1]); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", f.file, err)
			os.Exit(1)
		}
	}
}

func (f figure) draw(dir string) error {
	b, err := os.ReadFile(filepath.Join(dir, f.file+".csv"))
	if err != nil {
		return err
	}
	r := csv.NewReader(strings.NewReader(string(b)))
	r.Comment = '#'
	rows, err := r.ReadAll()
	if err != nil {
		return err
	}
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = f.title, f.x, f.y
	p.Add(plotter.NewGrid())
	p.Legend.Top = true
	if f.logX {
		p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{}
	}
	if f.logY {
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{}
	}
	if len(f.ys) == 0 {
		for y := range rows[0][1:] {
			f.ys = append(f.ys, y+1)
		}
	}
	var lines []any
	for _, y := range f.ys {
		var xy plotter.XYs
		for _, row := range rows[1:] {
			a, errA := strconv.ParseFloat(row[0], 64)
			v, errV := strconv.ParseFloat(row[y], 64)
			if errA != nil || errV != nil {
				return fmt.Errorf("row %v is not of numbers", row)
			}
			xy = append(xy, plotter.XY{X: a, Y: v})
		}
		lines = append(lines, rows[0][y], xy)
	}
	add := plotutil.AddLinePoints
	if f.plain {
		add = plotutil.AddLines
	}
	if err := add(p, lines...); err != nil {
		return err
	}
	return p.Save(16*vg.Centimeter, 10*vg.Centimeter, filepath.Join(dir, f.file+".svg"))
}
