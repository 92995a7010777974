package app

import (
	"encoding/json"
	"fmt"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/cosmos-sdk/x/staking"

	"cosmossdk.io/log/v2"

	"github.com/mutirao/mutirao/chain/network"
)

// Export writes the state after the last block as the genesis of a network that goes on with the next one: all modules with their open work,
// at the same heights, with the validators and their stake. last is the time of that block.
func (a *App) Export(last time.Time) (*cmttypes.GenesisDoc, error) {
	height := a.LastBlockHeight()
	if height < 1 {
		return nil, fmt.Errorf("export: no block was made yet")
	}
	ctx, err := a.CreateQueryContext(height, false)
	if err != nil {
		return nil, err
	}
	ctx = ctx.WithBlockTime(last)
	state, err := a.manager.ExportGenesisForModules(ctx, a.codec, nil)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(state) // maps are written in the order of their keys
	if err != nil {
		return nil, err
	}
	validators, err := staking.WriteValidators(ctx, a.Staking)
	if err != nil {
		return nil, err
	}
	stored := a.GetConsensusParams(ctx)
	if stored.Version == nil { // a genesis may leave it out
		stored.Version = new(cmtproto.VersionParams)
	}
	consensus := cmttypes.ConsensusParamsFromProto(stored)
	doc := &cmttypes.GenesisDoc{
		ChainID: network.ChainID, GenesisTime: last.UTC(), InitialHeight: height + 1, ConsensusParams: &consensus, Validators: validators, AppState: raw,
	}
	return doc, doc.ValidateAndComplete()
}

// InitRequest is how consensus hands a genesis to the app.
func InitRequest(doc *cmttypes.GenesisDoc) *abci.RequestInitChain {
	params := doc.ConsensusParams.ToProto()
	var list []*cmttypes.Validator
	for _, v := range doc.Validators {
		list = append(list, cmttypes.NewValidator(v.PubKey, v.Power))
	}
	return &abci.RequestInitChain{
		ChainId: doc.ChainID, Time: doc.GenesisTime, InitialHeight: doc.InitialHeight, ConsensusParams: &params, AppStateBytes: doc.AppState,
		Validators: cmttypes.TM2PB.ValidatorUpdates(cmttypes.NewValidatorSet(list)),
	}
}

// Import tries a genesis: a network can begin from it if there is no error. What is refused says why; nothing is kept.
func Import(doc *cmttypes.GenesisDoc) (hash []byte, err error) {
	defer func() { // modules panic for what they cannot read
		if p := recover(); p != nil {
			err = fmt.Errorf("genesis: %v", p)
		}
	}()
	a, err := New(log.NewNopLogger(), dbm.NewMemDB(), nil)
	if err != nil {
		return nil, err
	}
	defer a.Close()
	answer, err := a.InitChain(InitRequest(doc))
	if err != nil {
		return nil, err
	}
	return answer.AppHash, nil
}
