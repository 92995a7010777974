"""The work of bench/trees.sh that needs Python.

    peer.py make FOLDER               trains boosting (100 trees of depth 6) and a forest (100 deep trees, 5 classes) on 4,000 rows of 28 features, exports both
    peer.py run FILE ROWS THREADS MS  measures ONNX Runtime: median of single runs, in ms
"""
import sys
import time

import numpy as np


def make(folder):
    from skl2onnx import to_onnx
    from sklearn.datasets import make_classification, make_regression
    from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
    opset = {"": 18, "ai.onnx.ml": 3}
    boosting, forest = GradientBoostingRegressor(n_estimators=100, max_depth=6, random_state=1), RandomForestClassifier(100, n_jobs=-1, random_state=1)
    for name, model, (x, y), options in (("boosting", boosting, make_regression(4000, 28, noise=5, random_state=1), None),
                                         ("forest", forest, make_classification(4000, 28, n_informative=12, n_classes=5, random_state=1), {"zipmap": False})):
        x = x.astype(np.float32)
        model.fit(x, y)
        with open(f"{folder}/{name}.onnx", "wb") as f:
            f.write(to_onnx(model, x[:1], target_opset=opset, options=options).SerializeToString())
        for rows in (1, 100, 1000):
            np.save(f"{folder}/{name}{rows}.npy", x[:rows])


def run(file, rows, threads, ms):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(file + ".onnx", options, providers=["CPUExecutionProvider"])
    feed = {"X": np.load(f"{file}{rows}.npy")}
    for _ in range(3):
        session.run(None, feed)
    times = []
    end = time.perf_counter() + ms / 1e3
    while time.perf_counter() < end:
        start = time.perf_counter()
        session.run(None, feed)
        times.append(time.perf_counter() - start)
    print(np.median(times) * 1e3)


if sys.argv[1] == "make":
    make(sys.argv[2])
else:
    run(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
