"""Transformers and recurrent networks as exporters write them, with random weights of a fixed seed, for models.py.

Encoders (minilm, bert): Gelu as five nodes, attention as products, as torch.onnx.export writes them. Decoders take and give their
keys and values: gpt2 as nodes of operator set 17, llama with the Attention, RMSNormalization and RotaryEmbedding of set 23; the
small ones (tiny-gpt2, tiny-llama) are for tests. lstm and gru have two layers.
"""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


class Net:
    """A graph that grows node by node. Values are names."""

    def __init__(self, name, opset):
        self.name, self.opset = name, opset
        self.random = np.random.default_rng(7)
        self.nodes, self.weights, self.inputs, self.outputs, self.shared = [], [], [], [], {}

    def input(self, name, kind, *shape):
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, value, name, *shape):
        self.nodes.append(helper.make_node("Identity", [value], [name], name=f"out {name}"))
        self.outputs.append(helper.make_tensor_value_info(name, FLOAT, shape))

    def ops(self, op, count, *inputs, **attributes):
        out = [f"{op}_{len(self.nodes)}_{i}" for i in range(count)]
        self.nodes.append(helper.make_node(op, list(inputs), out, name=f"{op}_{len(self.nodes)}", **attributes))
        return out

    def op(self, op, *inputs, **attributes):
        return self.ops(op, 1, *inputs, **attributes)[0]

    def constant(self, array):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def ints(self, *values, scalar=False):
        key = (values, scalar)
        if key not in self.shared:
            self.shared[key] = self.constant(np.array(values[0] if scalar else values, np.int64))
        return self.shared[key]

    def number(self, value):
        return self.constant(np.float32(value))

    def normal(self, *shape, scale=1.0):
        return self.constant((self.random.standard_normal(shape) * scale).astype(np.float32))

    def linear(self, x, rows, cols):
        """x·W + b as MatMul and Add, the bias first, as exporters write it."""
        y = self.op("MatMul", x, self.normal(rows, cols, scale=rows**-0.5))
        return self.op("Add", self.normal(cols, scale=0.02), y)

    def norm(self, x, size):
        scale = self.constant((1 + 0.1 * self.random.standard_normal(size)).astype(np.float32))
        return self.op("LayerNormalization", x, scale, self.normal(size, scale=0.1), axis=-1, epsilon=1e-12)

    def erf_gelu(self, x):
        e = self.op("Add", self.op("Erf", self.op("Div", x, self.number(2**0.5))), self.number(1))
        return self.op("Mul", self.op("Mul", x, e), self.number(0.5))

    def tanh_gelu(self, x):
        cube = self.op("Mul", self.op("Mul", x, x), x)
        inner = self.op("Add", x, self.op("Mul", cube, self.number(0.044715)))
        t = self.op("Tanh", self.op("Mul", inner, self.number((2 / np.pi) ** 0.5)))
        return self.op("Mul", self.op("Mul", x, self.number(0.5)), self.op("Add", t, self.number(1)))

    def heads(self, x, heads, size, perm=(0, 2, 1, 3)):
        return self.op("Transpose", self.op("Reshape", x, self.ints(0, 0, heads, size)), perm=perm)

    def join(self, x, width):
        return self.op("Reshape", self.op("Transpose", x, perm=[0, 2, 1, 3]), self.ints(0, 0, width))

    def save(self, path):
        graph = helper.make_graph(self.nodes, self.name, self.inputs, self.outputs, self.weights)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=9 if self.opset < 21 else 11), path)


