// Package audit recomputes every balance and every share of the ledger from the log of its blocks, and says where the
// ledger's own books differ. It is a second implementation of the money rules in spec/work.md, spec/dispute.md,
// spec/registry.md, spec/commons.md, spec/voucher.md and spec/rewards.md, written from their text, and of the stake and governance of the Cosmos SDK: it imports nothing of this module, so that a fault in the rules' arithmetic, in
// a keeper or in the bank is not repeated here.
//
// What counts as the log: the balances at genesis, the transactions with whether each was carried out, the gas that a block
// charged for and its base fee, and the verdicts that the rules announce as events: which units counted, who did how many
// duties, who was expelled and who proved it, when a member left and a run ended, who leased what at which price, who signed, who is in the set of validators and who was slashed, what became of a proposal. No amount of any event is read. A verdict
// must be backed by messages that the ledger accepted. What contracts moved among themselves without a log is not in the
// log; such balances cannot be recomputed and are reported as differences.
package audit

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// Account is the 20-byte address of whoever owns coins.
type Account [20]byte

// Hash is the 32-byte id of a run, model, dataset or channel.
type Hash [32]byte

func (a Account) String() string { return "0x" + hex.EncodeToString(a[:]) }
func (h Hash) String() string    { return hex.EncodeToString(h[:]) }

// UnmarshalText reads the form of String.
func (a *Account) UnmarshalText(text []byte) error {
	return fromHex(a[:], strings.TrimPrefix(string(text), "0x"))
}

// UnmarshalText reads the form of String.
func (h *Hash) UnmarshalText(text []byte) error { return fromHex(h[:], string(text)) }

// MarshalText returns the form of String.
func (a Account) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// MarshalText returns the form of String.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

func fromHex(to []byte, s string) error {
	if len(s) != 2*len(to) {
		return fmt.Errorf("%d hexadecimal digits, not %d", len(s), 2*len(to))
	}
	_, err := hex.Decode(to, []byte(s))
	return err
}

// Genesis is where the books begin.
type Genesis struct {
	Balances map[Account]*big.Int
	Work     Account // escrow of runs
	Disputes Account // escrow of disputes
	Registry Account // escrow of models and channels
	Requests Account // escrow of requests
	Fees     Account // where fees are collected
	Rewards  RewardTerms
	Market   MarketTerms
	Commons  CommonsTerms
	Stake    StakeTerms
	Govern   GovernTerms

	DisputeBond   *big.Int // the least bond of who opens a dispute
	DisputePrices int64    // it is also at least so many prices of the unit in question
}

// Block is one block of the log.
type Block struct {
	Height   uint64
	Time     int64         // ns since 1970
	BaseFee  *big.Int      // amut per gas
	Signed   []Account     // addresses of the keys that signed the block before
	Begin    []Event       // before the transactions
	Evidence []Misbehavior // for what happens then
	Txs      []Tx
	End      []Event     // after the transactions
	Set      []SetChange // at the very end
}

// Tx is one transaction of a block.
type Tx struct {
	ID       string
	Payer    Account
	Gas      *Gas // nil if nothing was charged, because the transaction was refused at the door
	OK       bool // carried out; otherwise the messages count for nothing
	Messages []Message
	Events   []Event
}

// Gas is what a transaction offered for its gas, from which follows what it paid.
type Gas struct {
	Limit    uint64
	Used     uint64
	Fee      *big.Int // of a native transaction: all that it offered, for all of Limit
	Cap      *big.Int // of an Ethereum transaction: the most for each gas; nil for a native one
	Priority *big.Int // the most for each gas above the base fee; nil for no such bound
}

// Message is one message. Kind is that of the ledger's own messages, such as "work/join", whose Body is JSON; or KindSend,
// which moves Value; or KindCall, which moves Value and whose Acts are in the receipt.
type Message struct {
	From  Account
	Kind  string
	Body  []byte
	To    Account
	Value *big.Int
	Acts  []ContractAct
}

// Kinds of messages that are not our own.
const (
	KindSend = "bank/send"
	KindCall = "evm/call"

	// KindQuiet is a message that moves no coins: a vote, a return from jail, an allowance, the height of an upgrade.
	KindQuiet = "quiet"
)

// ContractAct is what a contract did to a model, in the order of the receipt's logs: it paid for a use, moved parts from one account to
// another, had a holder paid, or dealt with a request. Fee, Price and Delivery are the amounts that are taken from the log: they move value within a
// contract's execution.
type ContractAct struct {
	Kind     string // ActUse and so on
	Model    Hash
	Request  Hash
	From, To Account  // the payer; giver and taker; the holder in To; who asks, seals, opens, had a request replayed or called back
	Fee      *big.Int // of a use, or of an answer
	Price    *big.Int // of each worker of a request
	Delivery *big.Int // of who first calls back
	Parts    int64    // of a move; the workers of a request
	Answer   string   // digest of what was opened, or of the final answer
}

// Kinds of what a contract does to a model.
const (
	ActUse   = "use"
	ActMove  = "move"
	ActClaim = "claim"

	ActAsk    = "ask"
	ActSeal   = "seal"
	ActOpen   = "open"
	ActAnswer = "answer"
	ActCall   = "call" // back, whatever became of it
)

// Event is a verdict.
type Event struct {
	Kind       string
	Attributes map[string]string
}

// Finding is a difference between the ledger's books and these.
type Finding struct {
	Height   uint64 `json:"height"`  // in the block of which it was seen
	Subject  string `json:"subject"` // "balance 0x…", "run …", "receipt …"
	Expected string `json:"expected"`
	Found    string `json:"found"`
	Cause    string `json:"cause,omitempty"` // transactions of the block that touch the subject
}

