package p2p

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mutirao/mutirao/verify/merkle"
)

// The environment of a process that TestKilledFetchResumes starts: the test binary, running fetchUntilKilled instead.
const (
	envDir  = "MUTIRAO_P2P_TEST_DIR"
	envFrom = "MUTIRAO_P2P_TEST_FROM"
	envBlob = "MUTIRAO_P2P_TEST_BLOB"
)

func TestMain(m *testing.M) {
	if os.Getenv(envDir) != "" {
		fetchUntilKilled()
	}
	os.Exit(m.Run())
}

func fetchUntilKilled() {
	h, err := Open(context.Background(), Config{Dir: os.Getenv(envDir), Key: testKey(50)})
	if err != nil {
		panic(err)
	}
	h.SetPeers(strings.Fields(os.Getenv(envFrom)))
	id, err := merkle.Parse(os.Getenv(envBlob))
	if err != nil {
		panic(err)
	}
	_, err = h.Get(context.Background(), id)
	panic(err)
}

// TestKilledFetchResumes kills a process (SIGKILL) in the middle of a fetch and goes on in another one.
func TestKilledFetchResumes(t *testing.T) {
	const n = 32
	data := testBytes(n * PieceSize)
	id := Address(data)
	var served atomic.Int32
	enough, release := make(chan struct{}), make(chan struct{})
	slow, _ := liar(t, 1, data, func(q request, honest []byte) []byte {
		if q.kind == kindGet && served.Add(1) > n/2 {
			if served.Load() == n/2+1 {
				close(enough)
			}
			<-release
			return nil
		}
		return honest
	})
	defer close(release)

	dir := t.TempDir()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), envDir+"="+dir, envFrom+"="+strings.Join(slow.Addrs(), " "), envBlob+"="+id.String())
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-enough:
	case <-time.After(20 * time.Second):
		t.Error("the child does not fetch")
	}
	time.Sleep(50 * time.Millisecond) // for the last piece to be written
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); child.ProcessState.ExitCode() != -1 {
		t.Fatalf("the child ended by itself: %v", err)
	}

	good := start(t, 2)
	put(t, good, data)
	h := start(t, 50, func(c *Config) { c.Dir = dir })
	h.SetPeers(addrs(good))
	wantGet(t, h, id, data)
	if in, _ := h.Traffic(); in > (n/2+2)*PieceSize {
		t.Errorf("%d bytes came for the %d missing", in, n/2*PieceSize)
	}
}
