// Command mutirao lends machines to, trains on and uses the Mutirão network.
package main

import (
	"os"

	"github.com/mutirao/mutirao/node"
)

func main() { os.Exit(node.Main(os.Args[1:], os.Stdout, os.Stderr)) }
