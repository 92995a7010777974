// Package examples embeds the run files and the small data that the demo runs on. It imports nothing.
package examples

import "embed"

//go:embed credit crops diagnosis digits gocode
var files embed.FS

// Files holds one folder for each example, with a run.toml in it.
func Files() embed.FS { return files }
