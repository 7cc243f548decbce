#!/usr/bin/env python3
"""Writes Tests/Fixtures/Statistics/statistics.json: inputs and results of scipy, statsmodels and numpy.

    pip install numpy scipy statsmodels
    python3 tools/reference/statistics_fixtures.py [--out FILE]

Every seed is fixed. Cases name their inputs, which stand in `series`; null is a result that does not exist.
"""

import argparse
import json
import math
import platform
from fractions import Fraction
from pathlib import Path

import numpy as np
import scipy
import statsmodels
from scipy import optimize, special, stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_paired

DEFAULT_OUT = Path(__file__).resolve().parents[2] / "Tests/Fixtures/Statistics/statistics.json"


def numbers(values):
    return [float(value) for value in values]


def difference_series():
    rng = np.random.default_rng(1)
    normal = rng.normal
    return {
        "d_two": [1.0, 2.5],
        "d_five": numbers(normal(1, 0.5, 5)),
        "d_five_positive": [0.12, 0.31, 0.05, 0.27, 0.19],
        "d_six_negative": [-0.12, -0.31, -0.05, -0.27, -0.19, -0.4],
        "d_ties_zeros": [0.0, 1.0, -1.0, 2.0, 2.0, 0.0, 3.0, -2.0, 4.0, 4.0],
        "d_thirteen_ties": [1.0, 1.0, 2.0, -3.0, 4.0, 4.0, 4.0, 5.0, -1.0, 6.0, 7.0, 8.0, 9.0],
        "d_fourteen_zero": [0.0] + numbers(normal(0.5, 1, 13)),
        "d_constant": [0.1] * 7,
        "d_all_zero": [0.0] * 4,
        "d_twenty": numbers(normal(0.4, 1, 20)),
        "d_tiny_effect": numbers(normal(0, 1, 15) + 1e-9),
        "d_far": numbers(normal(1e6, 1e-3, 12)),
        "d_fifty": numbers(normal(0.2, 1, 50)),
        "d_fifty_one": numbers(normal(0.2, 1, 51)),
        "d_huge_effect": numbers(normal(10, 0.9, 200).round(4)),
        "d_large": numbers(normal(0.03, 1, 5000).round(2)),
    }


def pair_series():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2, 300))
    u, v = rng.normal(size=(2, 40))
    return {
        "s_two": [1.0, 2.0], "s_two_down": [5.0, 3.0],
        "s_ten": numbers(rng.normal(size=10)), "s_ten_other": numbers(rng.normal(size=10)),
        "s_ten_constant": [2.0] * 10,
        "s_ties": numbers(rng.integers(0, 4, 60)), "s_ties_other": numbers(rng.integers(0, 3, 60)),
        "s_forty": numbers(u), "s_forty_near": numbers(u + 0.05 * v),
        "s_wide": numbers(x.round(5)), "s_wide_related": numbers((0.4 * x + y).round(5)),
        "s_wide_close": numbers((x + 0.3 * y).round(5)), "s_wide_falling": numbers((0.1 * y - x).round(5)),
        "s_shifted": numbers((x[:150] + 0.7).round(5)), "s_far": numbers((x[:200] + 20).round(5)),
        "s_large": numbers((rng.normal(size=5000) + 0.02).round(2)),
    }


def difference_case(name, values):
    d = np.array(values)
    n = len(d)
    spread = bool((d != d[0]).any())
    case = {"series": name, "t": None, "interval": None, "interval_80": None, "equivalence": [], "dz": None,
            "sign_flip": None, "wilcoxon": None}
    if spread:
        test = stats.ttest_1samp(d, 0)
        case["t"] = numbers([test.statistic, test.pvalue])
        for key, level in (("interval", 0.95), ("interval_80", 0.8)):
            case[key] = numbers(stats.t.interval(level, n - 1, d.mean(), stats.sem(d)))
        case["dz"] = float(d.mean() / d.std(ddof=1))
    for margin in (0.05, 0.5, 3.0):
        p = float(ttost_paired(d, np.zeros(n), -margin, margin)[0]) if spread else None
        case["equivalence"].append({"margin": margin, "p": p})
    if n <= 20:
        test = stats.permutation_test((d,), np.mean, permutation_type="samples", n_resamples=np.inf, batch=4096)
        case["sign_flip"] = float(test.pvalue)
    if d.any():
        test = stats.wilcoxon(d, zero_method="wilcox", correction=False, method="auto")
        case["wilcoxon"] = numbers([test.statistic, test.pvalue])
    return case


def cliffs_delta(a, b):
    signs = np.sign(np.subtract.outer(a, b))
    return float(signs.sum() / signs.size)


