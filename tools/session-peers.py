#!/usr/bin/env python3
"""Compares this program with ONNX Runtime on models whose shapes and control depend on data.

    pip install onnx onnxruntime numpy [torch onnxscript]
    tools/session-peers.py bin/mutirao [FOLDER]

A detector ends in NonMaxSuppression and reads the boxes that are left; a decoder generates tokens in a Loop with caches that grow. With
PyTorch installed, its exports of nonzero, cond, while_loop, scan and top-p sampling follow. Models, inputs and ONNX Runtime's outputs are written
to the folder in the layout of ONNX's backend tests, which `mutirao model test` then runs.
"""
import math
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

node, value = helper.make_node, helper.make_tensor_value_info
FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
random = np.random.default_rng(1)
onnxruntime.set_default_logger_severity(3)


def weight(name, *shape, deviation=None):
    deviation = deviation or 1 / math.sqrt(max(1, np.prod(shape[1:])))
    return numpy_helper.from_array((random.standard_normal(shape) * deviation).astype(np.float32), name)


def constant(name, data, dtype=np.int64):
    return numpy_helper.from_array(np.array(data, dtype=dtype), name)


def write(folder, name, model, feeds):
    """Writes the model and, for each feed, its inputs and ONNX Runtime's outputs."""
    place = os.path.join(folder, name)
    os.makedirs(place, exist_ok=True)
    onnx.save(model, os.path.join(place, "model.onnx"))
    session = onnxruntime.InferenceSession(os.path.join(place, "model.onnx"), providers=["CPUExecutionProvider"])
    for i, feed in enumerate(feeds):
        case = os.path.join(place, f"test_data_set_{i}")
        os.makedirs(case, exist_ok=True)
        outputs = zip([o.name for o in session.get_outputs()], session.run(None, feed))
        for role, values in (("input", [(p.name, feed[p.name]) for p in session.get_inputs()]), ("output", outputs)):
            for j, (port, data) in enumerate(values):
                with open(os.path.join(case, f"{role}_{j}.pb"), "wb") as f:
                    f.write(numpy_helper.from_array(np.asarray(data), port).SerializeToString())


