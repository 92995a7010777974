package dev

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/mutirao/mutirao/examples"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/registry"
)

// preloaded are the examples that have a trained model.
var preloaded = []string{"diagnosis", "credit"}

// models are the preloaded models and those in files.
func models(files []string) ([]registry.DepositModel, error) {
	var list []registry.DepositModel
	for _, name := range preloaded {
		raw, err := examples.Files().ReadFile(name + "/model.graph")
		if err != nil {
			return nil, err
		}
		list = append(list, registry.DepositModel{Name: name, Artifact: raw})
	}
	for _, file := range files {
		m, err := modelOf(file)
		if err != nil {
			return nil, failure.New(failure.General, "the model "+file+" cannot be put on the chain", err, "mutirao model inspect "+file)
		}
		list = append(list, m)
	}
	return list, nil
}

// modelOf reads one file and checks all that the registry checks.
func modelOf(file string) (registry.DepositModel, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return registry.DepositModel{}, err
	}
	name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	m := registry.DepositModel{Name: name[:min(len(name), registry.MaxName)], Artifact: raw}
	_, _, _, err = registry.Deposit(m, nil, protocol.Account{1}, protocol.Env{})
	if errors.Is(err, protocol.ErrArtifact) {
		err = fmt.Errorf("%w (it must be a graph as `mutirao train alone` writes it)", err)
	}
	return m, err
}
