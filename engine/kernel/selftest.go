package kernel

import "fmt"

// SelfTest computes every test vector with the active implementation (about 10 ms) and compares hashes. If one
// differs, this process falls back to the portable implementation, and the error names the vector. It also reports a
// MUTIRAO_KERNEL that could not be followed. To be called once at start, before numbers matter.
func SelfTest() error {
	if err := runVectors(); err != nil {
		failed := current()
		active.Store(uint32(portable))
		if failed == portable {
			return fmt.Errorf("kernel: portable: %w: do not compute with this build", err)
		}
		return fmt.Errorf("kernel: %v is wrong on this machine: %w: using the portable implementation", failed, err)
	}
	return errChoice
}

func runVectors() error {
	for i, v := range vectors {
		if hash(v.compute()) != goldens[i] {
			return fmt.Errorf("test vector %d, %s of %s%v, differs", i, v.Function, v.Input, v.Shape)
		}
	}
	return nil
}
