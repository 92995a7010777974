"""ONNX Runtime beside the engine. It reads requests line by line from its input and answers each with one line:

    open MODEL THREADS            opens a model; answers its inputs, "name kind dim..." with ";" between them
    feed FOLDER                   reads inputs 0.bin, 1.bin, ... in the order of the model, after a line of "dims ..." for each
    run MILLISECONDS              runs for about so long; answers the seconds of the fastest run
    out FOLDER                    writes the outputs as 0.bin, 1.bin, ...; answers their number
"""
import os
import sys
import time

import numpy as np
import onnxruntime as ort

KINDS = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(bool)": np.bool_}
session, feed = None, {}


def answer(text):
    print(text, flush=True)


for line in sys.stdin:
    word, *rest = line.split()
    if word == "open":
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = int(rest[1]), 1
        # Threads that spin for work would take the processor from the engine when it is its turn.
        options.add_session_config_entry("session.intra_op.allow_spinning", "1")
        session = ort.InferenceSession(rest[0], options, providers=["CPUExecutionProvider"])
        answer(";".join(" ".join([i.name, i.type.replace(" ", ""), *map(str, i.shape)]) for i in session.get_inputs()))
    elif word == "feed":
        feed = {}
        for n, i in enumerate(session.get_inputs()):
            shape = [int(d) for d in sys.stdin.readline().split()[1:]]
            feed[i.name] = np.fromfile(os.path.join(rest[0], f"{n}.bin"), KINDS[i.type]).reshape(shape)
        answer("ok")
    elif word == "run":
        end, least, runs = time.perf_counter() + int(rest[0]) / 1000, 1e9, 0
        while runs < 3 or time.perf_counter() < end:
            start = time.perf_counter()
            session.run(None, feed)
            least, runs = min(least, time.perf_counter() - start), runs + 1
        answer(least)
    elif word == "out":
        outputs = session.run(None, feed)
        for n, o in enumerate(outputs):
            np.ascontiguousarray(o).tofile(os.path.join(rest[0], f"{n}.bin"))
        answer(len(outputs))
    elif word == "version":
        answer(ort.__version__)