def pair_case(a, b, series):
    x, y = np.array(series[a]), np.array(series[b])
    ks = stats.ks_2samp(x, y, method="asymp")
    case = {"a": a, "b": b, "ks": numbers([ks.statistic, ks.pvalue]), "paired": len(x) == len(y),
            "wasserstein": float(stats.wasserstein_distance(x, y)), "cliffs_delta": cliffs_delta(x, y),
            "spearman": None, "kendall": None}
    if case["paired"] and len(set(x)) > 1 and len(set(y)) > 1:
        rho = stats.spearmanr(x, y)
        # With two values the t approximation has no degrees of freedom; where rho rounds to 1, so does its p to 0.
        p = 1 if len(x) == 2 else 0 if abs(rho.statistic) > 1 - 1e-14 else rho.pvalue
        case["spearman"] = numbers([rho.statistic, p])
        case["kendall"] = float(stats.kendalltau(x, y).statistic)
    return case


PAIRS = [
    ("s_two", "s_two_down"), ("s_two", "s_ten"), ("s_ten", "s_ten_other"), ("s_ten", "s_ten"),
    ("s_ten", "s_ten_constant"), ("s_ten_constant", "s_ten_constant"), ("s_ties", "s_ties_other"),
    ("s_forty", "s_forty_near"), ("s_forty", "s_wide"), ("s_wide", "s_wide_related"), ("s_wide", "s_wide_close"),
    ("s_wide", "s_wide_falling"), ("s_wide", "s_shifted"), ("s_wide", "s_far"), ("d_large", "s_large"),
    ("d_large", "s_wide"), ("s_large", "s_shifted"), ("s_large", "s_far"), ("d_huge_effect", "s_wide"),
]


def kolmogorov():
    """Every branch of the distribution: exact, Smirnov's sum, Pelz and Good."""
    cases = []
    for n in (1, 2, 3, 10, 50, 140, 141, 500, 2500, 20000):
        for z in (0.3, 0.45, 0.6, 0.8, 1.1, 1.4, 1.6, 2.1, 5, 12):
            x = z / math.sqrt(n)
            if x < 1:
                cases.append({"n": n, "x": x, "sf": float(stats.kstwo.sf(x, n))})
    return cases


def distributions():
    xs = (-38, -30.5, -12, -3, -1.5, -0.3, -1e-9, 0, 1e-5, 0.7, 2, 5.5, 9, 30)
    ps = (1e-290, 1e-100, 1e-20, 1e-5, 0.02425, 0.2, 0.4999, 0.5, 0.51, 0.9, 0.975, 0.9999999)
    ts = (-1e5, -300, -40, -8, -1, -1e-6, 0, 1e-9, 0.2, 1.7, 6, 33, 1e3, 1e8)
    degrees = (1, 2, 3.5, 5, 30, 199, 4999, 1e6)
    chis = (1e-12, 0.1, 0.9, 3, 11, 60, 120, 900)
    quantiles = [[v, p, stats.t.ppf(p, v)] for v in degrees for p in ps if p > 1e-20]
    return {
        "normal": [numbers([x, stats.norm.cdf(x), stats.norm.sf(x)]) for x in xs],
        "normal_quantile": [numbers([p, stats.norm.ppf(p)]) for p in ps],
        "student_t": [numbers([v, t, stats.t.cdf(t, v), stats.t.sf(t, v)]) for v in degrees for t in ts],
        "student_t_quantile": [numbers(row) for row in quantiles],
        "chi_squared": [numbers([k, x, stats.chi2.sf(x, k)]) for k in (1, 2, 3, 9, 40, 999) for x in
                        (*chis, k - 0.5, k * 1.1)],
        "beta": [numbers([a, b, x, special.betainc(a, b, x)]) for a, b in
                 ((0.5, 0.5), (2, 7), (0.3, 40), (25, 25), (300, 12), (9.9, 10.1)) for x in
                 (1e-8, 0.02, 0.3, 0.5, 0.9375)],
    }


def counts():
    rng = np.random.default_rng(3)
    tables = [[[12, 5], [7, 9]], [[3, 0, 4], [0, 0, 0], [1, 0, 6]], [[1, 2], [0, 0]],
              rng.integers(0, 50, (4, 6)).tolist(), [[900, 10], [15, 800]], [[10, 20], [20, 40]]]
    result = []
    for table in tables:
        t = np.array(table, float)
        t = t[t.sum(1) > 0][:, t.sum(0) > 0]
        case = {"table": np.array(table, float).tolist(), "test": None, "degrees": None}
        if min(t.shape) > 1:
            test = stats.chi2_contingency(t, correction=False)
            case |= {"test": numbers(test[:2]), "degrees": int(test[2])}
        result.append(case)
    goodness = []
    for observed, expected in (([16, 18, 16, 14, 12, 12], None), ([0, 5], [2.5, 2.5]), ([500, 10, 3], [171] * 3),
                               ([30, 14, 34, 45, 57, 20], [20, 20, 30, 40, 60, 30])):
        expected = expected or [sum(observed) / len(observed)] * len(observed)
        test = stats.chisquare(observed, expected)
        goodness.append({"observed": numbers(observed), "expected": numbers(expected),
                         "test": numbers([test.statistic, test.pvalue])})
    return {"contingency": result, "goodness": goodness}


