package validator_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/mutirao/mutirao/chain/genesis"
	"github.com/mutirao/mutirao/chain/validator"
)

// victimHome is set in the process that TestKilledValidatorContinues starts and kills.
const victimHome = "MUTIRAO_TEST_VICTIM_HOME"

func TestMain(m *testing.M) {
	if home := os.Getenv(victimHome); home != "" {
		victim(home)
	}
	os.Exit(m.Run())
}

// alone is the configuration of a network of one validator.
func alone(home string) (validator.Config, error) {
	keys := genesis.DeriveKeys([32]byte{8}, 1)
	addresses, err := validator.FreeAddresses(2)
	if err != nil {
		return validator.Config{}, err
	}
	doc, err := genesis.New(genesis.Spec{Time: time.Unix(1_700_000_000, 0), Validators: keys})
	return validator.Config{
		Home: home, Genesis: doc, Keys: keys[0], P2P: addresses[0], RPC: addresses[1], TimeoutCommit: 50 * time.Millisecond,
	}, err
}

// victim runs a validator, prints each height, and waits to be killed.
func victim(home string) {
	c, err := alone(home)
	if err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
	n, err := validator.Start(context.Background(), c)
	if err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
	for h := int64(0); ; time.Sleep(10 * time.Millisecond) {
		if now := n.Height(); now > h {
			h = now
			os.Stdout.WriteString(strconv.FormatInt(h, 10) + "\n")
		}
	}
}

func TestKilledValidatorContinues(t *testing.T) {
	home := t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), victimHome+"="+home)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	height := int64(0)
	for lines := bufio.NewScanner(out); height < 5 && lines.Scan(); {
		if height, err = strconv.ParseInt(lines.Text(), 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the validator ended by itself")
	}

	c, err := alone(home)
	if err != nil {
		t.Fatal(err)
	}
	n := start(t, c)
	if h := n.Height(); h < height {
		t.Errorf("continues from block %d, had committed %d", h, height)
	}
	waitHeight(t, n, height+2)
	if err := n.Stop(); err != nil {
		t.Error(err)
	}

	// The folder of one network is not taken for another's.
	c.Genesis.GenesisTime = c.Genesis.GenesisTime.Add(time.Hour)
	if n, err := validator.Start(ctx, c); err == nil {
		t.Error("another network's folder was used")
		n.Stop()
	}
}
