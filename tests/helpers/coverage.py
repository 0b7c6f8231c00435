"""How often intervals hold the truth: simulated patients of known populations.

PYTHONPATH=tests/helpers python tests/helpers/coverage.py [--draws 2000] [--rivals]

Prints the share of intervals, in percent, that hold the score of the whole population.
"""

import argparse
from collections.abc import Callable

import numpy as np
from scipy.special import expit, logit
from scipy.stats import bootstrap, t

from xaicovid_mm.evaluation.classification_scores import ClassificationScores
from xaicovid_mm.evaluation.intervals import _in_unit, difference_intervals, score_intervals
from xaicovid_mm.evaluation.referral import aurc

MANY = 400_000
"""Patients of a population that stands for the truth."""
SIZES = (6, 10, 20, 40)
POOLED = 'dice_global'
"""Intervals go by the name of a score."""


def failed(rng, shape, share):
    """Dice of patients of whom a share is missed altogether."""
    return np.where(rng.random(shape) < share, 0, rng.beta(6, 2, shape))


VALUES: dict[str, Callable] = {
    'Dice, mean 0.75': lambda rng, n: rng.beta(6, 2, n),
    'Dice, mean 0.9': lambda rng, n: rng.beta(9, 1, n),
    'Dice, mean 0.2, skewed': lambda rng, n: rng.beta(0.5, 2, n),
    'Dice, 10 % are 0': lambda rng, n: failed(rng, n, 0.1),
    'Dice, 20 % are 0': lambda rng, n: failed(rng, n, 0.2),
    'Dice, 40 % are 0': lambda rng, n: failed(rng, n, 0.4),
    'slice mean, 40 % are 1': lambda rng, n: np.where(
        rng.random(n) < 0.4, 1, rng.beta(2, 3, n)
    ),
    'share of right patients, 0.85': lambda rng, n: (rng.random(n) < 0.85).astype(float),
    'share of right patients, 0.7': lambda rng, n: (rng.random(n) < 0.7).astype(float),
}  # fmt: skip
"""Populations of one value a patient."""


def slice_mean(values, slices, name='s'):
    """The score of patients with different numbers of slices."""
    return lambda weights: {name: float((values * slices) @ weights / (slices @ weights))}


def of_values(draw):
    def made(rng, n):
        return slice_mean(draw(rng, n), np.ones(n))

    return made


def unequal_slices(rng, n):
    z = rng.normal(size=n)
    return slice_mean(expit(z + rng.normal(size=n) + 0.5), np.ceil(np.exp(2 + 0.7 * z)))


def pooled_dice(rng, n):
    """Counts of patients with lesions of very different size, the larger ones better found."""
    z = rng.normal(size=n)
    return slice_mean(expit(1.5 * z + rng.normal(size=n) + 0.5), np.exp(5 + z), POOLED)


MEANS = {name: of_values(draw) for name, draw in VALUES.items()} | {
    'slice mean, unequal numbers of slices': unequal_slices,
}


def distances(rng, n):
    values = rng.lognormal(2, 0.5, n)
    return lambda weights: {'s_mm_': float(np.average(values, weights=weights))}


def _tied(rng, n):
    """Referral scores of which four in ten are 0, as of scans without a mask."""
    scores = np.where(rng.random(n) < 0.4, 0, rng.random(n))
    loss = np.clip(scores + rng.normal(0, 0.2, n), 0, 1)
    return np.where(scores == 0, rng.random(n) < 0.2, loss), scores


def _areas(draw):
    def made(rng, n):
        loss, scores = draw(rng, n)
        return lambda weights: {'aurc': aurc(loss, scores, weights)}

    return made


AREAS = {
    'AURC, wrong class': _areas(
        lambda rng, n: ((rng.random(n) < 0.6 * (s := rng.random(n)) ** 2).astype(float), s)
    ),
    'AURC, missed mask': _areas(
        lambda rng, n: (np.clip(0.6 * (s := rng.random(n)) + rng.normal(0, 0.2, n), 0, 1), s)
    ),
    'AURC, 40 % of the scores tied': _areas(_tied),
}
"""Areas under the risk-coverage curve; drawn are loss and referral score of each scan."""


def truth_of(make, name='s'):
    return make(np.random.default_rng(99), MANY)(np.ones(MANY))[name]


def covers(make, n, *, draws, name='s', truth=None):
    """Share of intervals that hold the truth; ``make`` gives a score of n drawn patients."""
    truth = truth_of(make, name) if truth is None else truth
    rng, groups, held = np.random.default_rng(0), {name: np.zeros(n, int)}, 0
    for _ in range(draws):
        low, high, _ = score_intervals([make(rng, n)], n, groups)[name]
        held += low <= truth + 1e-9 and truth - 1e-9 <= high
    return held / draws


