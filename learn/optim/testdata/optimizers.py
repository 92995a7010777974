"""Writes optimizers.json: six steps of each optimizer in float64, by PyTorch.

    pip install torch==2.15.0 numpy && python optimizers.py > optimizers.json

Gradients are clipped by torch.nn.utils.clip_grad_norm_ (which adds 1e-6 to the norm). Muon is the formula of its authors in float64, because
torch.optim.Muon iterates in bfloat16; the two are compared here within what that allows.
"""
import json
import math

import torch

torch.set_default_dtype(torch.float64)
SHAPES = {"wide": (4, 6), "tall": (7, 3), "vector": (5,), "cube": (3, 2, 4), "scalar": ()}
STEPS, LR, DECAY, CLIP = 6, 0.02, 0.1, 3.0


def newton_schulz(g):
    x = g / (g.norm() + 1e-7)
    x = x.T if g.shape[0] > g.shape[1] else x
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.T if g.shape[0] > g.shape[1] else x


class Muon:
    """For matrices Muon with Nesterov's momentum, decoupled decay and RMS 0.2; AdamW for the rest."""

    def __init__(self, params):
        self.matrices = [p for p in params if p.ndim == 2]
        self.momenta = [torch.zeros_like(p) for p in self.matrices]
        self.rest = torch.optim.AdamW([p for p in params if p.ndim != 2], lr=LR, betas=(0.9, 0.95), eps=1e-8, weight_decay=DECAY)

    def step(self):
        self.rest.step()
        for p, m in zip(self.matrices, self.momenta):
            m.mul_(0.95).add_(p.grad)
            update = newton_schulz(p.grad + 0.95 * m)
            p.data.mul_(1 - LR * DECAY).add_(update, alpha=-LR * 0.2 * math.sqrt(max(p.shape)))


OPTIMIZERS = {
    "adamw": lambda p: torch.optim.AdamW(p, lr=LR, betas=(0.9, 0.95), eps=1e-8, weight_decay=DECAY),
    "sgd": lambda p: torch.optim.SGD(p, lr=LR, momentum=0.9, weight_decay=DECAY),
    "nesterov": lambda p: torch.optim.SGD(p, lr=LR, momentum=0.9, weight_decay=DECAY, nesterov=True),
    "muon": Muon,
    "adafactor": lambda p: torch.optim.Adafactor(p, lr=LR, eps=(1e-8, 1e-3), weight_decay=DECAY),
}


def round32(t):
    return t.float().double()


def start():
    generator = torch.Generator().manual_seed(1)
    draw = lambda shape: round32(torch.randn(shape, generator=generator))
    params = {name: draw(shape) for name, shape in SHAPES.items()}
    gradients = [{name: draw(shape) * 2.0 ** (-2 * (i % 3)) for name, shape in SHAPES.items()} for i in range(STEPS)]
    return params, gradients


def run(make):
    values, gradients = start()
    params = {name: v.clone().requires_grad_() for name, v in values.items()}
    optimizer = make(list(params.values()))
    after = []
    for step in gradients:
        for name, g in step.items():
            params[name].grad = g.clone()
        torch.nn.utils.clip_grad_norm_(params.values(), CLIP)
        optimizer.step()
        after.append({name: p.detach().flatten().tolist() for name, p in params.items()})
    return after


def check_muon():
    """The formula against torch.optim.Muon. That one blends (1 - 0.95)·g into its momentum, a scale that orthogonalising forgets."""
    values, gradients = start()
    names = ["wide", "tall"]
    ours, theirs = ([values[n].clone().requires_grad_() for n in names] for _ in range(2))
    formula = Muon(ours + [torch.zeros(1, requires_grad=True)])
    peer = torch.optim.Muon(theirs, lr=LR, weight_decay=DECAY, momentum=0.95, adjust_lr_fn="match_rms_adamw")
    for step in gradients:
        for params, optimizer in (ours, formula), (theirs, peer):
            for name, p in zip(names, params):
                p.grad = step[name].clone()
            optimizer.step()
    worst = max((a - b).abs().max().item() for a, b in zip(ours, theirs))
    assert worst < 5e-3, worst


def main():
    check_muon()
    values, gradients = start()
    flat = lambda tensors: {name: t.flatten().tolist() for name, t in tensors.items()}
    print(json.dumps({"shapes": SHAPES, "params": flat(values), "gradients": [flat(g) for g in gradients],
                      "after": {name: run(make) for name, make in OPTIMIZERS.items()}}, indent=None))


main()
