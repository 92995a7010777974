"""Writes pytorch.json: derivatives of operators by PyTorch in float64.

    pip install torch==2.15.0 numpy && python pytorch.py > pytorch.json

Each case names an operator of the graph with its attributes (ints, floats, strings or lists of ints), its inputs, the gradient dy of the output
and those of the inputs that have one. Inputs are rounded to binary32, so that both sides start from the same numbers.
"""
import json

import torch
from torch.nn import functional as F

torch.manual_seed(1)
torch.set_default_dtype(torch.float64)
CASES = []


def draw(*shape):
    return torch.randn(shape).float().double()


def case(op, f, inputs, **attrs):
    leaves = [x.clone().requires_grad_(x.is_floating_point()) for x in inputs]
    y = f(*leaves)
    dy = draw(*y.shape)
    wanted = [x for x in leaves if x.requires_grad]
    grads = iter(torch.autograd.grad(y, wanted, dy))
    pack = lambda x: {"shape": list(x.shape), "data": x.detach().flatten().tolist(), "integer": not x.is_floating_point()}
    CASES.append({"op": op, "attrs": attrs, "inputs": [pack(x) for x in inputs], "dy": pack(dy),
                  "grads": [pack(next(grads)) if x.requires_grad else None for x in leaves]})


def norm(x, w, b=None):
    return F.layer_norm(x, w.shape, w, b, 1e-5)


def main():
    for op, f in {"Exp": torch.exp, "Tanh": torch.tanh, "Erf": torch.erf, "Sigmoid": torch.sigmoid, "Relu": torch.relu, "Gelu": F.gelu,
                  "Sin": torch.sin, "Cos": torch.cos, "Abs": torch.abs, "Reciprocal": torch.reciprocal, "Neg": torch.neg}.items():
        case(op, f, [draw(3, 4)])
    for op, f in {"Sqrt": torch.sqrt, "Log": torch.log}.items():
        case(op, f, [draw(3, 4).abs() + 0.5])
    for op, f in {"Add": torch.add, "Sub": torch.sub, "Mul": torch.mul, "Div": torch.div, "Max": torch.maximum, "Min": torch.minimum}.items():
        case(op, f, [draw(3, 4), draw(2, 1, 4) + 3])
    case("MatMul", torch.matmul, [draw(2, 1, 3, 4), draw(3, 4, 5)])
    case("Gemm", lambda a, b, c: 1.5 * a.T @ b.T + 0.5 * c, [draw(4, 3), draw(5, 4), draw(5)], alpha=1.5, beta=0.5, transA=1, transB=1)
    case("Softmax", lambda x: x.softmax(1), [draw(2, 4, 3)], axis=1)
    case("LogSoftmax", lambda x: x.log_softmax(-1), [draw(4, 5)], axis=-1)
    for reduction in "none", "sum", "mean":
        case("SoftmaxCrossEntropyLoss", lambda x, t: F.cross_entropy(x, t, reduction=reduction, ignore_index=2),
             [draw(5, 4), torch.tensor([0, 2, 3, 1, 2])], reduction=reduction, ignore_index=2)
    case("LayerNormalization", norm, [draw(4, 6), draw(6), draw(6)])
    case("LayerNormalization", norm, [draw(2, 3, 4), draw(3, 4), draw(3, 4)], axis=1)
    case("RMSNormalization", lambda x, w: F.rms_norm(x, w.shape, w, 1e-5), [draw(4, 6), draw(6)])
    case("Gather", lambda w, i: F.embedding(i, w), [draw(6, 3), torch.tensor([[1, 5], [1, 0]])])
    attend = F.scaled_dot_product_attention
    case("Attention", attend, [draw(2, 3, 5, 4), draw(2, 3, 7, 4), draw(2, 3, 7, 2)])
    case("Attention", lambda q, k, v: attend(q, k, v, is_causal=True, enable_gqa=True), [draw(1, 4, 6, 4), draw(1, 2, 6, 4), draw(1, 2, 6, 4)], is_causal=1)
    conv = lambda **o: lambda x, w, b: getattr(F, f"conv{x.ndim - 2}d")(x, w, b, **o)
    case("Conv", conv(), [draw(2, 3, 7), draw(4, 3, 3), draw(4)])
    case("Conv", conv(stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2), [draw(2, 4, 7, 6), draw(6, 2, 3, 2), draw(6)],
         strides=[2, 1], pads=[1, 2, 1, 2], dilations=[1, 2], group=2)
    case("Conv", conv(padding=1, groups=4), [draw(2, 4, 5, 5), draw(4, 1, 3, 3), draw(4)], pads=[1, 1, 1, 1], group=4)
    case("Conv", conv(stride=2, padding=1), [draw(1, 2, 4, 5, 4), draw(3, 2, 2, 3, 2), draw(3)], strides=[2, 2, 2], pads=[1] * 6)
    case("MaxPool", lambda x: F.max_pool2d(x, 2), [draw(2, 3, 6, 5)], kernel_shape=[2, 2], strides=[2, 2])
    case("MaxPool", lambda x: F.max_pool2d(x, 3, 2, 1), [draw(1, 2, 6, 7).round()], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    case("MaxPool", lambda x: F.max_pool1d(x, 2, 1, 0, 2), [draw(2, 2, 6)], kernel_shape=[2], dilations=[2])
    for pad in 0, 1:
        case("AveragePool", lambda x: F.avg_pool2d(x, (3, 2), 2, (1, 0), count_include_pad=bool(pad)), [draw(2, 3, 5, 6)],
             kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 0], count_include_pad=pad)
    print(json.dumps(CASES))


main()