def trends():
    rng = np.random.default_rng(4)
    tables = [rng.normal(size=(5, 4)) + np.arange(4), rng.normal(size=(3, 3)), rng.integers(0, 3, (6, 5)),
              np.ones((4, 3)), np.tile(np.arange(8), (60, 1)), -np.tile(np.arange(6), (10, 1))]
    result = []
    for table in tables:
        test = stats.page_trend_test(table, method="asymptotic")
        result.append({"rows": np.array(table, float).tolist(), "test": numbers([test.statistic, test.pvalue])})
    return result


def holm():
    rng = np.random.default_rng(5)
    lists = [[0.03], [0.01, 0.04, 0.03, 0.005], [0.5, 0.9, 1.0, 0.0], [0.02, 0.02, 0.02], [1e-200, 1e-12, 0.2, 1e-200],
             numbers(rng.uniform(size=25) ** 4)]
    return [{"p": values, "adjusted": numbers(multipletests(values, method="holm")[1])} for values in lists]


def bootstrap(series):
    """Percentile intervals of 200,000 resamples; `sd` is the resamples' standard deviation."""
    rng = np.random.default_rng(6)
    small = numbers((rng.normal(size=240) + np.repeat(rng.normal(size=6), 40)).round(3))
    series["b_small"] = small
    cases = [("b_small", 6, 0.95, True), ("b_small", 6, 0.8, True), ("b_small", 6, 0.95, False), ("b_small", 2, 0.9, True),
             ("d_large", 4, 0.95, True)]
    result = []
    for name, clusters, level, within in cases:
        values = np.array(series[name]).reshape(clusters, -1)
        size, count = values.shape[1], 200_000
        means = np.zeros(count)
        for start in range(0, count, 1000):
            drawn = rng.integers(0, clusters, (1000, clusters))
            for column in range(clusters):
                if within:
                    places = rng.integers(0, size, (1000, size), dtype=np.int32)
                    means[start:start + 1000] += values[drawn[:, column, None], places].mean(1)
                else:
                    means[start:start + 1000] += values[drawn[:, column]].mean(1)
        means /= clusters
        ends = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
        result.append({"series": name, "clusters": clusters, "level": level, "within": within,
                       "interval": numbers(ends), "sd": float(means.std())})
    return result


def bins(confidence, correct, kind, count):
    """Bins as lists of [lower, upper, count, mean confidence, accuracy], in plain Python."""
    rows = sorted(zip(confidence, correct), key=lambda row: row[0])
    groups = []
    if kind == "equal_width":
        for m in range(count):
            lower, upper = m / count, (m + 1) / count
            groups.append((lower, upper, [r for r in rows if lower < r[0] <= upper or m == 0 and r[0] == 0]))
    else:
        cuts = []
        for k in range(count + 1):
            cut = (2 * k * len(rows) + count) // (2 * count)
            first = last = cut
            while 0 < first < len(rows) and rows[first - 1][0] == rows[first][0]:
                first -= 1
            while 0 < last < len(rows) and rows[last - 1][0] == rows[last][0]:
                last += 1
            cuts.append(first if cut - first <= last - cut else last)
        for start, end in zip(cuts, cuts[1:]):
            group = rows[start:end]
            groups.append((group[0][0], group[-1][0], group) if group else (0, 0, []))
    return [[lower, upper, len(g), math.fsum(r[0] for r in g) / len(g), sum(r[1] for r in g) / len(g)]
            for lower, upper, g in groups if g]


def calibration():
    rng = np.random.default_rng(7)
    confidence = {
        "smooth": numbers(rng.beta(5, 2, 200).round(5)),
        "tied": numbers(np.ceil(rng.beta(2, 1, 150) * 20) / 20),
        "edges": [0.0, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.0],
        "equal": [0.7] * 9,
        "few": [0.9, 0.2],
        "none": [],
    }
    result = []
    for name, values in confidence.items():
        correct = [int(u < 0.8 * c + 0.05) for u, c in zip(rng.uniform(size=len(values)), values)]
        case = {"name": name, "confidence": values, "correct": correct, "binnings": []}
        for kind, count in (("equal_width", 10), ("equal_width", 15), ("equal_mass", 10), ("equal_mass", 7)):
            found = bins(values, correct, kind, count)
            ece = math.fsum(b[2] * abs(b[4] - b[3]) for b in found) / max(1, len(values))
            case["binnings"].append({"kind": kind, "count": count, "bins": found, "ece": ece})
        result.append(case)
    return result


