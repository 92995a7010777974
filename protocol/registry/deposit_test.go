package registry

import (
	"errors"
	"testing"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// TestDepositedModel deposits, withdraws and deposits again: the id is the author's and the content's, money and parts add up.
func TestDepositedModel(t *testing.T) {
	ana, bia, env := account("ana"), account("bia"), protocol.Env{Height: 5}
	raw := artifactBytes(t, program(t, 3, 2), weights(3, 2, 0.5))
	want := DepositPerByte.Times(uint64(len(raw)))

	m, held, effects, err := Deposit(DepositModel{Name: "risk", Artifact: raw}, nil, ana, env)
	if err != nil {
		t.Fatal(err)
	}
	if lock := effects[0].(protocol.Lock); lock.From != ana || lock.Amount != want || m.Deposit != want {
		t.Errorf("locks %+v, keeps %s, want %s", lock, m.Deposit, want)
	}
	if len(held) != 1 || held[0].Holder != ana || held[0].PPM != whole || m.Lineage != Claimed || m.Callable.Inputs != 3 || m.Callable.Outputs != 2 {
		t.Errorf("model %+v, held %+v", m, held)
	}
	if id, err := DepositID(raw, ana); err != nil || id != m.ID {
		t.Errorf("id %s, want %s: %v", id, m.ID, err)
	}
	if id, _ := DepositID(raw, bia); id == m.ID {
		t.Error("two authors have one model")
	}
	if id, _ := DepositID(artifactBytes(t, program(t, 3, 2), weights(3, 2, 0.25)), ana); id == m.ID {
		t.Error("two contents have one model")
	}
	if _, _, _, err := Deposit(DepositModel{Name: "risk", Artifact: raw}, &m, ana, env); !errors.Is(err, protocol.ErrExists) {
		t.Errorf("the same again: %v", err)
	}

	if _, _, err := Withdraw(m, bia); !errors.Is(err, protocol.ErrInvalid) {
		t.Errorf("withdrawn by another: %v", err)
	}
	m.Earned = money.New(7)
	gone, effects, err := Withdraw(m, ana)
	if err != nil {
		t.Fatal(err)
	}
	if pay := effects[0].(protocol.Pay); pay.To != ana || pay.Amount != want || gone.Callable != nil || !gone.Deposit.IsZero() {
		t.Errorf("pays %+v, leaves %+v", pay, gone)
	}
	if _, _, err := Withdraw(gone, ana); !errors.Is(err, protocol.ErrNotFound) {
		t.Errorf("withdrawn twice: %v", err)
	}
	back, held, _, err := Deposit(DepositModel{Name: "another name", Artifact: raw}, &gone, ana, env)
	if err != nil || held != nil || back.Callable == nil || back.Name != "risk" || back.Earned != money.New(7) || back.Deposit != want {
		t.Errorf("deposited again: %+v, %+v, %v", back, held, err)
	}

	for name, c := range map[string]struct {
		m    DepositModel
		want error
	}{
		"nothing":  {DepositModel{Name: "n"}, protocol.ErrArtifact},
		"no name":  {DepositModel{Artifact: raw}, protocol.ErrInvalid},
		"damaged":  {DepositModel{Name: "n", Artifact: raw[:len(raw)-3]}, protocol.ErrArtifact},
		"too long": {DepositModel{Name: "n", Artifact: make([]byte, MaxArtifact+1)}, protocol.ErrTooLarge},
	} {
		if _, _, _, err := Deposit(c.m, nil, ana, env); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
