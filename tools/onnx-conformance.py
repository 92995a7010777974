#!/usr/bin/env python3
"""Makes docs/onnx-conformance.md of reports of `mutirao model test --json`.

    tools/onnx-conformance.py TITLE=REPORT.json... > docs/onnx-conformance.md
"""
import json
import sys

# Why tests do not pass that no error explains.
REASONS = {
    "test_adam_multiple": "the expected values are those of epsilon 0.01, which the file of this version of the suite does not set; its default is 1e-6",
    "test_dft_inverse": "the expected value is the rounding error of another algorithm, ours is exactly 0; the tolerance of 1e-7 is below one unit in the last place of the input",
    "FLOAT4E2M1": "the specification maps NaN to 6, the suite's values come from a library that maps it to -0",
    "fp16_expanded": "rounded to float16 after each operator, in another order than NumPy",
}


def reason(case):
    for part, why in REASONS.items():
        if part in case["name"]:
            return f"{case['why']}: {why}"
    return case["why"]


def cell(text):
    return text.replace("|", "\\|").replace("\n", " ")


print("""# Conformance with ONNX

Made by `make onnx-conformance`: ONNX's backend node tests, run with `mutirao model test`. A test passes if types and shapes are equal and
|got - want| ≤ 1e-7 + 1e-3·|want|, the tolerance of ONNX's own runner (2⁻⁶·|want| for bfloat16). Where a model draws random numbers, two
programs cannot agree on them: types and shapes are compared. float64 is computed in float32.
""")
for arg in sys.argv[1:]:
    title, _, path = arg.partition("=")
    with open(path, encoding="utf-8") as f:
        report = json.load(f)
    cases = report["cases"]
    passed = [c for c in cases if c["outcome"] == "pass"]
    print(f"## {title}\n")
    print(f"**{len(passed)} of {len(cases)} pass ({100 * len(passed) / len(cases):.1f} %)**, {report['mismatched']} differ, {report['unsupported']} are not supported, none crashes.")
    print(f"Of those that pass, {sum(c.get('random', False) for c in passed)} by types and shapes only, {sum(c.get('float64', False) for c in passed)} with float64.\n")
    rest = [c for c in cases if c["outcome"] != "pass"]
    if rest:
        print("| Test | Outcome | Reason |\n|---|---|---|")
        for c in sorted(rest, key=lambda c: (c["outcome"], c["name"])):
            print(f"| {c['name']} | {c['outcome']} | {cell(reason(c))} |")
        print()
