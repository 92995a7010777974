"""Writes the models of bench/onnx.sh: real architectures as torch.onnx.export writes them (batch normalisation folded into the
convolutions before it), with random weights of a fixed seed. Models stand in MODELS, at the end.

    models.py DIR [NAME...]       writes models that are not there yet
    models.py --list              names and sizes that are measured
"""
import os
import sys

import numpy as np
import onnx
import sequences
from onnx import TensorProto, helper, numpy_helper


class Net:
    """A graph that grows node by node. Values are names; channels are remembered where layers need them."""

    def __init__(self, name, inputs, opset=17):
        self.name, self.opset = name, opset
        self.random = np.random.default_rng(7)
        self.nodes, self.weights, self.channels = [], [], {}
        self.inputs = [helper.make_tensor_value_info(n, kind, shape) for n, kind, shape in inputs]
        for n, _, shape in inputs:
            self.channels[n] = shape[1]

    def op(self, op, *inputs, **attributes):
        out = f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [out], name=out, **attributes))
        if inputs and inputs[0] in self.channels:
            self.channels[out] = self.channels[inputs[0]]
        return out

    def constant(self, array):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def normal(self, *shape, scale=1.0):
        return self.constant((self.random.standard_normal(shape) * scale).astype(np.float32))

    def conv(self, x, out, kernel=1, stride=1, group=1, pad=None):
        cin = self.channels[x] // group
        pad = kernel // 2 if pad is None else pad
        w = self.normal(out, cin, kernel, kernel, scale=(2.0 / (cin * kernel * kernel)) ** 0.5)
        b = self.normal(out, scale=0.1)
        y = self.op("Conv", x, w, b, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4, group=group, dilations=[1, 1])
        self.channels[y] = out
        return y

    def relu(self, x):
        return self.op("Relu", x)

    def relu6(self, x):
        return self.op("Clip", x, self.constant(np.float32(0)), self.constant(np.float32(6)))

    def silu(self, x):
        return self.op("Mul", x, self.op("Sigmoid", x))

    def linear(self, x, features, out):
        return self.op("Gemm", x, self.normal(out, features, scale=features**-0.5), self.normal(out, scale=0.1), transB=1)

    def concat(self, *parts):
        y = self.op("Concat", *parts, axis=1)
        self.channels[y] = sum(self.channels[p] for p in parts)
        return y

    def save(self, path, *outputs):
        graph = helper.make_graph(self.nodes, self.name, self.inputs,
                                  [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in outputs], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)
        onnx.save(model, path)


def image(name, side):
    return Net(name, [("x", TensorProto.FLOAT, ["N", 3, side, side])])


def classify(net, x):
    """Global average pooling and one linear layer to 1000 classes."""
    features = net.channels[x]
    return net.linear(net.op("Flatten", net.op("GlobalAveragePool", x), axis=1), features, 1000)


def resnet(net, blocks, bottleneck):
    """He et al., "Deep Residual Learning for Image Recognition", 2015, as in torchvision (stride in the 3x3 of a bottleneck)."""
    x = net.relu(net.conv("x", 64, 7, 2))
    x = net.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    for stage, count in enumerate(blocks):
        width = 64 << stage
        out = width * (4 if bottleneck else 1)
        for i in range(count):
            stride = 2 if stage > 0 and i == 0 else 1
            shortcut = x if i > 0 or stage == 0 and not bottleneck else net.conv(x, out, 1, stride)
            if bottleneck:
                y = net.relu(net.conv(x, width))
                y = net.relu(net.conv(y, width, 3, stride))
                y = net.conv(y, out)
            else:
                y = net.conv(net.relu(net.conv(x, out, 3, stride)), out, 3)
            x = net.relu(net.op("Add", y, shortcut))
    return classify(net, x)


