package provenance

import (
	"bytes"
	"maps"
	"slices"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// BOM is the bill of materials of a model in CycloneDX 1.6: the model with its files, the data that it learned from and the models that it is
// made from, each with how that is known. It tells what the statement tells, for tools that read bills and no statements.
// Source: CycloneDX 1.6, machine-learning model card.
func BOM(s *Statement, inputs, outputs []string) ([]byte, error) {
	d := s.Predicate.BuildDefinition
	model := cdx.Component{
		BOMRef: "mutirao:model/" + d.External.Model.String(), Type: cdx.ComponentTypeMachineLearningModel, Name: d.External.Name, Version: d.External.Model.String(),
		Authors: &[]cdx.OrganizationalContact{{Name: d.External.Author.String()}}, Properties: properties(s.Metadata()),
	}
	var files []cdx.Component
	for _, r := range s.Subject {
		files = append(files, cdx.Component{BOMRef: r.Name, Type: cdx.ComponentTypeFile, Name: r.Name, Hashes: &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: r.Digest[digestFile]}}})
	}
	model.Components = &files
	parameters := cdx.MLModelParameters{Inputs: shapes(inputs), Outputs: shapes(outputs)}
	var data, parents []cdx.Component
	var used []cdx.MLDatasetChoice
	for _, r := range d.Dependencies {
		c := cdx.Component{BOMRef: r.URI, Name: r.Name, Properties: properties(r.Digest, r.Annotations)}
		if r.Digest[DigestDataset] == "" {
			c.Type, c.Name = cdx.ComponentTypeMachineLearningModel, r.Digest[DigestModel]
			parents = append(parents, c)
			continue
		}
		c.Type, c.Licenses = cdx.ComponentTypeData, &cdx.Licenses{{License: &cdx.License{Name: r.Annotations["licence"]}}}
		c.Data = &[]cdx.ComponentData{{Type: cdx.ComponentDataTypeDataset, Name: r.Name, Governance: &cdx.DataGovernance{
			Stewards: &[]cdx.ComponentDataGovernanceResponsibleParty{{Contact: &cdx.OrganizationalContact{Name: r.Annotations["steward"]}}},
		}}}
		data = append(data, c)
		used = append(used, cdx.MLDatasetChoice{Ref: r.URI})
	}
	if used != nil {
		parameters.Datasets = &used
	}
	model.ModelCard = &cdx.MLModelCard{ModelParameters: &parameters}
	if parents != nil {
		model.Pedigree = &cdx.Pedigree{Ancestors: &parents}
	}
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{Component: &model}
	if data != nil {
		bom.Components = &data
		bom.Dependencies = &[]cdx.Dependency{{Ref: model.BOMRef, Dependencies: &[]string{data[0].BOMRef}}, {Ref: data[0].BOMRef}}
	}
	var b bytes.Buffer
	err := cdx.NewBOMEncoder(&b, cdx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bom, cdx.SpecVersion1_6)
	return b.Bytes(), err
}

// properties are name and value, ascending.
func properties(of ...map[string]string) *[]cdx.Property {
	var list []cdx.Property
	for _, m := range of {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			if m[name] != "" {
				list = append(list, cdx.Property{Name: name, Value: m[name]})
			}
		}
	}
	return &list
}

func shapes(of []string) *[]cdx.MLInputOutputParameters {
	list := []cdx.MLInputOutputParameters{}
	for _, s := range of {
		list = append(list, cdx.MLInputOutputParameters{Format: s})
	}
	return &list
}
