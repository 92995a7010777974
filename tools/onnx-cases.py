#!/usr/bin/env python3
"""Writes cases for `mutirao model test` with the answers of ONNX Runtime: attention, rotary embedding and the operators of domain
com.microsoft that ONNX's own backend tests lack.

    pip install onnx onnxruntime numpy
    tools/onnx-cases.py DIR && bin/mutirao model test DIR
"""
import os
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

random = np.random.default_rng(11)
types = {("EmbedLayerNormalization", "out1"): onnx.TensorProto.INT32}


def f(*shape):
    return random.standard_normal(shape).astype(np.float32)


def ids(high, *shape):
    return random.integers(0, high, shape).astype(np.int64)


def attention_cases():
    q, k, v = f(2, 4, 5, 8), f(2, 2, 5, 8), f(2, 2, 5, 6)
    past = [f(2, 2, 7, 8), f(2, 2, 7, 6)]
    yield "causal", "Attention", [q, k, v], 1, {"is_causal": 1}
    yield "past", "Attention", [q, k, v, None, *past], 3, {"is_causal": 1}
    yield "mask_bool", "Attention", [q, k, v, random.integers(0, 2, (5, 5)) + np.eye(5) > 0], 1, {}
    yield "mask_float_past", "Attention", [q, k, v, f(2, 1, 5, 12), *past], 3, {"is_causal": 1, "scale": 0.3}
    yield "softcap", "Attention", [q, k, v], 1, {"softcap": 2.0}
    yield "side_by_side", "Attention", [f(2, 5, 32), f(2, 6, 16), f(2, 6, 12)], 1, {"q_num_heads": 4, "kv_num_heads": 2}
    yield "cache", "Attention", [q, f(2, 2, 20, 8), f(2, 2, 20, 6), None, None, None, np.array([9, 20], np.int64)], 1, {}
    table = [f(30, 4), f(30, 4)]
    yield "rotary", "RotaryEmbedding", [q, *table, ids(30, 2, 5)], 1, {}
    yield "rotary_interleaved", "RotaryEmbedding", [q, *table, ids(30, 2, 5)], 1, {"interleaved": 1}
    yield "rotary_part", "RotaryEmbedding", [q, f(2, 5, 2), f(2, 5, 2)], 1, {"rotary_embedding_dim": 4}
    yield "rotary_side_by_side", "RotaryEmbedding", [f(2, 5, 32), *table, ids(30, 2, 5)], 1, {"num_heads": 4}
    yield "rms", "RMSNormalization", [f(3, 4, 8), f(8)], 1, {}
    yield "scatter", "TensorScatter", [f(2, 3, 9, 4), f(2, 3, 2, 4), np.array([7, 1], np.int64)], 1, {}


def contrib_cases():
    x, w = f(2, 5, 16), f(16)
    yield "gelu", "Gelu", [x], 1, {}
    yield "bias_gelu", "BiasGelu", [x, w], 1, {}
    yield "fast_gelu", "FastGelu", [x / 4, w / 4], 1, {}
    yield "quick_gelu", "QuickGelu", [x], 1, {"alpha": 1.5}
    yield "fused_matmul", "FusedMatMul", [f(2, 7, 5), f(2, 4, 7)], 1, {"transA": 1, "transB": 1, "alpha": 0.5}
    yield "skip_norm", "SkipLayerNormalization", [x, f(2, 5, 16), w, f(16), f(16)], 4, {"epsilon": 1e-5}
    yield "skip_rms", "SkipSimplifiedLayerNormalization", [x, f(2, 5, 16), w], 4, {"epsilon": 1e-5}
    yield "embed", "EmbedLayerNormalization", [ids(9, 2, 5).astype(np.int32), ids(2, 2, 5).astype(np.int32), f(9, 16), f(8, 16), f(2, 16), w, f(16)], 2, {}
    yield "multi_head", "MultiHeadAttention", [x, x, f(2, 5, 16), f(48)], 1, {"num_heads": 2}
    yield "multi_head_mask", "MultiHeadAttention", [x, x, x, None, np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], np.int32), f(1, 2, 5, 5)], 1, {"num_heads": 2}
    yield "attention", "Attention", [x, f(16, 48), f(48)], 1, {"num_heads": 4}
    yield "attention_causal", "Attention", [x, f(16, 48), f(48)], 1, {"num_heads": 4, "unidirectional": 1}
    yield "rotary", "RotaryEmbedding", [f(2, 4, 5, 8), ids(30, 2, 5), f(30, 4), f(30, 4)], 1, {}


def write(folder, name, domain, op, inputs, outputs, attributes):
    names = ["" if x is None else f"in{i}" for i, x in enumerate(inputs)]
    given = [(n, x) for n, x in zip(names, inputs) if n]
    # Only outputs that ONNX Runtime gives here are asked for: of four, the second and third belong to training.
    results = [f"out{i}" if outputs < 4 or i in (0, 3) else "" for i in range(outputs)]
    node = helper.make_node(op, names, results, domain=domain, **attributes)
    graph = helper.make_graph(
        [node], name,
        [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape) for n, x in given],
        [helper.make_tensor_value_info(r, types.get((op, r), onnx.TensorProto.FLOAT), None) for r in results if r])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24), helper.make_opsetid("com.microsoft", 1)], ir_version=11)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    answers = session.run(None, dict(given))
    data = os.path.join(folder, name, "test_data_set_0")
    os.makedirs(data, exist_ok=True)
    onnx.save(model, os.path.join(folder, name, "model.onnx"))
    for kind, tensors in ("input", given), ("output", zip([r for r in results if r], answers)):
        for i, (n, x) in enumerate(tensors):
            with open(os.path.join(data, f"{kind}_{i}.pb"), "wb") as file:
                file.write(numpy_helper.from_array(x, n).SerializeToString())


def main():
    folder = sys.argv[1]
    for domain, prefix, cases in ("", "onnx_", attention_cases()), ("com.microsoft", "contrib_", contrib_cases()):
        for name, op, inputs, outputs, attributes in cases:
            try:
                write(folder, prefix + name, domain, op, inputs, outputs, attributes)
            except Exception as e:  # an operator or form that this ONNX Runtime lacks
                print(f"not written: {prefix}{name}: {str(e).splitlines()[0][:200]}")


main()
