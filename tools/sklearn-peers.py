#!/usr/bin/env python3
"""Compares this program with scikit-learn and ONNX Runtime on classical models: trains 57 estimators and pipelines on data sets that scikit-learn
brings, exports them, and runs each in all three.

    pip install scikit-learn skl2onnx onnxmltools lightgbm xgboost onnxruntime pandas
    tools/sklearn-peers.py bin/mutirao [name ...]
    tools/sklearn-peers.py --write node/modelcmd/testdata/sklearn   (writes the small models of a Go test)

Labels must be those of ONNX Runtime in all rows but one in a hundred (a tie of scores may fall otherwise), numbers within 1e-4 of the largest.
The last column is how far ONNX Runtime, then this program, is from scikit-learn, which computes in float64.
"""
import os
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import onnx
import onnxruntime
import pandas
from skl2onnx import to_onnx, update_registered_converter
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes, calculate_linear_regressor_output_shapes
from sklearn import cluster, compose, datasets, decomposition, discriminant_analysis, ensemble, gaussian_process, impute, linear_model, naive_bayes
from sklearn import neighbors, neural_network, pipeline, preprocessing, svm, tree

warnings.filterwarnings("ignore")
onnxruntime.set_default_logger_severity(4)
OPSET = {"": 18, "ai.onnx.ml": 3}

# The converter of histogram-based boosting writes truth values into lists of integers, which onnx refuses.
make_attribute = onnx.helper.make_attribute
onnx.helper.make_attribute = lambda key, value, *rest, **named: make_attribute(
    key, [int(v) if isinstance(v, (bool, np.bool_)) else v for v in value] if isinstance(value, list) else value, *rest, **named)


def gradient_boosting_of_others():
    """LightGBM's and XGBoost's converters, from onnxmltools."""
    from lightgbm import LGBMClassifier, LGBMRegressor
    from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm
    from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost
    from xgboost import XGBClassifier, XGBRegressor
    options = {"nocl": [True, False], "zipmap": [True, False, "columns"]}
    update_registered_converter(LGBMClassifier, "LGBMClassifier", calculate_linear_classifier_output_shapes, convert_lightgbm, options=options)
    update_registered_converter(LGBMRegressor, "LGBMRegressor", calculate_linear_regressor_output_shapes, convert_lightgbm, options={"split": None})
    update_registered_converter(XGBClassifier, "XGBClassifier", calculate_linear_classifier_output_shapes, convert_xgboost, options=options)
    update_registered_converter(XGBRegressor, "XGBRegressor", calculate_linear_regressor_output_shapes, convert_xgboost)
    return [("lightgbm-3", LGBMClassifier(n_estimators=20, verbose=-1), "iris"), ("lightgbm-2", LGBMClassifier(n_estimators=20, verbose=-1), "cancer"),
            ("lightgbm-r", LGBMRegressor(n_estimators=20, verbose=-1), "diabetes"), ("xgboost-3", XGBClassifier(n_estimators=20), "iris"),
            ("xgboost-2", XGBClassifier(n_estimators=20), "cancer"), ("xgboost-r", XGBRegressor(n_estimators=20), "diabetes")]


