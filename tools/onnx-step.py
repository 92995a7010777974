#!/usr/bin/env python3
"""Runs training steps in ONNX Runtime and compares losses. Each folder has model.onnx, test_data_set_0/input_*.pb and losses.txt.

Outputs next/NAME are the next inputs NAME. No node may be of a domain but ONNX's own, the checker must accept the file, and every loss must
be within one part in 100 000: roundings of two libraries differ.
"""
import glob
import os
import sys

import numpy as np
import onnx
import onnxruntime


def main():
    for folder in sys.argv[1:]:
        path = f"{folder}/model.onnx"
        model = onnx.load(path)
        foreign = {n.op_type for n in model.graph.node if n.domain not in ("", "ai.onnx")}
        if foreign:
            sys.exit(f"{folder}: operators of other domains: {foreign}")
        onnx.checker.check_model(path, full_check=True)
        state = {}
        for name in glob.glob(f"{folder}/test_data_set_0/input_*.pb"):
            tensor = onnx.TensorProto()
            with open(name, "rb") as file:
                tensor.ParseFromString(file.read())
            state[tensor.name] = onnx.numpy_helper.to_array(tensor)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        outputs = [o.name for o in session.get_outputs()]
        wanted = [float(line) for line in open(f"{folder}/losses.txt")]
        worst = 0.0
        for step, want in enumerate(wanted):
            result = dict(zip(outputs, session.run(None, state)))
            loss = float(result["loss"])
            worst = max(worst, abs(loss - want) / want)
            if not abs(loss - want) <= 1e-5 * want:
                sys.exit(f"{folder}: step {step}: loss {loss}, want {want}")
            state.update({name.removeprefix("next/"): np.asarray(x) for name, x in result.items() if name.startswith("next/")})
        print(f"{os.path.basename(folder)}: {len(wanted)} steps, {len(model.graph.node)} nodes, loss {wanted[0]:.4f} to {wanted[-1]:.4f}, largest difference {worst:.1e}")


main()
