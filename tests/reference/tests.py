"""Expected numbers of tests/unit/test_tests.c: python3 tests/reference/tests.py, with numpy, scipy,
statsmodels and krippendorff. Data come from a small generator that test_tests.c has too.
"""
import krippendorff
import numpy as np
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.inter_rater import cohens_kappa, fleiss_kappa
from statsmodels.stats.multitest import multipletests


def show(name, *values):
    print(name, ", ".join(f"{v:.17g}" for v in values))


class Numbers:
    """x -> 6364136223846793005 x + 1442695040888963407 mod 2^64; its upper 31 bits."""

    def __init__(self, seed):
        self.x = seed

    def below(self, n):
        self.x = (self.x * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.x >> 33) % n


show("normal", *(2 * stats.norm.sf(z) for z in (0.5, 1.96, 6.5)))
show("quantile", *(stats.norm.ppf(p) for p in (0.975, 0.8, 1e-12, 0.5001)))
show("chi-square", *(stats.chi2.sf(x, df) for x, df in
                     ((3.84, 1), (5.99, 2), (0.3, 3), (40.5, 7), (18.2, 12), (200.25, 29))))
show("sign", *(stats.binomtest(b, b + c).pvalue for b, c in ((3, 12), (7, 7), (0, 5), (40, 61))))
show("holm", *multipletests([0.01, 0.04, 0.03, 0.005, 0.6], method="holm")[1])

table = np.array([[40, 3, 5], [7, 22, 1], [2, 6, 14]])
k = cohens_kappa(table)
show("cohen", k.kappa, k.std_kappa)
ratings = np.array([[0, 3, 2], [5, 0, 0], [1, 1, 3], [0, 5, 0], [2, 2, 1], [4, 1, 0]])
show("fleiss", fleiss_kappa(ratings))
labels = np.array([[2, 0, 1], [0, 3, 0], [1, 1, 0], [1, 0, 0], [0, 0, 4], [0, 2, 2], [0, 0, 0]])
show("krippendorff", krippendorff.alpha(value_counts=labels[labels.sum(1) > 0],
                                        level_of_measurement="nominal"))

# 40 clusters of 1 to 8 units under three conditions.
g = Numbers(7)
sizes, refused, pairs = [], [], []
for _ in range(40):
    n = 1 + g.below(8)
    level = 10 + g.below(80)
    units = [[g.below(100) < level + add for add in (0, 5, 12)] for _ in range(n)]
    sizes.append(n)
    refused.append(np.sum(units, axis=0))
    pairs.append([(a, c) for a, _, c in units])
sizes, refused = np.array(sizes), np.array(refused)
first = np.array([sum(a and not c for a, c in p) for p in pairs])
second = np.array([sum(c and not a for a, c in p) for p in pairs])
D, N, K = second - first, sizes.sum(), 40
d = D.sum() / N
# The variance of a mean with clusters: OLS on a constant, cluster-robust, without its n/(n-1).
units = np.repeat(np.arange(K), sizes)
y = np.concatenate([[int(c) - int(a) for a, c in p] for p in pairs])
ols = sm.OLS(y, np.ones(N)).fit(cov_type="cluster", cov_kwds={"groups": units})
show("difference", d, ols.bse[0], first.sum(), second.sum())
show("durkalski", (D / sizes).sum() ** 2 / ((D / sizes) ** 2).sum())
contrast = np.column_stack([refused[:, 0] - refused[:, 2], refused[:, 1] - refused[:, 2]])
total = contrast.sum(0)
show("cochran", total @ np.linalg.solve(contrast.T @ contrast, total))

# A logistic model of 400 rows in 50 clusters with an intercept and five columns.
g = Numbers(11)
X, Y, groups = [], [], []
for i in range(400):
    row = [1, g.below(2), g.below(2), g.below(3) - 1, g.below(1000) / 500 - 1, g.below(5) == 0]
    eta = -0.6 + 0.8 * row[1] - 0.4 * row[3] + 0.5 * row[4]
    X.append(row)
    Y.append(g.below(10000) / 10000 < 1 / (1 + np.exp(-eta)))
    groups.append(i // 8)
fit = sm.Logit(np.array(Y, float), np.array(X, float)).fit(
    disp=0, tol=1e-14, cov_type="cluster", cov_kwds={"groups": np.array(groups)})
show("beta", *fit.params)
show("se", *fit.bse)
show("log-likelihood", fit.llf)
R = np.eye(6)[1:3]
show("wald", np.asarray(fit.wald_test(R, scalar=True, use_f=False).statistic).item())

# The same rows, least squares with a mean for each cluster: with dummies, Arellano's errors.
dummies = np.equal.outer(np.array(groups), np.arange(50)).astype(float)
Z = np.column_stack([np.array(X, float)[:, 1:], dummies])
ols = sm.OLS(np.array(Y, float), Z).fit(
    cov_type="cluster", cov_kwds={"groups": np.array(groups), "use_correction": False})
show("within beta", *ols.params[:5])
show("within se", *(ols.bse[:5] * np.sqrt(50 / 49)))
