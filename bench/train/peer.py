"""One training step in PyTorch: forward, backward, clip by the norm, AdamW. bench/train.sh runs it beside ours.

    peer.py MODEL THREADS SECONDS

It prints "MODEL THREADS step_ms peak_mb": the fastest step within the time, and the peak resident memory of the process less what it had
when PyTorch was loaded. The models are those of learn/optim/nets_test.go, PyTorch runs as it is recommended for a CPU: eager, its fused AdamW.
"""
import resource
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F


def resident(key):
    for line in open("/proc/self/status"):
        if line.startswith(key):
            return int(line.split()[1]) / 1024


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        h = self.norm1(x)
        split = lambda y: y.view(*y.shape[:2], self.heads, -1).transpose(1, 2)
        a = F.scaled_dot_product_attention(split(self.query(h)), split(self.key(h)), split(self.value(h)), is_causal=True)
        x = x + self.out(a.transpose(1, 2).reshape(x.shape))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Transformer(nn.Module):
    def __init__(self, vocabulary=256, length=128, width=384, heads=6, layers=6):
        super().__init__()
        self.embedding, self.position = nn.Embedding(vocabulary, width), nn.Parameter(torch.randn(length, width) * 0.02)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(layers)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary)

    def forward(self, tokens):
        return self.head(self.norm(self.blocks(self.embedding(tokens) + self.position))).flatten(0, 1)


def mlp():
    net = nn.Sequential(nn.Linear(784, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 10))
    return net, torch.randn(128, 784), torch.arange(128) % 10


def cnn():
    stage = lambda i, o: [nn.Conv2d(i, o, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    net = nn.Sequential(*stage(3, 32), *stage(32, 64), *stage(64, 128), nn.Flatten(), nn.Linear(2048, 10))
    return net, torch.randn(32, 3, 32, 32), torch.arange(32) % 10


def transformer():
    return Transformer(), torch.arange(8 * 128).view(8, 128) * 31 % 256, torch.arange(8 * 128) * 17 % 256


def main():
    name, threads, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    torch.set_num_threads(threads)
    before = resident("VmRSS")
    torch.manual_seed(1)
    net, x, y = {"mlp": mlp, "cnn": cnn, "transformer": transformer}[name]()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.01, fused=True)
    times, end = [], time.perf_counter() + seconds
    while len(times) < 4 or time.perf_counter() < end:
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(net(x), y).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        times.append(time.perf_counter() - start)
    print(f"{name} {threads} {min(times) * 1e3:.3f} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before:.1f}")


main()
