package provenance

import (
	"encoding/json"
	"fmt"
	"strings"
)

// About is what a model card tells.
type About struct {
	Name, ID, Run, Network string
	Trained                bool     // by a run that the network verified
	Datasets               []string // names and licences, ids behind
	Parents                []string // ids of models that it is made from
	Inputs, Outputs        []string // names with shapes
	Lineage                string   // a tree, in plain text
	Shares                 string   // a table in Markdown
	Files                  []string // names
	Provenance             string   // name of the provenance file
}

// ModelCard is a README in Markdown whose head is the metadata block that model hubs read. The ledger knows no licence of a model, so the card
// says that it is unknown. Source: Hugging Face, "Model Cards".
func ModelCard(a About) []byte {
	var b strings.Builder
	b.WriteString("---\n")
	field := func(name, indent string, values ...string) {
		if len(values) == 0 {
			return
		}
		fmt.Fprintf(&b, "%s%s:\n", indent, name)
		for _, v := range values {
			fmt.Fprintf(&b, "%s- %s\n", indent, quote(v))
		}
	}
	b.WriteString("license: unknown\n")
	field("tags", "", "mutirao", "onnx", "reproducible", lineageTag(a.Trained))
	fmt.Fprintf(&b, "mutirao:\n  network: %s\n  model: %s\n", quote(a.Network), quote(a.ID))
	if a.Run != "" {
		fmt.Fprintf(&b, "  run: %s\n", quote(a.Run))
	}
	field("datasets", "  ", a.Datasets...) // not in the hub's own fields, which take the hub's names only
	field("parents", "  ", a.Parents...)
	fmt.Fprintf(&b, "---\n\n# %s\n\n", escape(a.Name))
	if a.Trained {
		b.WriteString("A model of the Mutirão network. Each round of its training was computed by machines that need not trust each other, and verified by others bit for bit.\n")
	} else {
		b.WriteString("A model that its author registered with the Mutirão network. How it was made is the author's word.\n")
	}
	fmt.Fprintf(&b, "\n- **Input**: %s\n- **Output**: %s\n", escape(strings.Join(a.Inputs, ", ")), escape(strings.Join(a.Outputs, ", ")))
	fmt.Fprintf(&b, "\n## Lineage\n\n```\n%s```\n\n*Proven* edges were recomputed by the network, *claimed* ones are the author's word.\n", strings.ReplaceAll(a.Lineage, "```", "'''"))
	fmt.Fprintf(&b, "\n## Shares\n\nThe model belongs to those who computed it, gave the data, wrote the recipe and verified it. As of the export:\n\n%s", a.Shares)
	fmt.Fprintf(&b, "\n## Files\n\n%s\n\nTheir digests and origins are in `%s`, an in-toto statement in a signed envelope. `mutirao models verify-provenance %s` checks both.\n",
		"- `"+strings.Join(a.Files, "`\n- `")+"`", a.Provenance, a.Provenance)
	b.WriteString("\n## Licence\n\nThe ledger records the licences of data sets, not of models. Ask the author before you use this model for more than it was made for.\n")
	return []byte(b.String())
}

func lineageTag(trained bool) string {
	if trained {
		return "lineage-proven"
	}
	return "lineage-claimed"
}

// quote writes a string as YAML reads it: JSON's strings are YAML's.
func quote(s string) string {
	raw, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings always marshal
	}
	return string(raw)
}

// escape keeps a name from being Markdown or HTML.
func escape(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune("\\`*_{}[]<>()#+!|&", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
