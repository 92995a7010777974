#!/usr/bin/env python3
"""Writes the decoders of node/modelcmd/testdata and what ONNX Runtime makes of eight tokens.

    pip install onnx onnxruntime numpy
    tools/onnx-decoders.py node/modelcmd/testdata
"""
import os
import sys

import numpy as np
import onnxruntime

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench", "onnx"))
import sequences  # noqa: E402

for name in "tiny-gpt2", "tiny-llama":
    path = os.path.join(sys.argv[1], name + ".onnx")
    sequences.MODELS[name][0](name, path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    feed = {}
    for port in session.get_inputs():
        if port.name == "input_ids":
            feed[port.name] = np.array([[3, 1, 4, 1, 5, 9, 2, 6]], np.int64)
        elif port.name == "position_ids":
            feed[port.name] = np.arange(8)[None]
        else:
            feed[port.name] = np.zeros((1, port.shape[1], 0, port.shape[3]), np.float32)
    np.save(os.path.join(sys.argv[1], name + ".logits.npy"), session.run(["logits"], feed)[0])
