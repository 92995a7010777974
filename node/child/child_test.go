package child

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain is also the child of the tests.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "talk" {
		fmt.Printf("{\"event\":\"long\",\"detail\":%q}\n", strings.Repeat("x", maxEvent/2))
		fmt.Printf("%s\n", strings.Repeat("y", 2*maxEvent))
		fmt.Println("{\"event\":\"after\"}")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestLongLines: a child that says much is heard, and one that says too much does not hang.
func TestLongLines(t *testing.T) {
	c, err := Start("talker", t.TempDir(), "talk")
	if err != nil {
		t.Fatal(err)
	}
	var heard []string
	timeout := time.After(20 * time.Second)
	for {
		select {
		case e, more := <-c.Events():
			if !more {
				if len(heard) != 1 || heard[0] != "long" {
					t.Errorf("heard %v", heard)
				}
				return
			}
			heard = append(heard, e.Name)
		case <-timeout:
			c.Kill()
			t.Fatal("the child hangs")
		}
	}
}
