package demo

import (
	"fmt"

	"github.com/mutirao/mutirao/node/role"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/verify/merkle"
)

// Rounds in which the story takes its turns.
const (
	lieRound  = 2
	killRound = 3
	joinRound = 3
)

// actor is somebody in the story: a name, keys that follow from the seed, and what it does wrong, if anything.
type actor struct {
	name    string
	secret  [32]byte
	account protocol.Account
	drill   string // of `mutirao join --drill`
	reserve string // of `mutirao join --reserve`
}

// cast is everybody in the story.
type cast struct {
	master    [32]byte
	trainer   actor
	user      actor // who calls the contract
	verifiers []actor
	providers []actor // from the first round on
	late      actor   // joins in round joinRound
}

// Names of the providers whose behaviour the story is about.
const (
	copier = "p0"
	victim = "p2" // is killed
	liar   = "p4"
)

func newCast(seed uint64, providers, verifiers int) (*cast, error) {
	c := &cast{master: merkle.Digest("mutirao/demo", fmt.Append(nil, seed))}
	drills := map[string]string{
		copier: "copy",
		victim: fmt.Sprintf("slow:%d", killRound),
		liar:   fmt.Sprintf("lie:%d", lieRound),
	}
	var err error
	hire := func(name string) actor {
		a := actor{name: name, secret: role.Derive(c.master, name), drill: drills[name]}
		var failed error
		if a.account, failed = role.Account(a.secret); failed != nil {
			err = failed
		}
		return a
	}
	c.trainer, c.user = hire("trainer"), hire("clinic")
	for i := range verifiers {
		c.verifiers = append(c.verifiers, hire(fmt.Sprintf("v%d", i+1)))
	}
	for i := range providers {
		c.providers = append(c.providers, hire(fmt.Sprintf("p%d", i)))
	}
	c.late = hire(fmt.Sprintf("p%d", providers))
	for i := range c.providers {
		c.providers[i].reserve = fmt.Sprintf("0.%02d", 50+35*i/providers)
	}
	c.late.reserve = "0.9"
	return c, err
}

// everyone lists the cast; the order is fixed.
func (c *cast) everyone() []actor {
	list := []actor{c.trainer, c.user}
	list = append(list, c.verifiers...)
	list = append(list, c.providers...)
	return append(list, c.late)
}

// name tells who owns an account.
func (c *cast) name(who protocol.Account) string {
	for _, a := range c.everyone() {
		if a.account == who {
			return a.name
		}
	}
	return who.String()
}

func (c *cast) named(name string) actor {
	for _, a := range c.everyone() {
		if a.name == name {
			return a
		}
	}
	return actor{}
}

// earners are the providers of the whole story, the late one included.
func (c *cast) earners() []actor {
	return append(c.providers[:len(c.providers):len(c.providers)], c.late)
}