def model(nodes, inputs, outputs, weights):
    graph = helper.make_graph(nodes, "peers", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def detector(folder):
    """Four convolutions, a head of boxes and scores of eight classes, suppression, and the five best boxes."""
    nodes, weights, x, channels, classes = [], [], "image", 3, 8
    for i, (out, stride) in enumerate([(16, 2), (32, 2), (64, 2), (64, 1)]):
        weights += [weight(f"w{i}", out, channels, 3, 3), weight(f"b{i}", out)]
        nodes += [node("Conv", [x, f"w{i}", f"b{i}"], [f"conv{i}"], strides=[stride] * 2, pads=[1] * 4),
                  node("Sigmoid", [f"conv{i}"], [f"gate{i}"]), node("Mul", [f"conv{i}", f"gate{i}"], [f"silu{i}"])]
        x, channels = f"silu{i}", out
    weights += [weight("wh", 4 + classes, channels, 1, 1), weight("bh", 4 + classes), constant("rows", [0, 4 + classes, -1]),
                constant("four", [4]), constant("zero", [0]), constant("one", [1]), constant("end", [1 << 62]), constant("most", [20]),
                constant("iou", [0.5], np.float32), constant("least", [0.3], np.float32), constant("size", 40.0, np.float32),
                constant("first", 0), constant("third", 2), constant("five", 5)]
    nodes += [node("Conv", [x, "wh", "bh"], ["head"]), node("Reshape", ["head", "rows"], ["flat"]),
              node("Slice", ["flat", "zero", "four", "one"], ["logsize"]), node("Slice", ["flat", "four", "end", "one"], ["logit"]),
              node("Sigmoid", ["logit"], ["scores"]), node("Exp", ["logsize"], ["unit"]), node("Mul", ["unit", "size"], ["columns"]),
              node("Transpose", ["columns"], ["boxes"], perm=[0, 2, 1]), node("Transpose", ["scores"], ["byBox"], perm=[0, 2, 1]),
              node("NonMaxSuppression", ["boxes", "scores", "most", "iou", "least"], ["selected"], center_point_box=1),
              node("Gather", ["selected", "third"], ["box"], axis=1), node("Gather", ["selected", "first"], ["batch"], axis=1),
              node("Unsqueeze", ["box", "one"], ["box1"]), node("Unsqueeze", ["batch", "one"], ["batch1"]),
              node("Concat", ["batch1", "box1"], ["index"], axis=1), node("GatherND", ["boxes", "index"], ["kept"]),
              node("GatherND", ["byBox", "index"], ["keptScores"]), node("ReduceMax", ["keptScores", "one"], ["best"], keepdims=0),
              node("Shape", ["best"], ["count"]), node("Min", ["count", "five"], ["k"]), node("TopK", ["best", "k"], ["top", "order"]),
              node("Gather", ["kept", "order"], ["final"])]
    m = model(nodes, [value("image", FLOAT, ["n", 3, "h", "w"])], [value("selected", INT64, None), value("final", FLOAT, None), value("top", FLOAT, None)], weights)
    images = [random.standard_normal(s).astype(np.float32) for s in ((1, 3, 64, 64), (2, 3, 96, 64))] + [np.zeros((1, 3, 32, 32), np.float32)]
    write(folder, "detector", m, [{"image": i} for i in images])


def decoder(folder, width=64, heads=4, words=97, layers=2):
    """A transformer that chooses the likeliest next token until one of them ends the loop; caches of keys and values grow."""
    each = width // heads
    weights = [weight("embedding", words, width, deviation=1), weight("position", 256, width, deviation=0.3), weight("head", width, words),
               constant("zero", [0]), constant("stop", [11]), constant("split", [1, -1, heads, each]), constant("join", [1, -1, width]),
               constant("scale", 1 / math.sqrt(each), np.float32), constant("list", [-1]), constant("nothing", [1, heads, 0, each])]
    steps = [node("Gather", ["embedding", "token"], ["e"]), node("Unsqueeze", ["i", "zero"], ["at"]), node("Gather", ["position", "at"], ["p"]),
             node("Add", ["e", "p"], ["ep"]), node("Unsqueeze", ["ep", "zero"], ["x0"])]
    x, carried, grown = "x0", [], []
    for n in range(layers):
        for name, shape in (("q", (width, width)), ("k", (width, width)), ("v", (width, width)), ("o", (width, width)), ("up", (width, 4 * width)), ("down", (4 * width, width))):
            weights.append(weight(f"{name}{n}", *shape))
        weights += [constant(f"gain{n}", np.ones(width), np.float32), constant(f"bias{n}", np.zeros(width), np.float32)]
        steps.append(node("LayerNormalization", [x, f"gain{n}", f"bias{n}"], [f"norm{n}"]))
        for name in "qkv":
            steps += [node("MatMul", [f"norm{n}", f"{name}{n}"], [f"{name}m{n}"]), node("Reshape", [f"{name}m{n}", "split"], [f"{name}r{n}"]),
                      node("Transpose", [f"{name}r{n}"], [f"{name}t{n}"], perm=[0, 2, 1, 3])]
        steps += [node("Concat", [f"keys{n}", f"kt{n}"], [f"allKeys{n}"], axis=2), node("Concat", [f"values{n}", f"vt{n}"], [f"allValues{n}"], axis=2),
                  node("Transpose", [f"allKeys{n}"], [f"kT{n}"], perm=[0, 1, 3, 2]), node("MatMul", [f"qt{n}", f"kT{n}"], [f"dot{n}"]),
                  node("Mul", [f"dot{n}", "scale"], [f"scaled{n}"]), node("Softmax", [f"scaled{n}"], [f"share{n}"], axis=-1),
                  node("MatMul", [f"share{n}", f"allValues{n}"], [f"mix{n}"]), node("Transpose", [f"mix{n}"], [f"mixT{n}"], perm=[0, 2, 1, 3]),
                  node("Reshape", [f"mixT{n}", "join"], [f"row{n}"]), node("MatMul", [f"row{n}", f"o{n}"], [f"out{n}"]), node("Add", [x, f"out{n}"], [f"y{n}"]),
                  node("MatMul", [f"y{n}", f"up{n}"], [f"h{n}"]), node("Relu", [f"h{n}"], [f"r{n}"]), node("MatMul", [f"r{n}", f"down{n}"], [f"d{n}"]), node("Add", [f"y{n}", f"d{n}"], [f"z{n}"])]
        x = f"z{n}"
        carried += [value(f"keys{n}", FLOAT, None), value(f"values{n}", FLOAT, None)]
        grown += [value(f"allKeys{n}", FLOAT, None), value(f"allValues{n}", FLOAT, None)]
    steps += [node("MatMul", [x, "head"], ["logits"]), node("ArgMax", ["logits"], ["best"], axis=2, keepdims=0), node("Reshape", ["best", "list"], ["next"]),
              node("Equal", ["next", "stop"], ["stopped"]), node("Not", ["stopped"], ["on1"]), node("Squeeze", ["on1"], ["on"]), node("Identity", ["next"], ["emitted"]),
              node("Softmax", ["logits"], ["shares"], axis=-1), node("ReduceMax", ["shares"], ["sure"], keepdims=0)]
    body = helper.make_graph(steps, "step", [value("i", INT64, []), value("going", BOOL, []), value("token", INT64, [1])] + carried,
                             [value("on", BOOL, []), value("next", INT64, [1])] + grown + [value("emitted", INT64, [1]), value("sure", FLOAT, [])])
    nodes = [node("ConstantOfShape", ["nothing"], ["empty"]), node("Loop", ["most", "", "start"] + ["empty"] * 2 * layers,
             ["last"] + [f"cache{i}" for i in range(2 * layers)] + ["tokens", "certainty"], body=body)]
    m = model(nodes, [value("most", INT64, []), value("start", INT64, [1])], [value("tokens", INT64, None), value("certainty", FLOAT, None)], weights)
    write(folder, "decoder", m, [{"most": np.array(40), "start": np.array([s])} for s in (3, 7, 50)])


def torch_exports(folder):
    """What PyTorch's exporter makes of control flow and of shapes that depend on data."""
    import torch
    from torch._higher_order_ops import scan, while_loop

    class Rows(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(6, 8)

        def forward(self, x):
            y = self.layer(x)
            at = torch.nonzero(y[:, 0] > 0).squeeze(1)
            return torch.softmax(y[at], -1), at, y[y > 0.3]

    class Branch(Rows):
        def forward(self, x):
            return torch.cond(x.sum() > 0, lambda x: torch.relu(self.layer(x)), lambda x: torch.tanh(self.layer(x)), (x,))

    class Repeat(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = torch.nn.GRUCell(6, 6)

        def forward(self, x, h):
            return while_loop(lambda i, h: (i < 12) & (h.abs().max() < 0.99), lambda i, h: (i + 1, self.cell(x, h)), (torch.tensor(0), h))

    class Prefix(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(12, 6)

        def forward(self, h, xs):
            def step(h, x):
                h = torch.tanh(self.layer(torch.cat([h, x], -1)))
                return h, h * 2
            return scan(step, h, xs)

    class TopP(torch.nn.Module):
        def forward(self, logits):
            p, at = torch.sort(torch.softmax(logits, -1), descending=True)
            keep = torch.cumsum(p, -1) - p < 0.9
            return at[keep], torch.unique(at[keep] // 3)

    x = torch.randn(7, 6)
    for name, module, inputs in (("nonzero", Rows(), [(x,), (-torch.ones(7, 6),)]), ("cond", Branch(), [(x,), (x * 0 - 1,)]),
                                 ("while", Repeat(), [(x, torch.zeros(7, 6))]), ("scan", Prefix(), [(torch.zeros(2, 6), torch.randn(9, 2, 6))]),
                                 ("top-p", TopP(), [(torch.randn(2, 40),)])):
        exported = torch.onnx.export(module.eval(), inputs[0], dynamo=True, opset_version=18, verbose=False).model_proto
        ports = [i.name for i in exported.graph.input]
        write(folder, "torch-" + name, exported, [dict(zip(ports, [t.numpy() for t in given])) for given in inputs])


def main():
    program = sys.argv[1]
    folder = sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp(prefix="session-peers-")
    detector(folder)
    decoder(folder)
    try:
        torch_exports(folder)
    except ImportError as e:
        print("without PyTorch's exports:", e)
    sys.exit(subprocess.run([program, "model", "test", folder], check=False).returncode)


main()
