package validator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	cmtcfg "github.com/cometbft/cometbft/config"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/privval"
	cmttypes "github.com/cometbft/cometbft/types"
)

// ErrHome reports a validator's folder that cannot be used: unreadable, damaged, or of another network.
var ErrHome = errors.New("validator folder")

// openHome makes the folders of cfg, keeps the genesis there, and loads the validator's signing state, which is what
// stops it from signing twice at one height after a crash.
func openHome(cfg *cmtcfg.Config, c Config) (*cmttypes.GenesisDoc, *privval.FilePV, error) {
	for _, file := range []string{cfg.GenesisFile(), cfg.PrivValidatorStateFile()} {
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return nil, nil, fmt.Errorf("%w: %w", ErrHome, err)
		}
	}
	doc, err := keepGenesis(cfg.GenesisFile(), c.Genesis)
	if err != nil {
		return nil, nil, err
	}
	keyFile, stateFile := cfg.PrivValidatorKeyFile(), cfg.PrivValidatorStateFile()
	signer := privval.NewFilePV(c.Keys.Consensus, keyFile, stateFile)
	switch raw, err := os.ReadFile(stateFile); {
	case errors.Is(err, fs.ErrNotExist):
		signer.Save()
		return doc, signer, nil
	case err != nil:
		return nil, nil, fmt.Errorf("%w: %w", ErrHome, err)
	default:
		// LoadFilePV ends the process when a file is damaged, so look first.
		if err := cmtjson.Unmarshal(raw, &privval.FilePVLastSignState{}); err != nil {
			return nil, nil, fmt.Errorf("%w: signing state %s: %w", ErrHome, stateFile, err)
		}
	}
	signer.Key.Save()
	return doc, privval.LoadFilePV(keyFile, stateFile), nil
}

// keepGenesis writes doc to file unless there is one already, and returns what the file says. A folder of another
// network is refused. The file is read back even when just written, because CometBFT compares the bytes at the next
// start.
func keepGenesis(file string, doc *cmttypes.GenesisDoc) (*cmttypes.GenesisDoc, error) {
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) && doc != nil {
		if err := doc.SaveAs(file); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrHome, err)
		}
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%w: genesis: %w", ErrHome, err)
	}
	kept, err := cmttypes.GenesisDocFromJSON(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: genesis %s: %w", ErrHome, file, err)
	}
	if doc != nil && !sameNetwork(doc, kept) {
		return nil, fmt.Errorf("%w: %s is the genesis of another network", ErrHome, file)
	}
	return kept, nil
}

// sameNetwork compares what decides the first state, whatever the white space of the files.
func sameNetwork(a, b *cmttypes.GenesisDoc) bool {
	var x, y bytes.Buffer
	if json.Compact(&x, a.AppState) != nil || json.Compact(&y, b.AppState) != nil {
		return false
	}
	return a.ChainID == b.ChainID && a.GenesisTime.Equal(b.GenesisTime) && bytes.Equal(x.Bytes(), y.Bytes())
}