def estimators():
    scaled = lambda e: pipeline.make_pipeline(preprocessing.StandardScaler(), e)
    return [
        ("logistic-3", linear_model.LogisticRegression(max_iter=500), "iris"), ("logistic-2", scaled(linear_model.LogisticRegression()), "cancer"),
        ("logistic-names", linear_model.LogisticRegression(max_iter=500), "names"), ("sgd", linear_model.SGDClassifier(loss="log_loss"), "iris"),
        ("linear", linear_model.LinearRegression(), "diabetes"), ("ridge", linear_model.Ridge(), "diabetes"), ("lasso", linear_model.Lasso(), "diabetes"),
        ("svc-3", svm.SVC(), "iris"), ("svc-2", scaled(svm.SVC()), "cancer"), ("svc-poly", scaled(svm.SVC(kernel="poly")), "iris"),
        ("svc-sigmoid", scaled(svm.SVC(kernel="sigmoid")), "iris"), ("svc-probability-3", svm.SVC(probability=True), "iris"),
        ("svc-probability-2", scaled(svm.SVC(probability=True)), "cancer"), ("linear-svc", svm.LinearSVC(), "iris"), ("svr", svm.SVR(), "diabetes"),
        ("nu-svr", svm.NuSVR(), "diabetes"), ("one-class-svm", svm.OneClassSVM(), "iris"), ("tree-2", tree.DecisionTreeClassifier(), "cancer"),
        ("tree-3", tree.DecisionTreeClassifier(), "iris"), ("tree-r", tree.DecisionTreeRegressor(), "diabetes"),
        ("forest-3", ensemble.RandomForestClassifier(20), "iris"), ("forest-2", ensemble.RandomForestClassifier(20), "cancer"),
        ("forest-names", ensemble.RandomForestClassifier(5), "names"), ("forest-r", ensemble.RandomForestRegressor(20), "diabetes"),
        ("extra-trees", ensemble.ExtraTreesClassifier(20), "iris"), ("boosting-3", ensemble.GradientBoostingClassifier(n_estimators=20), "iris"),
        ("boosting-2", ensemble.GradientBoostingClassifier(n_estimators=20), "cancer"), ("boosting-r", ensemble.GradientBoostingRegressor(n_estimators=20), "diabetes"),
        ("histogram-3", ensemble.HistGradientBoostingClassifier(max_iter=20), "iris"), ("histogram-2", ensemble.HistGradientBoostingClassifier(max_iter=20), "cancer"),
        ("histogram-r", ensemble.HistGradientBoostingRegressor(max_iter=20), "diabetes"), ("adaboost", ensemble.AdaBoostClassifier(n_estimators=10), "iris"),
        ("bagging", ensemble.BaggingClassifier(n_estimators=4), "iris"), ("isolation-forest", ensemble.IsolationForest(n_estimators=10), "iris"),
        ("mlp", neural_network.MLPClassifier((16,), max_iter=50), "iris"), ("mlp-r", neural_network.MLPRegressor(hidden_layer_sizes=(16,), max_iter=50), "diabetes"),
        ("neighbors", neighbors.KNeighborsClassifier(), "iris"), ("neighbors-r", neighbors.KNeighborsRegressor(), "diabetes"),
        ("naive-bayes", naive_bayes.GaussianNB(), "iris"), ("bernoulli", naive_bayes.BernoulliNB(), "iris"),
        ("discriminant", discriminant_analysis.LinearDiscriminantAnalysis(), "iris"), ("k-means", cluster.KMeans(3, n_init=2), "iris"),
        ("gaussian-process", gaussian_process.GaussianProcessRegressor(), "diabetes"), ("pca", decomposition.PCA(2), "iris"),
        ("min-max", preprocessing.MinMaxScaler(), "iris"), ("robust", preprocessing.RobustScaler(), "iris"), ("normalizer", preprocessing.Normalizer(), "iris"),
        ("polynomial", preprocessing.PolynomialFeatures(2), "iris"), ("power", preprocessing.PowerTransformer(), "iris"),
        ("imputer", pipeline.make_pipeline(impute.SimpleImputer(), linear_model.Ridge()), "gaps"), ("columns", people_pipeline(), "people"),
    ] + gradient_boosting_of_others()


def people_pipeline():
    """A table with numbers, gaps and two columns of strings."""
    columns = compose.ColumnTransformer([
        ("numbers", pipeline.make_pipeline(impute.SimpleImputer(), preprocessing.StandardScaler()), ["age", "income"]),
        ("city", preprocessing.OneHotEncoder(handle_unknown="ignore"), ["city"]), ("size", preprocessing.OrdinalEncoder(), ["size"])])
    return pipeline.make_pipeline(columns, ensemble.GradientBoostingClassifier(n_estimators=10))


def data(name):
    random = np.random.default_rng(3)
    if name == "people":
        rows = 120
        frame = pandas.DataFrame({"age": random.integers(18, 90, rows).astype(np.float32), "income": random.gamma(2, 20, rows).astype(np.float32),
                                  "city": random.choice(["Recife", "Manaus", "Belém"], rows), "size": random.choice(["S", "M", "L"], rows)})
        y = (frame.age + frame.income > 90) ^ (frame.city == "Recife")
        frame.loc[::7, "income"] = np.nan
        return frame, y.astype(np.int64)
    loaders = {"iris": datasets.load_iris, "names": datasets.load_iris, "cancer": datasets.load_breast_cancer, "diabetes": datasets.load_diabetes, "gaps": datasets.load_diabetes}
    x, y = loaders[name](return_X_y=True)
    x = x.astype(np.float32)
    if name == "names":
        y = datasets.load_iris().target_names[y]
    if name == "gaps":
        x[random.random(x.shape) < 0.1] = np.nan
    return x, y


def export(estimator, x):
    """The model as ONNX and its inputs by name."""
    if isinstance(x, pandas.DataFrame):
        kinds = {"f": FloatTensorType, "i": Int64TensorType}
        types = [(c, kinds.get(x[c].dtype.kind, StringTensorType)([None, 1])) for c in x.columns]
        feed = {c: x[[c]].to_numpy().astype(x[c].dtype if x[c].dtype.kind in "fi" else np.str_) for c in x.columns}
    else:
        types, feed = [("X", FloatTensorType([None, x.shape[1]]))], {"X": x}
    options = {"zipmap": False} if hasattr(estimator, "predict_proba") else None
    return to_onnx(estimator, initial_types=types, target_opset=OPSET, options=options), feed


def reference(session, feed):
    """ONNX Runtime's outputs; of maps (ZipMap) the values, as this program gives them."""
    out = session.run(None, {k: v.astype(object) if v.dtype.kind == "U" else v for k, v in feed.items()})
    return [np.array([list(m.values()) for m in o], np.float32) if isinstance(o, list) else o for o in out]


