"""Losses: a row each, with the targets they take, the formula for mpmath, and PyTorch's function."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nnlib import losses
from registry.cases import Case, between, grid


def numbers(rng, n, k):
    """Outputs for most losses: never on a kink, the same in float32."""
    return 2.0 * between(rng, n, k)


@dataclass(frozen=True)
class Row:
    """One loss.

    Parameters
    ----------
    loss : callable
        ``loss(output, target)`` gives the mean over the batch and its gradient.
    targets : callable
        ``targets(rng, n, k)``: for n rows of k outputs; None where the loss takes no targets.
    torch : callable
        ``torch(F, output, target)``: the value by ``torch.nn.functional``, or its formula where PyTorch has none.
    exact : callable
        ``exact(m, z, t)``: the formula for one row of outputs z = (z, 0, ...) with the functions of ``m``, which is
        mpmath, for the target t; none where the loss is no function of one number.
    at : tuple
        The targets t at which rounding is measured.
    kinks : callable
        ``kinks(t)``: the outputs at which it has a kink for the target t; none where it has none.
    outputs : callable
        ``outputs(rng, n, k)``, where not any numbers will do.
    n, k : int
        Rows, and outputs in a row; k where the loss fixes it.
    group : int
        How many rows belong together and share a target; 1: each row is an example.
    shift : bool
        Whether a common shift of a row's outputs changes nothing, as for logits.
    ulp : tuple
        How many units in the last place of max(1, |value|) value and gradient may err: in float32, in float64.
    """

    name: str
    loss: Callable
    targets: Callable
    torch: Callable | None = None
    exact: Callable | None = None
    at: tuple = ()
    kinks: Callable | None = None
    outputs: Callable = numbers
    n: int = 7
    k: int | None = None
    group: int = 1
    shift: bool = False
    ulp: tuple = (4, 4)

    def case(self):
        def draw(rng):
            k = self.k or 3
            inputs = {"output": self.outputs(rng, self.n, k)}
            target = self.targets(rng, self.n, k)
            return inputs if target is None else {**inputs, "target": target}

        def theirs(torch, i):
            output = i["output"].clone().requires_grad_()
            value = self.torch(torch.nn.functional, output, i.get("target"))
            value.backward()
            return {"value": value.detach(), "gradient": output.grad}

        return Case(
            draw=draw,
            ours=lambda i, dtype: dict(
                zip(("value", "gradient"), self.loss(i["output"].astype(dtype), i.get("target")))
            ),
            theirs=theirs,
        )


def real(rng, n, k):
    return grid(rng, n, k)


def signs(rng, n, k):
    return rng.choice([-1.0, 1.0], (n, k))


def shares(rng, n, k):
    return np.round(64.0 * rng.random((n, k))) / 64.0


def classes(rng, n, k):
    return rng.integers(0, k, n)


def distributions(rng, n, k):
    return rng.multinomial(64, np.full(k, 1.0 / k), n) / 64.0


CLASS_WEIGHTS = [0.2, 1.0, 3.0]


def large_margin_outputs(rng, n, k):
    """What AngularDense gives: products of rows and classes, then minus the products of their lengths."""
    lengths = rng.uniform(0.5, 3.0, (n, k))
    return np.concatenate([lengths * rng.uniform(-0.99, 0.99, (n, k)), -lengths], axis=1)


# --- formulas that PyTorch does not have, differentiated by its autograd ----------------------------------------------


def focal(F, output, target, gamma):
    """Eq. 4 of Lin et al. 2017."""
    log_p = -F.cross_entropy(output, target, reduction="none")
    return -((1.0 - log_p.exp()) ** gamma * log_p).mean()


def contrastive(output, same, margin):
    """Eq. 4 of Hadsell et al. 2006."""
    d = (output[0::2] - output[1::2]).norm(dim=1)
    return (same * d**2 + (1 - same) * (margin - d).clamp(min=0.0) ** 2).mean() / 2.0


def distillation(F, output, target, temperature=3.0):
    log_p, log_q = (output / temperature).log_softmax(1), (target / temperature).log_softmax(1)
    return temperature**2 * F.kl_div(log_p, log_q, reduction="batchmean", log_target=True)


def log_p(m, z, t):
    """log of the softmax of (z, 0) at class t."""
    return -m.log1p(m.exp(-z if t == 0 else z))


LOSSES = [
    Row(
        "mean_squared_error",
        losses.mean_squared_error,
        real,
        lambda F, output, target: F.mse_loss(output, target),
        lambda m, z, t: (z - t) ** 2,
        at=(0.0, 0.75),
    ),
    Row(
        "mean_absolute_error",
        losses.mean_absolute_error,
        real,
        lambda F, output, target: F.l1_loss(output, target),
        lambda m, z, t: abs(z - t),
        at=(0.0, 0.75),
        kinks=lambda t: (t,),
    ),
    Row(
        "huber",
        losses.huber,
        real,
        lambda F, output, target: F.huber_loss(output, target),
        lambda m, z, t: (z - t) ** 2 / 2 if abs(z - t) <= 1 else abs(z - t) - m.mpf(0.5),
        at=(0.0, 0.75),
    ),
    Row(
        "huber, delta 0.7",
        losses.huber(delta=0.7),
        real,
        lambda F, output, target: F.huber_loss(output, target, delta=0.7),
    ),
    Row(
        "hinge",
        losses.hinge,
        signs,
        lambda F, output, target: F.hinge_embedding_loss(output * target, -output.new_ones(output.shape)),
        lambda m, z, t: max(m.mpf(0), 1 - t * z),
        at=(-1.0, 1.0),
        kinks=lambda t: (t,),
    ),
    Row(
        "binary_cross_entropy",
        losses.binary_cross_entropy,
        shares,
        lambda F, output, target: F.binary_cross_entropy_with_logits(output, target),
        lambda m, z, t: m.log1p(m.exp(z)) - t * z,
        at=(0.0, 0.25, 1.0),
        ulp=(8, 12),  # far out, z - t z + log(1 + exp(-|z|)) rounds as z does
    ),
    Row(
        "softmax_cross_entropy, class numbers",
        losses.softmax_cross_entropy,
        classes,
        lambda F, output, target: F.cross_entropy(output, target),
        lambda m, z, t: -log_p(m, z, t),
        at=(0, 1),
        shift=True,
    ),
    Row(
        "softmax_cross_entropy, distributions",
        losses.softmax_cross_entropy,
        distributions,
        lambda F, output, target: F.cross_entropy(output, target),
        shift=True,
    ),
    Row(
        "softmax_cross_entropy, class weights",
        losses.softmax_cross_entropy(weights=CLASS_WEIGHTS),
        classes,
        lambda F, output, target: F.cross_entropy(output, target, output.new_tensor(CLASS_WEIGHTS)),
        k=3,
        shift=True,
    ),
    Row(
        "softmax_cross_entropy, smoothed",
        losses.softmax_cross_entropy(label_smoothing=0.2),
        classes,
        lambda F, output, target: F.cross_entropy(output, target, label_smoothing=0.2),
        shift=True,
    ),
    Row(
        "softmax_cross_entropy, smoothed distributions",
        losses.softmax_cross_entropy(label_smoothing=0.2),
        distributions,
        lambda F, output, target: F.cross_entropy(output, target, label_smoothing=0.2),
        shift=True,
    ),
    Row(
        "softmax_cross_entropy, smoothed and weighted",
        losses.softmax_cross_entropy(weights=CLASS_WEIGHTS, label_smoothing=0.2),
        classes,
        lambda F, output, target: F.cross_entropy(
            output, target, output.new_tensor(CLASS_WEIGHTS), label_smoothing=0.2
        ),
        k=3,
        shift=True,
    ),
    Row(
        "focal",
        losses.focal,
        classes,
        lambda F, output, target: focal(F, output, target, 2.0),
        lambda m, z, t: -((1 - m.exp(log_p(m, z, t))) ** 2) * log_p(m, z, t),
        at=(0, 1),
        shift=True,
    ),
    *(
        Row(
            f"focal, gamma {gamma}",
            losses.focal(gamma=gamma),
            classes,
            lambda F, output, target, gamma=gamma: focal(F, output, target, gamma),
            shift=True,
        )
        for gamma in (0.0, 0.5, 1.0, 1.5, 3.5)
    ),
    Row("distillation", losses.distillation(temperature=3.0), real, distillation, shift=True),
    *(
        Row(
            f"large_margin_softmax, margin {margin}, ease {ease}",
            losses.large_margin_softmax(margin=margin, ease=ease),
            classes,
            outputs=large_margin_outputs,
            k=3,
        )
        for margin, ease in ((1, 0.0), (2, 0.0), (3, 5.0), (4, 0.0))
    ),
    Row(
        "contrastive",
        losses.contrastive(margin=2.5),
        lambda rng, n, k: np.arange(n // 2) % 2,
        lambda F, output, target: contrastive(output, target, 2.5),
        n=8,
        group=2,
    ),
    Row(
        "triplet",
        losses.triplet(margin=0.5),
        lambda rng, n, k: None,
        lambda F, output, target: F.triplet_margin_with_distance_loss(
            output[0::3], output[1::3], output[2::3], distance_function=lambda u, v: ((u - v) ** 2).sum(1), margin=0.5
        ),
        n=12,
        group=3,
    ),
]
