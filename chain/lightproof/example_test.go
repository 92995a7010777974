package lightproof_test

import (
	"fmt"
	"os"
	"time"

	"github.com/mutirao/mutirao/chain/lightproof"
)

// A program that runs no node checks a balance. The file came from somebody whom it need not trust; height and hash of the header are what it
// trusts, from its own node or from several people: `mutirao validator status` shows them.
func Example() {
	file, err := os.ReadFile("testdata/balance.json") // mutirao proof balance 0xfaff… --from 2 > balance.json
	if err != nil {
		fmt.Println(err)
		return
	}
	proof, err := lightproof.Parse(file)
	if err != nil {
		fmt.Println("the file is damaged:", err)
		return
	}
	hash, err := lightproof.ParseHash("8B38BCF391A93319B720107777C8C8FCC4DEB934E84B7A6D15C6CA286F54C0FC")
	if err != nil {
		fmt.Println(err)
		return
	}
	fact, err := proof.Verify(lightproof.Trust{Height: 2, Hash: hash, Now: time.Date(2026, 11, 29, 19, 0, 0, 0, time.UTC)}) // time.Now()
	if err != nil {
		fmt.Println("it proves nothing:", err)
		return
	}
	fmt.Printf("%s had %s amut after block %d\n", fact.Subject.ID, fact.Value, fact.Height)
	// Output: 0xfaff9e285ac8efb59f1ec59437bdf07041afb186 had 10000000000000000000000 amut after block 9
}