def encoder(name, layers, width, heads, hidden, vocabulary=30522):
    """Devlin et al., "BERT", 2018; MiniLM (Wang et al., 2020) is the same, narrower."""
    net = Net(name, 17)
    ids, mask, kinds = (net.input(n, INT64, "batch", "seq") for n in ("input_ids", "attention_mask", "token_type_ids"))
    positions = net.op("Slice", net.constant(np.arange(512)[None]), net.ints(0), net.op("Gather", net.op("Shape", ids), net.ints(1)), net.ints(1))
    x = net.op("Add", net.op("Gather", net.normal(vocabulary, width, scale=0.05), ids), net.op("Gather", net.normal(2, width, scale=0.05), kinds))
    x = net.norm(net.op("Add", x, net.op("Gather", net.normal(512, width, scale=0.05), positions)), width)
    outside = net.op("Sub", net.number(1), net.op("Cast", net.op("Unsqueeze", mask, net.ints(1, 2)), to=FLOAT))
    bias = net.op("Mul", outside, net.number(np.finfo(np.float32).min))
    size = width // heads
    for _ in range(layers):
        q = net.heads(net.linear(x, width, width), heads, size)
        k = net.heads(net.linear(x, width, width), heads, size, (0, 2, 3, 1))
        v = net.heads(net.linear(x, width, width), heads, size)
        scores = net.op("Add", net.op("Div", net.op("MatMul", q, k), net.number(size**0.5)), bias)
        y = net.join(net.op("MatMul", net.op("Softmax", scores, axis=-1), v), width)
        x = net.norm(net.op("Add", net.linear(y, width, width), x), width)
        y = net.linear(net.erf_gelu(net.linear(x, width, hidden)), hidden, width)
        x = net.norm(net.op("Add", y, x), width)
    net.output(x, "last_hidden_state", "batch", "seq", width)
    return net


def cache(net, layer, heads, size):
    return [net.input(f"past.{layer}.{what}", FLOAT, "batch", heads, "past", size) for what in ("key", "value")]


def gpt2(name, layers=12, width=768, heads=12, vocabulary=50257, context=1024):
    """Radford et al., "Language Models are Unsupervised Multitask Learners", 2019. The token table is also the last product."""
    net = Net(name, 17)
    ids = net.input("input_ids", INT64, "batch", "seq")
    size = width // heads
    pasts = [cache(net, i, heads, size) for i in range(layers)]
    past = net.op("Gather", net.op("Shape", pasts[0][0]), net.ints(2, scalar=True))
    total = net.op("Add", past, net.op("Gather", net.op("Shape", ids), net.ints(1, scalar=True)))
    zero, one = net.ints(0, scalar=True), net.ints(1, scalar=True)
    places = net.op("Range", past, total, one)
    visible = net.op("LessOrEqual", net.op("Unsqueeze", net.op("Range", zero, total, one), net.ints(0)), net.op("Unsqueeze", places, net.ints(1)))
    table = net.normal(vocabulary, width, scale=0.02)
    x = net.op("Add", net.op("Gather", table, ids), net.op("Gather", net.normal(context, width, scale=0.01), places))
    for i in range(layers):
        joined = net.linear(net.norm(x, width), width, 3 * width)
        q, k, v = (net.heads(part, heads, size) for part in net.ops("Split", 3, joined, axis=2))
        k, v = (net.op("Concat", old, new, axis=2) for old, new in zip(pasts[i], (k, v)))
        net.output(k, f"present.{i}.key", "batch", heads, "total", size)
        net.output(v, f"present.{i}.value", "batch", heads, "total", size)
        scores = net.op("Div", net.op("MatMul", q, net.op("Transpose", k, perm=[0, 1, 3, 2])), net.number(size**0.5))
        weights = net.op("Softmax", net.op("Where", visible, scores, net.number(np.finfo(np.float32).min)), axis=-1)
        x = net.op("Add", net.linear(net.join(net.op("MatMul", weights, v), width), width, width), x)
        y = net.tanh_gelu(net.linear(net.norm(x, width), width, 4 * width))
        x = net.op("Add", net.linear(y, 4 * width, width), x)
    net.output(net.op("MatMul", net.norm(x, width), net.op("Transpose", table, perm=[1, 0])), "logits", "batch", "seq", vocabulary)
    return net