def temperatures():
    rng = np.random.default_rng(8)

    def case(name, logits, labels, exists=True):
        z = np.asarray(logits, np.float32).astype(float)
        y = np.asarray(labels)

        def loss(log_t):
            scaled = z / np.exp(log_t)
            return (special.logsumexp(scaled, axis=1) - scaled[np.arange(len(y)), y]).mean()

        best = None
        if exists:
            found = optimize.minimize_scalar(loss, bracket=(-1, 1), method="brent", options={"xtol": 1e-14})
            best = float(np.exp(found.x))
        return {"name": name, "classes": z.shape[1], "logits": numbers(np.asarray(logits).ravel()),
                "labels": y.tolist(), "temperature": best}

    def sample(n, k, spread, temperature):
        z = (spread * rng.normal(size=(n, k))).round(3)
        p = special.softmax(z / temperature, axis=1)
        return z, np.array([rng.choice(k, p=row) for row in p])

    z, y = sample(60, 5, 2, 1)
    return [
        case("calibrated", *sample(200, 5, 2, 1)), case("overconfident", *sample(150, 10, 12, 6)),
        case("underconfident", *sample(150, 3, 0.1, 0.03)), case("two classes", *sample(80, 2, 3, 2)),
        case("offset", z + 5000, y), case("huge logits", z * 1e4, y),
        case("all correct", z, z.argmax(1), False), case("all wrong", z, z.argmin(1), False),
        case("constant rows", np.ones((4, 3)), [0, 1, 2, 0], False),
    ]


def hypergeometric():
    """[population, marked, drawn]: mean, central 95 %, and P(at least so many), also far in the tail."""
    result = []
    for population, marked, drawn in ((10, 3, 4), (60, 12, 9), (1000, 100, 100), (200, 150, 120), (10_000, 1000, 1000),
                                      (200_000, 20_000, 20_000), (10_000_000, 1_000_000, 1_000_000)):
        law = stats.hypergeom(population, marked, drawn)
        middle, spread = law.mean(), law.std()
        least, most = max(0, marked + drawn - population), min(marked, drawn)
        counts = sorted({min(most, max(least, round(middle + z * spread))) for z in (-4, -1, 0, 1, 3, 6)})

        def survival(count):
            # Exact: a sum of fractions of whole numbers where they are small, scipy's otherwise.
            if population > 1000:
                return float(law.sf(count - 1))
            hits = sum(math.comb(marked, k) * math.comb(population - marked, drawn - k) for k in range(count, most + 1))
            return float(Fraction(hits, math.comb(population, drawn)))

        result.append({"population": population, "marked": marked, "drawn": drawn, "mean": float(middle),
                       "range": [int(law.ppf(0.025)), int(law.ppf(0.975))], "counts": counts,
                       "survival": [survival(count) for count in counts]})
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT)
    out = parser.parse_args().out
    differences = difference_series()
    series = differences | pair_series()
    versions = {"numpy": np.__version__, "scipy": scipy.__version__, "statsmodels": statsmodels.__version__,
                "python": platform.python_version()}
    rng = np.random.default_rng(9)
    ordered = sorted(numbers(rng.normal(size=17)))
    document = {
        "about": versions,
        "distributions": distributions(),
        "kolmogorov": kolmogorov(),
        "differences": [difference_case(name, values) for name, values in differences.items()],
        "pairs": [pair_case(a, b, series) for a, b in PAIRS],
        "ranks": {"values": [3.0, 1.0, 3.0, -2.0, 3.0, 1.0, 8.0],
                  "ranks": numbers(stats.rankdata([3, 1, 3, -2, 3, 1, 8]))},
        "quantiles": {"sorted": ordered, "points": [numbers([f, np.quantile(ordered, f)]) for f in
                                                    (0, 0.025, 0.1, 0.5, 0.77, 0.999, 1)]},
        "counts": counts(), "trends": trends(), "holm": holm(), "bootstrap": bootstrap(series),
        "calibration": calibration(), "temperatures": temperatures(), "hypergeometric": hypergeometric(),
        "series": series,
    }
    lines = [f"{json.dumps(key)}: {json.dumps(value, allow_nan=False, separators=(',', ':'))}"
             for key, value in document.items()]
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{out.name}: {out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
