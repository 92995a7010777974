#!/usr/bin/env python3
"""Writes the vectors in this folder and in ../p2p from a second, independent implementation of spec/verify.md and
spec/p2p.md. It needs Python 3 only. Run it in this folder; the Go tests of verify/ and p2p/ read what it writes."""
import hashlib
import json
import struct


def sha(b):
    return hashlib.sha256(b).digest()


def u64(n):
    return struct.pack("<Q", n)


def u32(n):
    return struct.pack("<I", n)


def leaf(data):
    return sha(b"\x00" + data)


def node(l, r):
    return sha(b"\x01" + l + r)


def tree(leaves):
    """MTH of RFC 6962 over leaf hashes."""
    if not leaves:
        return sha(b"")
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return node(tree(leaves[:k]), tree(leaves[k:]))


def root(leaves):
    return sha(b"\x02" + u64(len(leaves)) + tree(leaves))


def digest(domain, *parts):
    domain = domain.encode()
    b = b"\x03" + u64(len(domain)) + domain
    for p in parts:
        b += u64(len(p)) + p
    return sha(b)


def path(leaves, i):
    """PATH of RFC 6962 §2.1.1, the sibling of the leaf first."""
    if len(leaves) == 1:
        return []
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    if i < k:
        return path(leaves[:k], i) + [tree(leaves[k:])]
    return path(leaves[k:], i - k) + [tree(leaves[:k])]


