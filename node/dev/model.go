package dev

import (
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/mutirao/mutirao/examples"
	"github.com/mutirao/mutirao/node/callable"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/registry"
)

// preloaded are the trained models of the examples.
var preloaded = []string{"diagnosis/model.graph", "credit/model.graph", "digits/model.onnx"}

// models are the preloaded models and those in files.
func models(files []string) ([]registry.DepositModel, error) {
	var list []registry.DepositModel
	for _, file := range preloaded {
		raw, err := examples.Files().ReadFile(file)
		if err != nil {
			return nil, err
		}
		if raw, err = callable.Artifact(file, raw); err != nil {
			return nil, err
		}
		list = append(list, registry.DepositModel{Name: path.Dir(file), Artifact: raw})
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

// modelOf reads one file, an ONNX file or a graph as `mutirao train alone` writes it, and checks all that the registry checks.
func modelOf(file string) (registry.DepositModel, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return registry.DepositModel{}, err
	}
	if raw, err = callable.Artifact(file, raw); err != nil {
		return registry.DepositModel{}, err
	}
	name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	m := registry.DepositModel{Name: name[:min(len(name), registry.MaxName)], Artifact: raw}
	_, _, _, err = registry.Deposit(m, nil, protocol.Account{1}, protocol.Env{})
	return m, err
}