func (f Finding) String() string {
	s := fmt.Sprintf("block %d: %s is %s, must be %s", f.Height, f.Subject, f.Found, f.Expected)
	if f.Cause != "" {
		s += " (" + f.Cause + ")"
	}
	return s
}

// Move is one movement of coins in the last block: From or To is zero for coins that come into being or cease to be.
type Move struct {
	Tx       string
	From, To Account
	Amount   *big.Int
	Why      string
	Notes    []Note // how the amount came about, after Explain
}

// Books are the recomputed books after some block. The zero value is not usable: see New.
type Books struct {
	genesis  Genesis
	height   uint64
	balances map[Account]*big.Int
	supply   *big.Int
	runs     map[Hash]*run
	datasets map[Hash]Account // its steward
	models   map[Hash]*model
	channels map[Hash]*channel
	uploads  map[Hash]*upload  // that are open
	disputes map[Hash]*dispute // that are open
	lost     map[Account]int   // disputes of an opener
	receipts map[Receipt]int
	messages int
	trade    trade
	fund     fund
	stake    staking
	signing  signing
	now      int64 // time of the block, ns

	proposals    map[uint64]*Proposal // that are not decided
	nextProposal uint64

	asked    map[Hash]*asked // requests of which something is in escrow
	moves    []Move
	findings []Finding
	tx       string  // the one that is being read; "" at the end of a block
	pending  []Event // of that transaction, not yet used
	explain  bool
	notes    []Note // of the next movement
}

// New opens the books at genesis.
func New(g Genesis) *Books {
	b := &Books{
		genesis: g, balances: map[Account]*big.Int{}, supply: new(big.Int), runs: map[Hash]*run{}, datasets: map[Hash]Account{},
		models: map[Hash]*model{}, channels: map[Hash]*channel{}, uploads: map[Hash]*upload{}, disputes: map[Hash]*dispute{}, lost: map[Account]int{}, receipts: map[Receipt]int{},
		trade: newTrade(), fund: newFund(), asked: map[Hash]*asked{},
		stake: newStaking(g.Stake), signing: newSigning(g), proposals: newGovernance(g.Govern), nextProposal: g.Govern.Next,
	}
	b.stake.began(g.Rewards.Income)
	for who, amount := range g.Balances {
		b.balances[who] = new(big.Int).Set(amount)
		b.supply.Add(b.supply, amount)
	}
	b.fund.began.Set(b.supply)
	return b
}

// Height is the last block that was read, and Messages how many messages were carried out so far.
func (b *Books) Height() uint64 { return b.height }

// Messages counts the messages that were carried out.
func (b *Books) Messages() int { return b.messages }

// Moves are the movements of coins in the last block.
func (b *Books) Moves() []Move { return b.moves }

// Findings are what in the log itself cannot be: a payment from an escrow that does not hold it, a verdict without a message.
func (b *Books) Findings() []Finding { return b.findings }

// Read adds the next block.
func (b *Books) Read(block Block) {
	b.height, b.now, b.moves = block.Height, block.Time, nil
	b.rewards(block.Signed)
	for _, e := range block.Begin {
		b.stakeVerdict(e, block.Evidence)
	}
	for _, tx := range block.Txs {
		b.tx, b.pending = tx.ID, slices.Clone(tx.Events)
		b.told(tx)
		b.charge(tx, block.BaseFee)
		if !tx.OK {
			continue
		}
		for _, m := range tx.Messages {
			b.messages++
			b.apply(m)
		}
		for _, e := range b.pending {
			b.verdict(e)
		}
	}
	b.tx, b.pending = "", nil
	for _, e := range block.End {
		b.verdict(e)
	}
	b.endJobs()
	b.stakeEnds(block.Set)
}

func (b *Books) apply(m Message) {
	switch module, _, _ := strings.Cut(m.Kind, "/"); {
	case m.Kind == KindSend:
		b.move(m.From, m.To, m.Value, "sent")
	case m.Kind == KindCall:
		b.move(m.From, m.To, m.Value, "value of a call")
		for _, a := range m.Acts {
			switch a.Kind {
			case ActUse:
				b.use(a.Model, a.From, a.Fee)
			case ActMove:
				b.transfer(a.Model, a.From, a.To, a.Parts)
			case ActClaim:
				b.claim(a.Model, a.To)
			default:
				b.request(a)
			}
		}
	case m.Kind == KindQuiet || module == "params": // a change of a number is announced when it comes
	case module == "staking":
		b.staking(m)
	case module == "gov":
		b.governance(m)
	case module == "work":
		b.work(m)
	case module == "dispute":
		b.dispute(m)
	case module == "market":
		b.market(m)
	case module == "commons":
		b.commons(m)
	case module == "registry":
		b.registry(m)
	case module == "voucher":
		b.voucher(m)
	default:
		b.find("message "+m.Kind, "known to this audit", "unknown")
	}
}

// take removes and returns the transaction's next event of a kind whose attribute has that value.
func (b *Books) take(kind, attribute, value string) (Event, bool) {
	for i, e := range b.pending {
		if e.Kind == kind && (attribute == "" || e.Attributes[attribute] == value) {
			b.pending = slices.Delete(b.pending, i, i+1)
			return e, true
		}
	}
	return Event{}, false
}

func (b *Books) find(subject, expected, found string) {
	f := Finding{Height: b.height, Subject: subject, Expected: expected, Found: found}
	if b.tx != "" {
		f.Cause = "transaction " + b.tx
	}
	b.findings = append(b.findings, f)
}