def merkle():
    roots, proofs = [], []
    for n in list(range(10)) + [17, 18, 64, 100]:
        leaves = [leaf(b"leaf %d" % i) for i in range(n)]
        roots.append({"leaves": n, "root": root(leaves).hex()})
        for i in sorted({0, n // 2, n - 1} if n else set()):
            p = path(leaves, i)
            proofs.append({"leaves": n, "index": i, "proof": (bytes([len(p)]) + b"".join(p)).hex()})
    return {
        "about": "leaf i of a tree is the leaf hash of the ASCII text 'leaf <i>'",
        "leaf": [{"data": d.hex(), "hash": leaf(d).hex()} for d in (b"", b"\x00", b"mutirao")],
        "node": [{"left": leaf(b"l").hex(), "right": leaf(b"r").hex(), "hash": node(leaf(b"l"), leaf(b"r")).hex()}],
        "digest": [
            {"domain": d, "parts": [p.hex() for p in ps], "hash": digest(d, *ps).hex()}
            for d, ps in (("", []), ("d", [b""]), ("d", [b"ab", b"c"]), ("d", [b"a", b"bc"]), ("dé", [b"abc"]))
        ],
        "root": roots,
        "proof": proofs,
    }


TYPES = {"float32": (1, "<f"), "uint8": (2, "<B"), "int8": (3, "<b"), "int32": (6, "<i"), "int64": (7, "<q"), "bool": (9, "<B")}


def element(dtype, i):
    """The values of the test tensors: element i."""
    if dtype == "bool":
        return i % 2
    if dtype == "uint8":
        return i % 256
    if dtype == "int8":
        return i % 256 - 128
    if dtype == "float32":
        return (i - 100) / 8  # exact in binary32
    return i - 100


def tensor_root(dtype, shape):
    fmt = TYPES[dtype][1]
    cols = shape[-1] if shape else 1
    rows = 1
    for d in shape[:-1]:
        rows *= d
    high = min(rows, 512 // min(cols, 32))
    wide = min(cols, 512 // high)
    leaves = []
    for top in range(0, rows, high):
        for left in range(0, cols, wide):
            b = b""
            for r in range(top, min(top + high, rows)):
                for c in range(left, min(left + wide, cols)):
                    b += struct.pack(fmt, element(dtype, r * cols + c))
            leaves.append(leaf(b))
    dims = b"".join(u64(d) for d in shape)
    return digest("mutirao/tensor/1", bytes([TYPES[dtype][0]]), dims, root(leaves))


def state_root(entries):
    leaves = []
    for name, role, dtype, shape in sorted(entries, key=lambda e: (e[0].encode(), e[1].encode())):
        leaves.append(digest("mutirao/state-entry/2", name.encode(), role.encode(), tensor_root(dtype, shape)))
    return root(leaves)


def payload_root(data):
    return root([leaf(u64(len(data)))] + [leaf(data[i : i + 1024]) for i in range(0, len(data), 1024)])


def text(s):
    return bytes([len(s)]) + s.encode()


TWO = bytes([1, 1]) + u32(2)


def graph(name, x, y):
    """The encoded graph y = Neg(x), x and y float32 of shape [2], of a node n."""
    g = b"MUTG\x01" + u32(23) + text(name)
    g += u32(1) + text(x) + TWO
    g += u32(1) + text(y) + TWO
    g += u32(0)
    g += u32(1) + text("Neg") + text("") + text("n") + bytes([1]) + text(x) + bytes([1]) + text(y) + bytes([0])
    return g


def program():
    """The records of graph("p", "x", "next/x"): header, input, node, state, output."""
    header = b"\x00" + u32(23) + u32(1) + u32(0) + u32(1) + u32(1) + u32(1) + u32(2) + u32(0xFFFFFFFF) + text("p")
    records = [header, b"\x01" + text("x") + TWO, b"\x03" + graph("", "v0", "v1")]
    records += [b"\x04" + text("x") + u32(0) + u32(1), b"\x05" + text("next/x") + u32(1)]
    return root([leaf(r) for r in records])


def trace():
    tensors = [("float32", s) for s in ([], [1], [512], [513], [1, 1], [64, 64], [65, 63], [3, 700], [2, 33, 5], [600, 1], [17, 30])]
    tensors += [(t, [3, 5]) for t in TYPES if t != "float32"] + [("int64", []), ("bool", [9])]
    state = [("w", "theta", "float32", [3, 70]), ("w", "m", "float32", [3, 70]), ("b", "theta", "float32", [5]), ("n", "", "int64", [])]
    points = [leaf(b"point %d" % i) for i in range(17)]
    payload = leaf(b"payload")
    return {
        "about": "element i of a tensor: float32 (i-100)/8, int32 and int64 i-100, uint8 i mod 256, int8 i mod 256 - 128, bool i mod 2; "
        "point i of the trace is the leaf hash of 'point <i>', its payload that of 'payload'; byte i of a payload is (7*i + (i >> 8)) mod 256",
        "tensor": [{"dtype": t, "shape": s, "root": tensor_root(t, s).hex()} for t, s in tensors],
        "state": {
            "entries": [{"name": n, "role": r, "dtype": t, "shape": s} for n, r, t, s in state],
            "root": state_root(state).hex(),
            "empty": state_root([]).hex(),
        },
        "program": {"graph": graph("p", "x", "next/x").hex(), "hash": program().hex()},
        "payload": [{"size": n, "root": payload_root(blob_bytes(n)).hex()} for n in (0, 1, 1024, 1025, 5000)],
        "trace": root(points + [payload]).hex(),
    }


PIECE = 65536


def blob_bytes(n):
    return bytes((7 * i + (i >> 8)) & 255 for i in range(n))


def blob():
    out = []
    for n in (0, 1, 1000, PIECE - 1, PIECE, PIECE + 1, 5 * PIECE):
        data = blob_bytes(n)
        pieces = [leaf(data[i : i + PIECE]) for i in range(0, n, PIECE)]
        manifest = u64(n) + b"".join(pieces)
        out.append({"size": n, "address": root([leaf(u64(n))] + pieces).hex(), "manifest": manifest.hex()})

    def frame(kind, body):
        return (bytes([kind]) + u32(len(body)) + body).hex()

    address = bytes.fromhex(out[4]["address"])
    return {
        "about": "byte i of a blob is (7*i + (i >> 8)) mod 256; the frames are about the blob of 65,536 bytes",
        "blob": out,
        "frame": {
            "have": frame(1, address),
            "get": frame(2, address + u32(0)),
            "holding": frame(3, bytes.fromhex(out[4]["manifest"]) + b"\x01"),
            "refuse_unknown": frame(5, b"\x01"),
            "refuse_busy": frame(5, b"\x02"),
        },
    }


for name, content in (("merkle.json", merkle()), ("trace.json", trace()), ("../p2p/blob.json", blob())):
    with open(name, "w") as f:
        json.dump(content, f, indent=1, ensure_ascii=False)
        f.write("\n")
