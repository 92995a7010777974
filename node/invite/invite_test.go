package invite

import (
	"errors"
	"reflect"
	"testing"

	"github.com/mutirao/mutirao/verify/merkle"
)

func TestInviteRoundTrip(t *testing.T) {
	want := Invite{Chain: "mutirao-1", Ledger: []string{"http://127.0.0.1:26657", "tcp://127.0.0.1:26659"}, Run: merkle.Leaf([]byte("run"))}
	got, err := Parse(" " + want.String() + "\n")
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, %v", got, err)
	}
}

func TestInviteRefusesWhatItCannotUse(t *testing.T) {
	for _, v := range []Invite{
		{Chain: "", Ledger: []string{"http://h:1"}},
		{Chain: "c"},
		{Chain: "c", Ledger: []string{"file:///etc/passwd"}},
		{Chain: "c", Ledger: []string{"http://"}},
		{Chain: "c", Ledger: make([]string, maxInviteLedger+1)},
	} {
		if _, err := Parse(v.String()); !errors.Is(err, errInvite) {
			t.Errorf("%+v: got %v", v, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Invite{Chain: "c", Ledger: []string{"http://h:1"}}.String())
	f.Add(invitePrefix + "e30")
	f.Fuzz(func(t *testing.T, s string) {
		v, err := Parse(s)
		if err != nil {
			return
		}
		if again, err := Parse(v.String()); err != nil || !reflect.DeepEqual(again, v) {
			t.Fatalf("accepted %+v but not its own form: %v", v, err)
		}
	})
}
