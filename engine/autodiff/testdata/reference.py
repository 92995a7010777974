"""Writes reference.json: losses and gradients of two small models, computed in float64 by JAX.

Run: pip install jax==0.10.2 && python reference.py > reference.json
The Go test builds the same models as graphs and compares.
"""
import json

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)
rng = np.random.default_rng(20260101)


def array(*shape, scale=0.5):
    # Rounded to float32, so that both sides start from the same numbers.
    return (rng.standard_normal(shape) * scale).astype(np.float32).astype(np.float64)


def mlp(p, data):
    h = jax.nn.relu(data["x"] @ p["w1"] + p["b1"])
    h = jnp.tanh(h @ p["w2"] + p["b2"])
    z = (h @ p["w3"] + p["b3"])[:, 0]
    y = data["y"]
    return jnp.mean(jnp.maximum(z, 0) - z * y + jnp.log1p(jnp.exp(-jnp.abs(z))))


def layer_norm(x, scale, bias):
    d = x - x.mean(-1, keepdims=True)
    return d / jnp.sqrt((d * d).mean(-1, keepdims=True) + 1e-5) * scale + bias


def transformer(p, data):
    batch, length, heads, kv_heads, size = 2, 7, 4, 2, 3
    x = p["embedding"][data["tokens"]] + p["position"]
    h = layer_norm(x, p["ln1"], p["ln1b"])
    split = lambda m, n: (h @ m).reshape(batch, length, n, size).transpose(0, 2, 1, 3)
    q, k, v = split(p["wq"], heads), split(p["wk"], kv_heads), split(p["wv"], kv_heads)
    k, v = jnp.repeat(k, heads // kv_heads, 1), jnp.repeat(v, heads // kv_heads, 1)
    s = q @ k.transpose(0, 1, 3, 2) / np.sqrt(size)
    s = jnp.where(np.tril(np.ones((length, length), bool)), s, -jnp.inf)
    a = (jax.nn.softmax(s) @ v).transpose(0, 2, 1, 3).reshape(batch, length, heads * size)
    x = x + a @ p["wo"]
    h = x / jnp.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * p["rms"]
    x = x + jax.nn.gelu(h @ p["up"], approximate=False) @ p["down"]
    logits = (x @ p["embedding"].T).reshape(batch * length, -1)
    return -jnp.mean(jax.nn.log_softmax(logits)[np.arange(batch * length), data["labels"]])


def dump(loss, params, data):
    value, grads = jax.value_and_grad(loss)(params, data)
    tensor = lambda a: {"shape": list(np.shape(a)), "data": np.ravel(a).tolist()}
    return {
        "loss": float(value),
        "data": {k: tensor(v) for k, v in data.items()},
        "params": {k: tensor(v) for k, v in params.items()},
        "grads": {k: tensor(np.float32(v).astype(np.float64)) for k, v in grads.items()},
    }


d = 12
print(json.dumps({
    "mlp": dump(mlp, {
        "w1": array(6, 8), "b1": array(8), "w2": array(8, 5), "b2": array(5), "w3": array(5, 1), "b3": array(1),
    }, {"x": array(9, 6, scale=1), "y": (rng.random(9) < 0.5).astype(np.float64)}),
    "transformer": dump(transformer, {
        "embedding": array(11, d), "position": array(7, d), "ln1": 1 + array(d), "ln1b": array(d),
        "wq": array(d, 12), "wk": array(d, 6), "wv": array(d, 6), "wo": array(12, d), "rms": 1 + array(d),
        "up": array(d, 20), "down": array(20, d),
    }, {"tokens": rng.integers(0, 11, (2, 7)), "labels": rng.integers(0, 11, 14)}),
}))