def ours(program, path, feed, outputs):
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "model", "run", path, "--output", folder]
        for n, (name, array) in enumerate(feed.items()):
            np.save(f"{folder}/input{n}.npy", array)
            command += ["--input", f"{name}={folder}/input{n}.npy"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return [np.load(f"{folder}/{o}.npy") for o in outputs]


def compare(name, got, want):
    """The largest difference, relative to the largest value."""
    if want.dtype.kind not in "f":
        want = want.astype(got.dtype) if want.dtype == object else want
        wrong = np.mean(got != want)
        return None if got.shape == want.shape and wrong <= 0.01 else f"{name}: {wrong:.1%} of labels differ"
    if got.shape != want.shape:
        return f"{name}: shape {got.shape}, want {want.shape}"
    scale = max(1e-3, np.nanmax(np.abs(want)))
    difference = np.nanmax(np.abs(got.astype(np.float64) - want)) if want.size else 0
    return None if difference <= 1e-4 * scale and (np.isnan(got) == np.isnan(want)).all() else f"{name}: differs by {difference:.3g} of {scale:.3g}"


def distance(estimator, x, results):
    """How far numbers are from scikit-learn's."""
    f = next((getattr(estimator, m) for m in ("predict_proba", "transform", "predict") if hasattr(estimator, m)), None)
    want = f(x) if f else None
    numbers = [r for r in results if r.dtype.kind == "f" and want is not None and np.asarray(want).size == r.size]
    if hasattr(estimator, "offset_") or not numbers or np.asarray(want).dtype.kind not in "fi":
        return None
    want = np.asarray(want, np.float64)
    return np.abs(numbers[-1].astype(np.float64).reshape(want.shape) - want).max() / max(1e-3, np.abs(want).max())


def main(program, wanted):
    failed = ran = 0
    for name, estimator, source in estimators():
        if wanted and name not in wanted:
            continue
        x, y = data(source)
        estimator.fit(x, y)
        try:
            model, feed = export(estimator, x)
        except Exception as e:
            print(f"{name:18} not exported: {str(e).splitlines()[0][:90]}")
            continue
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        want = reference(session, feed)
        with tempfile.NamedTemporaryFile(suffix=".onnx") as f:
            f.write(model.SerializeToString())
            f.flush()
            names = [o.name for o in session.get_outputs()]
            try:
                got = ours(program, f.name, feed, names)
                wrong = [w for w in (compare(n, g, r) for n, g, r in zip(names, got, want)) if w]
            except subprocess.CalledProcessError:
                wrong, got = ["the program failed"], None
        ran += 1
        failed += bool(wrong)
        far = [distance(estimator, x, r) for r in (want, got) if r is not None]
        far = "" if None in far else "  ".join(f"{d:.1e}" for d in far)
        print(f"{name:18} {'; '.join(wrong) or 'agrees':28} {far}")
    print(f"{ran - failed} of {ran} agree with ONNX Runtime {onnxruntime.__version__}")
    sys.exit(failed > 0)


def write(folder):
    """Small models with inputs and outputs of ONNX Runtime, in the layout of ONNX's backend tests."""
    from onnx import numpy_helper
    small = {"logistic-names", "svc-probability-3", "forest-names", "boosting-2", "lightgbm-2", "isolation-forest", "neighbors", "columns", "mlp"}
    for name, estimator, source in estimators():
        if name not in small:
            continue
        estimator = {"forest-names": ensemble.RandomForestClassifier(3, max_depth=4, random_state=1), "boosting-2": ensemble.GradientBoostingClassifier(n_estimators=3, random_state=1),
                     "isolation-forest": ensemble.IsolationForest(n_estimators=2, max_samples=16, random_state=1), "mlp": neural_network.MLPClassifier((4,), max_iter=50, random_state=1)}.get(name, estimator)
        x, y = data("iris" if source == "cancer" else source)
        y = y % 2 if source == "cancer" else y
        x, y = x[::4], y[::4]
        if name == "lightgbm-2":
            estimator.set_params(n_estimators=3, min_child_samples=2)
        estimator.fit(x, y)
        model, feed = export(estimator, x)
        feed = {k: v[::3] for k, v in feed.items()}
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        want = reference(session, feed)
        place = f"{folder}/{name}/test_data_set_0"
        os.makedirs(place, exist_ok=True)
        onnx.save(model, f"{folder}/{name}/model.onnx")
        for role, arrays in (("input", feed.values()), ("output", want)):
            for i, array in enumerate(arrays):
                array = np.asarray(array)
                with open(f"{place}/{role}_{i}.pb", "wb") as f:
                    f.write(numpy_helper.from_array(array.astype(object) if array.dtype.kind in "US" else array).SerializeToString())
        print(name, os.path.getsize(f"{folder}/{name}/model.onnx"), "bytes")


if __name__ == "__main__":
    if sys.argv[1] == "--write":
        write(sys.argv[2])
    else:
        main(sys.argv[1], sys.argv[2:])
