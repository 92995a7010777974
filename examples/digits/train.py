"""Trains the convolutional network of this folder in NumPy and writes it as ONNX, with the records that calibrate its
8-bit form. Needs numpy, onnx and scikit-learn (for its copy of the digits). The README says what is done with the files."""

import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits

rng = np.random.default_rng(1)
digits = load_digits()
x = (digits.images / 16).astype(np.float32)[:, None]  # [n, 1, 8, 8], from 0 to 1
y = digits.target
order = rng.permutation(len(x))
test, train = order[:360], order[360:]


def columns(a):  # [n, c, h, w] -> [n, h*w, c*9]: the 3x3 neighbourhoods of every pixel
    n, c, h, w = a.shape
    p = np.pad(a, ((0, 0), (0, 0), (1, 1), (1, 1)))
    return np.stack([p[:, :, i : i + h, j : j + w] for i in range(3) for j in range(3)], 2).reshape(n, c * 9, h * w).transpose(0, 2, 1)


def uncolumns(d, shape):
    n, c, h, w = shape
    p = np.zeros((n, c, h + 2, w + 2), np.float32)
    d = d.transpose(0, 2, 1).reshape(n, c, 9, h, w)
    for k in range(9):
        p[:, :, k // 3 : k // 3 + h, k % 3 : k % 3 + w] += d[:, :, k]
    return p[:, :, 1:-1, 1:-1]


class Conv:
    def __init__(self, cin, cout):
        self.w = (rng.standard_normal((cin * 9, cout)) * np.sqrt(2 / (cin * 9))).astype(np.float32)
        self.b = np.zeros(cout, np.float32)

    def forward(self, a):
        self.shape, self.cols = a.shape, columns(a)
        z = self.cols @ self.w + self.b
        self.on = z > 0
        return (z * self.on).transpose(0, 2, 1).reshape(len(a), -1, *a.shape[2:])

    def backward(self, d):
        d = d.reshape(len(d), d.shape[1], -1).transpose(0, 2, 1) * self.on
        self.gw, self.gb = np.tensordot(self.cols, d, ((0, 1), (0, 1))), d.sum((0, 1))
        return uncolumns(d @ self.w.T, self.shape)


class Pool:
    def forward(self, a):
        n, c, h, w = a.shape
        v = a.reshape(n, c, h // 2, 2, w // 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h // 2, w // 2, 4)
        self.shape, self.best = a.shape, v.argmax(-1)
        return v.max(-1)

    def backward(self, d):
        n, c, h, w = self.shape
        out = np.zeros((n, c, h // 2, w // 2, 4), np.float32)
        np.put_along_axis(out, self.best[..., None], d[..., None], -1)
        return out.reshape(n, c, h // 2, w // 2, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(self.shape)


class Dense:
    def __init__(self, n, m):
        self.w, self.b = (rng.standard_normal((n, m)) * np.sqrt(1 / n)).astype(np.float32), np.zeros(m, np.float32)

    def forward(self, a):
        self.shape, self.a = a.shape, a.reshape(len(a), -1)
        return self.a @ self.w + self.b

    def backward(self, d):
        self.gw, self.gb = self.a.T @ d, d.sum(0)
        return (d @ self.w.T).reshape(self.shape)


layers = [Conv(1, 16), Conv(16, 32), Pool(), Conv(32, 32), Pool(), Dense(128, 10)]
params = [(l, k) for l in layers if hasattr(l, "w") for k in "wb"]
moments = [(np.zeros_like(getattr(l, k)), np.zeros_like(getattr(l, k))) for l, k in params]


def scores(a):
    for l in layers:
        a = l.forward(a)
    return a


step = 0
for epoch in range(30):
    for batch in np.array_split(rng.permutation(train), len(train) // 32):
        z = scores(x[batch])
        p = np.exp(z - z.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        d = p
        d[np.arange(len(batch)), y[batch]] -= 1
        d = (d / len(batch)).astype(np.float32)
        for l in reversed(layers):
            d = l.backward(d)
        step += 1
        rate = 2e-3 * (1 - epoch / 30)
        for (l, k), (m, v) in zip(params, moments):  # Adam
            g = getattr(l, "g" + k)
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            setattr(l, k, (getattr(l, k) - rate * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)).astype(np.float32))
print(f"held-out accuracy {100 * (scores(x[test]).argmax(1) == y[test]).mean():.1f} %", file=sys.stderr)

nodes, initializers, last = [], [], "pixels"
for i, l in enumerate(layers):
    out = f"v{i}"
    if isinstance(l, Conv):
        cin = l.w.shape[0] // 9
        w = l.w.T.reshape(-1, cin, 3, 3)
        initializers += [numpy_helper.from_array(np.ascontiguousarray(w), f"conv{i}.weight"), numpy_helper.from_array(l.b, f"conv{i}.bias")]
        nodes += [helper.make_node("Conv", [last, f"conv{i}.weight", f"conv{i}.bias"], [out + "z"], pads=[1, 1, 1, 1]), helper.make_node("Relu", [out + "z"], [out])]
    elif isinstance(l, Pool):
        nodes += [helper.make_node("MaxPool", [last], [out], kernel_shape=[2, 2], strides=[2, 2])]
    else:
        initializers += [numpy_helper.from_array(l.w, "fc.weight"), numpy_helper.from_array(l.b, "fc.bias")]
        nodes += [helper.make_node("Flatten", [last], ["flat"]), helper.make_node("Gemm", ["flat", "fc.weight", "fc.bias"], ["scores"]), helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1)]
    last = out
graph = helper.make_graph(nodes, "digits", [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [1, 1, 8, 8])],
                          [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [1, 10])], initializers)
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "digits.onnx")
np.save("calibration.npy", x[train[:200]])
np.save("test.npy", x[test])
np.savetxt("test-labels.txt", y[test], fmt="%d")