def mobilenet(net):
    """Sandler et al., "MobileNetV2", 2018, as in torchvision."""
    x = net.relu6(net.conv("x", 32, 3, 2))
    for expand, out, count, first in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]:
        for i in range(count):
            stride = first if i == 0 else 1
            hidden = net.channels[x] * expand
            y = x if expand == 1 else net.relu6(net.conv(x, hidden))
            y = net.relu6(net.conv(y, hidden, 3, stride, group=hidden))
            y = net.conv(y, out)
            x = net.op("Add", x, y) if stride == 1 and net.channels[x] == out else y
    return classify(net, net.relu6(net.conv(x, 1280)))


def yolo(net):
    """The smallest YOLOv8 (Jocher et al., 2023) without the decoding of boxes: SiLU, split and joined blocks, pyramid, three heads."""
    def block(x, out, kernel=1, stride=1):
        return net.silu(net.conv(x, out, kernel, stride))

    def c2f(x, out, count, shortcut):
        y = block(x, out)
        halves = [net.op("Slice", y, *(net.constant(np.array([v], np.int64)) for v in (lo, lo + out // 2, 1))) for lo in (0, out // 2)]
        for h in halves:
            net.channels[h] = out // 2
        for _ in range(count):
            z = block(block(halves[-1], out // 2, 3), out // 2, 3)
            halves.append(net.op("Add", halves[-1], z) if shortcut else z)
        return block(net.concat(*halves), out)

    def upsample(x):
        return net.op("Resize", x, "", net.constant(np.array([1, 1, 2, 2], np.float32)), mode="nearest",
                      coordinate_transformation_mode="asymmetric", nearest_mode="floor")

    x = block(block("x", 16, 3, 2), 32, 3, 2)
    x = c2f(x, 32, 1, True)
    p3 = c2f(block(x, 64, 3, 2), 64, 2, True)
    p4 = c2f(block(p3, 128, 3, 2), 128, 2, True)
    x = c2f(block(p4, 256, 3, 2), 256, 1, True)
    x = block(x, 128)
    pools = [x]
    for _ in range(3):
        pools.append(net.op("MaxPool", pools[-1], kernel_shape=[5, 5], strides=[1, 1], pads=[2] * 4))
    p5 = block(net.concat(*pools), 256)
    n4 = c2f(net.concat(upsample(p5), p4), 128, 1, False)
    n3 = c2f(net.concat(upsample(n4), p3), 64, 1, False)
    n4 = c2f(net.concat(block(n3, 64, 3, 2), n4), 128, 1, False)
    n5 = c2f(net.concat(block(n4, 128, 3, 2), p5), 256, 1, False)
    outputs = []
    for level in (n3, n4, n5):
        boxes = net.conv(block(block(level, 64, 3), 64, 3), 64)
        classes = net.conv(block(block(level, 80, 3), 80, 3), 80)
        outputs.append(net.concat(boxes, classes))
    return outputs


def write_image(build, side):
    def write(name, path):
        net = image(name, side)
        outputs = build(net)
        net.save(path, *(outputs if isinstance(outputs, list) else [outputs]))
    return write


# For each model what writes it, and the sizes of named dimensions for which it is measured.
MODELS = {
    "resnet18": (write_image(lambda n: resnet(n, [2, 2, 2, 2], False), 224), ["N=1", "N=8"]),
    "resnet50": (write_image(lambda n: resnet(n, [3, 4, 6, 3], True), 224), ["N=1"]),
    "resnet50small": (write_image(lambda n: resnet(n, [3, 4, 6, 3], True), 64), ["N=32"]),
    "mobilenetv2": (write_image(mobilenet, 224), ["N=1"]),
    "mobilenetv2small": (write_image(mobilenet, 96), ["N=32"]),
    "yolov8n": (write_image(yolo, 320), ["N=1"]),
}

MODELS |= sequences.MODELS

if __name__ == "__main__":
    if sys.argv[1] == "--list":
        print("\n".join(f"{name},{sizes}" for name, (_, measured) in MODELS.items() for sizes in measured))
        sys.exit()
    for name in sys.argv[2:] or MODELS:
        path = os.path.join(sys.argv[1], name + ".onnx")
        if not os.path.exists(path):
            MODELS[name][0](name, path)
