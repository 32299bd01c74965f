"""Writes tests/judge/reference.json: random and degenerate cases, all of them invented here, with
what scikit-learn and SciPy say about them. src/judge/metrics/tests.rs compares.

    python3 -m venv ~/.cache/deskhand/venv && ~/.cache/deskhand/venv/bin/pip install scikit-learn==1.9.1 scipy==1.17.1
    ~/.cache/deskhand/venv/bin/python tests/judge/reference.py
"""

import json
import pathlib
import warnings

import numpy as np
from scipy import stats
from sklearn import metrics

# Probabilities are whole parts of 1024: exact as f32, with a sum of exactly 1, and often equal.
PARTS = 1024
BINS = 15
# What scikit-learn clips probabilities of f32 by; here in f64, so that no digits are lost.
EPSILON = float(np.finfo(np.float32).eps)
rng = np.random.default_rng(20_260)


def parts(weights):
    """Rows of whole parts that add up to PARTS, by largest remainder."""
    exact = weights / weights.sum(axis=1, keepdims=True) * PARTS
    whole = np.floor(exact).astype(int)
    for row, left in enumerate(PARTS - whole.sum(axis=1)):
        whole[row, np.argsort(whole[row] - exact[row], kind="stable")[:left]] += 1
    return whole


def drawn(rows, classes, concentration):
    """Rows whose truth is drawn from the probabilities given for it."""
    p = parts(rng.dirichlet(np.full(classes, concentration), size=rows) + 1e-12)
    truth = [int(rng.choice(classes, p=row / PARTS)) for row in p]
    return p, np.array(truth)


def ece(confidence, correct):
    order = np.argsort(confidence, kind="stable")
    confidence, correct = confidence[order], correct[order].astype(float)
    # Equal confidences share their accuracy, so that their order does not matter.
    _, group = np.unique(confidence, return_inverse=True)
    correct = (np.bincount(group, correct) / np.bincount(group))[group]
    bins = [b for b in np.array_split(np.arange(len(order)), BINS) if len(b)]
    gaps = [len(b) * abs(confidence[b].mean() - correct[b].mean()) for b in bins]
    return sum(gaps) / len(order)


def expected(p, truth, classes):
    n = len(truth)
    predicted = p.argmax(axis=1)
    every = max(classes, truth.max() + 1)
    # Classes that the model does not know get probability 0.
    full = np.hstack([p, np.zeros((n, every - classes))])
    columns = np.arange(every)
    present = np.union1d(truth, predicted)
    each = metrics.precision_recall_fscore_support(truth, predicted, labels=present, zero_division=0)
    confidence = p.max(axis=1)
    correct = predicted == truth
    top = {}
    for k in (1, 2, 3, 5):
        hit = np.ones(n) if k >= every else None
        if hit is None:
            # scikit-learn puts the last of equal scores first and we the first, as argmax does.
            # Columns of unknown classes come last here, and so never before a known one.
            score = metrics.top_k_accuracy_score(
                every - 1 - truth, full[:, ::-1], k=k, labels=columns
            ) if every > 2 else np.mean(correct)
        else:
            score = 1.0
        # An unknown class is no answer, even where k reaches it.
        top[k] = float(score if classes == every else np.mean([
            truth[i] < classes and truth[i] in np.argsort(-p[i], kind="stable")[:k]
            for i in range(n)
        ]))
    curve = []
    for threshold in np.unique(confidence)[::-1]:
        answered = confidence >= threshold
        precision = metrics.precision_score(correct, answered, zero_division=0)
        curve.append([float(threshold), float(answered.mean()), float(precision)])
    return {
        "accuracy": metrics.accuracy_score(truth, predicted),
        "macro_f1": metrics.f1_score(truth, predicted, average="macro", zero_division=0),
        "classes": present.tolist(),
        "precision": each[0].tolist(),
        "recall": each[1].tolist(),
        "f1": each[2].tolist(),
        "support": each[3].astype(int).tolist(),
        "confusion": metrics.confusion_matrix(truth, predicted, labels=columns).tolist(),
        "top": top,
        "brier": metrics.brier_score_loss(
            truth, full, labels=columns, scale_by_half=False
        ) if every > 1 else 0.0,
        "log_loss": metrics.log_loss(
            truth, np.clip(full, EPSILON, 1 - EPSILON), labels=columns
        ) if every > 1 else -np.log(1 - EPSILON),
        "ece": ece(confidence, correct),
        "auroc": metrics.roc_auc_score(correct, confidence) if 0 < correct.sum() < n else None,
        "curve": curve,
    }


