"""Writes Tests/Fixtures/Logits/numpy_comparison.json from the two tables beside it, from the measures' definitions, and
the standard table as stored.npz and, compressed, as deflated.npz.

    python3 tools/reference/logit_fixtures.py
"""
import json
import pathlib

import numpy as np
from safetensors import safe_open
from scipy.stats import spearmanr

FOLDER = pathlib.Path(__file__).parents[2] / "Tests" / "Fixtures" / "Logits"
PERCENTS = (5, 10, 25, 50, 75, 90, 95)


def table(name):
    with safe_open(FOLDER / name, "np") as file:
        arrays = {key: file.get_tensor(key) for key in file.keys()}
        return arrays, dict(file.metadata())


def measures(z, labels):
    z = z.astype(np.float64)
    top = -np.sort(-z, axis=1)
    log_p = z - z.max(1, keepdims=True)
    log_p -= np.log(np.exp(log_p).sum(1, keepdims=True))
    p, rows = np.exp(log_p), np.arange(len(z))
    others = z.copy()
    others[rows, labels] = -np.inf
    entropy, loss = -(p * log_p).sum(1), -log_p[rows, labels]
    return {
        "max_logit": top[:, 0], "centred_max": top[:, 0] - z.mean(1), "logit_gap": top[:, 0] - top[:, 1],
        "logit_gap_3": top[:, 0] - top[:, 2], "confidence": p.max(1), "entropy": entropy,
        "margin": z[rows, labels] - others.max(1), "cross_entropy": loss,
        "cross_entropy_minus_entropy": loss - entropy,
    }


def spread(x):
    return {"mean": x.mean(), "standard_deviation": x.std(),
            "quantiles": {f"p{q}": np.percentile(x, q) for q in PERCENTS}}


def group(a, b, labels):
    x, y = measures(a, labels), measures(b, labels)
    return {
        "sample_count": len(labels),
        "standard_accuracy": (a.argmax(1) == labels).mean(),
        "robust_accuracy": (b.argmax(1) == labels).mean(),
        "confidence_rank_correlation": spearmanr(x["confidence"], y["confidence"])[0],
        "measures": {m: {"standard": spread(x[m]), "robust": spread(y[m]),
                         "mean_difference": (y[m] - x[m]).mean(), "share_robust_lower": (y[m] < x[m]).mean()}
                     for m in x},
    }


def main():
    standard, standard_metadata = table("standard.safetensors")
    robust, robust_metadata = table("robust.safetensors")
    place = {sample: row for row, sample in enumerate(robust["sample_ids"])}
    rows = [place[sample] for sample in standard["sample_ids"]]
    a, b, labels = standard["logits"], robust["logits"][rows], standard["labels"]
    both = (a.argmax(1) == labels) & (b.argmax(1) == labels)
    result = {"standard_provenance": standard_metadata, "robust_provenance": robust_metadata,
              "all": group(a, b, labels), "jointly_correct": group(a[both], b[both], labels[both])}
    np.savez(FOLDER / "stored.npz", **standard)
    np.savez_compressed(FOLDER / "deflated.npz", **standard)
    text = json.dumps(result, indent=1, default=float)
    (FOLDER / "numpy_comparison.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