def llama(name, layers=8, width=768, heads=12, kv=4, hidden=2048, vocabulary=32000, context=1024):
    """Touvron et al., "Llama 2", 2023: grouped queries, rotary positions, RMS norm, SwiGLU, no biases."""
    net = Net(name, 23)
    ids, places = net.input("input_ids", INT64, "batch", "seq"), net.input("position_ids", INT64, "batch", "seq")
    size = width // heads
    angles = np.arange(context)[:, None] / 10000.0 ** (np.arange(0, size, 2) / size)[None]
    cos, sin = (net.constant(f(angles).astype(np.float32)) for f in (np.cos, np.sin))

    def product(x, rows, cols):
        return net.op("MatMul", x, net.normal(rows, cols, scale=rows**-0.5))

    def norm(x):
        return net.op("RMSNormalization", x, net.constant((1 + 0.1 * net.random.standard_normal(width)).astype(np.float32)), axis=-1, epsilon=1e-5)

    x = net.op("Gather", net.normal(vocabulary, width, scale=0.05), ids)
    for i in range(layers):
        y = norm(x)
        q, k = (net.op("RotaryEmbedding", net.heads(product(y, width, n * size), n, size), cos, sin, places) for n in (heads, kv))
        v = net.heads(product(y, width, kv * size), kv, size)
        y, k, v = net.ops("Attention", 3, q, k, v, "", *cache(net, i, kv, size), is_causal=1)
        net.output(k, f"present.{i}.key", "batch", kv, "total", size)
        net.output(v, f"present.{i}.value", "batch", kv, "total", size)
        x = net.op("Add", x, product(net.join(y, width), width, width))
        y = norm(x)
        gate = product(y, width, hidden)
        y = net.op("Mul", net.op("Mul", gate, net.op("Sigmoid", gate)), product(y, width, hidden))
        x = net.op("Add", x, product(y, hidden, width))
    net.output(product(norm(x), width, vocabulary), "logits", "batch", "seq", vocabulary)
    return net


def recurrent(name, op, gates, width=256, inputs=128, steps=100):
    """Two layers over a sequence of fixed length, and a product with the last state."""
    net = Net(name, 17)
    x = net.op("Transpose", net.input("x", FLOAT, "batch", steps, inputs), perm=[1, 0, 2])
    bound = width**-0.5
    for size in (inputs, width):
        w, r, b = (net.normal(*shape, scale=bound) for shape in ((1, gates * width, size), (1, gates * width, width), (1, 2 * gates * width)))
        outputs = net.ops(op, 2, x, w, r, b, hidden_size=width, **({"linear_before_reset": 1} if op == "GRU" else {}))
        x = net.op("Squeeze", outputs[0], net.ints(1))
    last = net.op("Squeeze", outputs[1], net.ints(0))
    net.output(net.op("Gemm", last, net.normal(width, 10, scale=bound), net.normal(10)), "y", "batch", 10)
    return net


def written(build):
    return lambda name, path: build(name).save(path)


# As in models.py. The tiny ones are for comparisons of outputs, not of time.
MODELS = {
    "minilm": (written(lambda n: encoder(n, 6, 384, 12, 1536)), ["batch=1,seq=128", "batch=32,seq=128"]),
    "bert": (written(lambda n: encoder(n, 12, 768, 12, 3072)), ["batch=1,seq=128", "batch=8,seq=128"]),
    "gpt2": (written(gpt2), ["batch=1,seq=1,past=128", "batch=1,seq=64,past=64"]),
    "llama": (written(llama), ["batch=1,seq=1,past=128", "batch=1,seq=64,past=64"]),
    "lstm": (written(lambda n: recurrent(n, "LSTM", 4)), ["batch=1", "batch=32"]),
    "gru": (written(lambda n: recurrent(n, "GRU", 3)), ["batch=1", "batch=32"]),
    "tiny-bert": (written(lambda n: encoder(n, 2, 16, 4, 24, vocabulary=12)), []),
    "tiny-gpt2": (written(lambda n: gpt2(n, 2, 16, 2, 12, 16)), []),
    "tiny-llama": (written(lambda n: llama(n, 2, 16, 4, 2, 24, 12, 16)), []),
}