def cases():
    yield "random, two classes", *drawn(60, 2, 1.0)
    yield "random, three classes", *drawn(150, 3, 0.7)
    yield "random, seven classes, surer", *drawn(200, 7, 0.2)
    p, _ = drawn(90, 5, 0.5)
    yield "nothing to do with the truth", p, rng.integers(0, 5, 90)
    p, truth = drawn(80, 4, 0.5)
    yield "one true class only", p, np.full(80, 2)
    truth[:9] = [4, 4, 5, 4, 6, 5, 4, 4, 6]
    yield "classes that the model does not know", p, truth
    yield "only classes that the model does not know", p[:6], np.array([4, 4, 5, 4, 5, 5])
    yield "one class that there is", np.full((5, 1), PARTS), np.zeros(5, dtype=int)
    yield "one row, right", parts(np.array([[0.2, 0.7, 0.1]])), np.array([1])
    yield "one row, wrong", parts(np.array([[0.2, 0.7, 0.1]])), np.array([2])
    yield "all probabilities equal", np.full((40, 4), PARTS // 4), rng.integers(0, 4, 40)
    few = np.array([[512, 512, 0], [512, 256, 256], [256, 256, 512], [0, 1024, 0]])
    yield "many equal confidences", few[rng.integers(0, 4, 100)], rng.integers(0, 3, 100)
    yield "only 0 and 1, all right", PARTS * np.eye(3, dtype=int)[[0, 1, 2, 1]], np.array([0, 1, 2, 1])
    yield "only 0 and 1, all wrong", PARTS * np.eye(3, dtype=int)[[0, 1, 2, 1]], np.array([1, 2, 0, 0])
    yield "only 0 and 1, some right", PARTS * np.eye(3, dtype=int)[rng.integers(0, 3, 50)], rng.integers(0, 3, 50)
    yield "fewer rows than bins", *drawn(11, 3, 0.5)


def scored():
    for name, p, truth in cases():
        classes = p.shape[1]
        yield {
            "name": name,
            "classes": classes,
            "parts": p.ravel().tolist(),
            "truth": truth.tolist(),
            "expected": expected(p / PARTS, truth, classes),
        }


def binomial():
    places = [(0, 10), (1, 10), (9, 10), (10, 10), (81, 263), (940, 1000), (1, 1000), (95_214, 100_000),
              (950_300, 1_000_000), (949_600, 1_000_000), (500_700, 1_000_000), (3, 1_000_000)]
    for successes, trials in places:
        test = stats.binomtest(successes, trials)
        exact, wilson = test.proportion_ci(method="exact"), test.proportion_ci(method="wilson")
        for p in (0.000_004, 0.3, 0.5, 0.95):
            yield {
                "successes": successes,
                "trials": trials,
                "p": p,
                "at_least": stats.binom.sf(successes - 1, trials, p),
                "at_most": stats.binom.cdf(successes, trials, p),
                "exact": [exact.low, exact.high],
                "wilson": [wilson.low, wilson.high],
            }


def compared():
    for only_first, only_second in [(0, 0), (1, 0), (6, 1), (30, 30), (40, 62), (700, 900)]:
        n = only_first + only_second
        p = stats.binomtest(only_first, n).pvalue if n else 1.0
        yield {"only_first": only_first, "only_second": only_second, "p": p}


def scopes():
    for rows, out in [(60, 25), (1, 1), (40, 3)]:
        confidence = rng.integers(0, 40, rows + out) / 32
        correct = rng.random(rows) < 0.8
        inside = np.arange(rows + out) < rows
        points = []
        for threshold in np.unique(confidence)[::-1]:
            accepted = confidence >= threshold
            recall = metrics.recall_score(inside, accepted, pos_label=0, zero_division=0)
            points.append([float(threshold), float(recall), float(np.mean(accepted[:rows] & correct))])
        yield {
            "in_scope": confidence[:rows].tolist(),
            "correct": correct.tolist(),
            "out_of_scope": confidence[rows:].tolist(),
            "points": points,
            "auroc": metrics.roc_auc_score(inside, confidence),
        }


warnings.filterwarnings("error")
warnings.filterwarnings("ignore", "A single label was found")
warnings.filterwarnings("ignore", "The .* values do not sum to one")
reference = {
    "scored": list(scored()),
    "binomial": list(binomial()),
    "mcnemar": list(compared()),
    "scopes": list(scopes()),
}
out = pathlib.Path(__file__).with_name("reference.json")
sections = (f" {json.dumps(name)}: [\n  " + ",\n  ".join(map(json.dumps, rows)) + "\n ]"
            for name, rows in reference.items())
out.write_text("{\n" + ",\n".join(sections) + "\n}\n")