def covers_classes(sizes, metric, *, draws, signal=1.5):
    """The same for a score of three classes with so many patients each."""

    def scores(rng, sizes):
        labels = np.repeat(np.arange(len(sizes)), sizes)
        logits = rng.normal(size=(len(labels), len(sizes)))
        logits[np.arange(len(labels)), labels] += signal
        return labels, ClassificationScores(labels, expit(logits))

    truth = scores(np.random.default_rng(9), [MANY // 10] * 3)[1]()[metric]
    rng, held = np.random.default_rng(0), 0
    for _ in range(draws):
        labels, score = scores(rng, sizes)
        low, high, _ = score_intervals([score], len(labels), {metric: labels})[metric]
        held += low <= truth <= high
    return held / draws


def covers_seeds(patients, seeds, *, draws, spread=0.05):
    """The same for the mean over seeds that differ by a standard deviation ``spread``."""
    truth = float(expit(np.random.default_rng(9).normal(1, 1, MANY)).mean())
    rng, groups, held = np.random.default_rng(0), {'s': np.zeros(patients, int)}, 0
    for _ in range(draws):
        base = expit(rng.normal(1, 1, patients))
        shifts = rng.normal(0, spread, seeds)
        noise = rng.normal(0, 0.05, (seeds, patients))
        scores = [
            slice_mean(base + s + n, np.ones(patients)) for s, n in zip(shifts, noise, strict=True)
        ]
        low, high, _ = score_intervals(scores, patients, groups)['s']
        held += low <= truth <= high
    return held / draws


def even_pair(rng, n):
    """Patients differ in how hard they are, and each system misses one in ten."""
    hard = rng.beta(6, 3, n)
    missed = rng.random((2, n)) < 0.1
    return np.where(missed, 0, np.clip(hard + rng.normal(0, 0.08, (2, n)), 0, 1) * 0.9)


def skewed_pair(rng, n):
    """One system wins much on few patients, and loses a little on the others."""
    return 0.3 + rng.exponential(0.1, n), np.full(n, 0.4)


def differences_hold(n, *, draws, gain=0.1, pair=even_pair):
    """Share of intervals of a paired difference that hold it, and of p-values up to 0.05.

    With ``gain`` 0 the second is the error of the test.
    """
    rng, groups, held, found = np.random.default_rng(0), {'s': np.zeros(n, int)}, 0, 0
    for _ in range(draws):
        a, b = pair(rng, n)
        systems = ([slice_mean(values, np.ones(n))] for values in (a + gain, b))
        _, interval, p_value = difference_intervals(*systems, n, groups)['s']
        held += interval.low <= gain <= interval.high
        found += p_value <= 0.05
    return held / draws, found / draws


def _bootstrapped(method):
    def ends(values):
        if np.ptp(values) == 0:
            return values[0], values[0]
        found = bootstrap((values,), np.mean, n_resamples=1000, method=method, random_state=0)
        return found.confidence_interval

    return ends


def _student(to, back, slope):
    """Student's t of the mean after a transform, whose slope carries its error over."""

    def ends(values):
        mean, n = np.clip(values.mean(), 1e-6, 1 - 1e-6), len(values)
        reach = t(n - 1).ppf(0.975) * values.std(ddof=1) / np.sqrt(n) * slope(mean)
        return back(to(mean) - reach), back(to(mean) + reach)

    return ends


def _with_coin(values):
    """Ours with n - 1 degrees of freedom and a third of a patient more, who is a coin."""
    mean, n = values.mean(), len(values)
    variance = (n * values.var(ddof=1) + (1 - mean) * mean / 3) / (n + 1 / 3) / n
    return _in_unit(mean, variance, t(n - 1).ppf(0.975), n)


RIVALS = {
    "Student's t": _student(lambda x: x, lambda x: x, lambda x: 1),
    't of the logit': _student(logit, expit, lambda x: 1 / (x * (1 - x))),
    't of the arcsine': _student(
        lambda x: np.arcsin(np.sqrt(x)),
        lambda x: np.sin(np.clip(x, 0, np.pi / 2)) ** 2,
        lambda x: 0.5 / np.sqrt(x * (1 - x)),
    ),
    'a coin more': _with_coin,
    'percentile': _bootstrapped('percentile'),
    'BCa': _bootstrapped('BCa'),
}
"""Other intervals of a mean of values, (n,) to low and high."""


def _covers_rival(draw, n, ends, draws):
    truth = draw(np.random.default_rng(99), MANY).mean()
    rng, held = np.random.default_rng(0), 0
    for _ in range(draws):
        low, high = ends(draw(rng, n))
        held += low <= truth + 1e-9 and truth - 1e-9 <= high
    return held / draws


def _show(name, shares):
    print(f'{name:45}' + ''.join(f'{100 * share:8.1f}' for share in shares), flush=True)  # noqa: T201


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--draws', type=int, default=2000)
    parser.add_argument('--rivals', action='store_true', help='other intervals of a mean too')
    args = parser.parse_args()
    many = dict(draws=args.draws)
    _show('patients (of each class for class scores)', [n / 100 for n in SIZES])
    for name, make in MEANS.items():
        truth = truth_of(make)
        _show(name, [covers(make, n, truth=truth, **many) for n in SIZES])
    _show('pooled Dice', [covers(pooled_dice, n, name=POOLED, **many) for n in SIZES])
    _show('distance in mm', [covers(distances, n, name='s_mm_', **many) for n in SIZES])
    for metric in ('auc_macro', 'sensitivity_macro', 'specificity_macro'):
        _show(metric, [covers_classes([n] * 3, metric, **many) for n in SIZES])
    for seeds in (2, 3, 5):
        _show(f'mean over {seeds} seeds', [covers_seeds(n, seeds, **many) for n in SIZES])
    for name, make in AREAS.items():
        truth = truth_of(make, 'aurc')
        _show(name, [covers(make, n, name='aurc', truth=truth, **many) for n in SIZES])
    for pair in (even_pair, skewed_pair):
        held, found = zip(
            *(differences_hold(n, gain=0, pair=pair, **many) for n in SIZES), strict=True
        )
        _show(f'paired difference, {pair.__name__}', held)
        _show(f'p > 0.05 where nothing differs, {pair.__name__}', [1 - share for share in found])
    for rival, ends in RIVALS.items() if args.rivals else ():
        for name, draw in VALUES.items():
            shares = [_covers_rival(draw, n, ends, args.draws // 2) for n in SIZES]
            _show(f'{rival}: {name}', shares)


if __name__ == '__main__':
    main()
