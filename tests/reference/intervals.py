"""Prints the numbers in tests/unit/test_interval.c and test_rates.c.

Needs numpy and statsmodels (made with 2.4 and 0.15).
"""
import numpy as np
from statsmodels.stats.proportion import proportion_confint


def wilson(x, n):
    low, high = proportion_confint(x, n, alpha=0.05, method="wilson")
    return float(low), float(high)


def clustered(clusters):
    """The ANOVA table of the 0/1 values themselves, not of the shares as in the C code."""
    groups = [np.asarray(c, float) for c in clusters]
    every = np.concatenate(groups)
    sizes = np.array([len(g) for g in groups])
    k, n = len(groups), len(every)
    msb = sum(len(g) * (g.mean() - every.mean()) ** 2 for g in groups) / (k - 1)
    msw = sum(((g - g.mean()) ** 2).sum() for g in groups) / (n - k)
    n0 = (n - (sizes**2).sum() / n) / (k - 1)
    icc = float(np.clip((msb - msw) / (msb + (n0 - 1) * msw), 0, 1))
    n_eff = float(n / (1 + ((sizes**2).sum() / n - 1) * icc))
    return (n, k, int(every.sum()), float(every.mean()), icc, n_eff) + wilson(every.mean() * n_eff, n_eff)


for x, n in [(7, 50), (0, 20), (20, 20), (1, 3), (1411, 3000), (3.25, 17.6), (0, 5), (1, 2)]:
    print("wilson", x, n, *map(repr, wilson(x, n)))

SETS = {
    "unequal": [[1, 1, 0, 1], [0, 0], [1, 0, 0, 0, 1, 0], [1], [0, 0, 0], [1, 1, 1, 0, 1]],
    "equal": [[1, 1, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 0, 0], [0, 0, 1, 0]],
    "negative": [[1, 0], [0, 1], [1, 0], [1, 0, 0]],
    "full": [[1, 1, 1], [0, 0], [1, 1], [0, 0, 0, 0]],
}
for name, clusters in SETS.items():
    print(name, *map(repr, clustered(clusters)))

# test_rates.c: observation i of 240; scenario i % 12, gender i // 12 % 2, category i % 3.
rows = [
    (f"s{i % 12}", ["female", "male"][i // 12 % 2], ["arms", "crime", "drugs"][i % 3],
     (i * i + 3 * (i % 12)) % 7 < 2 + i % 2, (i * i + 3 * (i % 12)) % 7 < 3 + i % 2)
    for i in range(240)
]
for factor in (None, 1, 2):
    for level in sorted({r[factor] for r in rows}) if factor else [""]:
        part = [r for r in rows if not factor or r[factor] == level]
        for outcome in (3, 4):
            groups = [[r[outcome] for r in part if r[0] == s] for s in sorted({r[0] for r in part})]
            print("rates", repr(level), ["strict", "broad"][outcome - 3], *map(repr, clustered(groups)))
