#!/usr/bin/env python3
"""Compares this program with ONNX's checker and ONNX Runtime on one model, with random inputs.

    pip install onnx onnxruntime numpy
    tools/onnx-peers.py bin/mutirao model.onnx [name=size ...]

The checker must accept the file, and outputs must agree within 1e-6 plus 1e-4 of the largest value. Sizes are those of the file's named
dimensions; others are 1. Inputs of integers are zeros and ones.
"""
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime


def main():
    program, path, sizes = sys.argv[1], sys.argv[2], dict(a.split("=") for a in sys.argv[3:])
    onnx.checker.check_model(path, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    types = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(bool)": np.bool_}
    random = np.random.default_rng(7)
    feed = {}
    for i in session.get_inputs():
        shape = [d if isinstance(d, int) else int(sizes.get(d, 1)) for d in i.shape]
        dtype = types[i.type]
        feed[i.name] = random.standard_normal(shape).astype(dtype) if dtype == np.float32 else random.integers(0, 2, shape).astype(dtype)
    want = session.run(None, feed)
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "model", "run", path, "--out", folder]
        for n, (name, array) in enumerate(feed.items()):
            np.save(f"{folder}/input{n}.npy", array)
            command += ["--input", f"{name}={folder}/input{n}.npy"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        for o, w in zip(session.get_outputs(), want):
            safe = "".join("_" if c in "/\\:" or c < " " else c for c in o.name)
            got = np.load(f"{folder}/{safe}.npy")
            if got.dtype != w.dtype or got.shape != w.shape:
                sys.exit(f"{o.name}: {got.dtype}{got.shape}, want {w.dtype}{w.shape}")
            difference = np.abs(got.astype(np.float64) - w.astype(np.float64)).max()
            scale = max(1e-30, np.abs(w.astype(np.float64)).max())
            print(f"{o.name}: largest difference {difference:.3g}, of {scale:.3g}")
            if not difference <= 1e-6 + 1e-4 * scale:
                sys.exit(f"{o.name} differs")


if __name__ == "__main__":
    main()
