"""Metrics: numbers that people read, where losses are numbers that training descends."""

import math

import numpy as np


def predicted_classes(output):
    """Class numbers (...) from logits or probabilities (..., K), from logits (..., 1) or (N,), or from class numbers.

    -1, no class, where a row has a NaN: a network that diverged predicts nothing.
    """
    output = np.asarray(output)
    if output.dtype.kind not in "iubf":
        raise TypeError(f"predictions are real numbers, got dtype {output.dtype}")
    if not output.ndim:
        raise ValueError("predictions are (..., K), (..., 1) or (N,), got a single number")
    if output.ndim == 1:
        output = output[:, np.newaxis]
    if output.shape[-1] > 1:
        classes = output.argmax(axis=-1)
    else:
        classes = output[..., 0] if output.dtype.kind in "iub" else (output[..., 0] > 0.0).astype(np.int64)
    if output.dtype.kind == "f" and output.size and math.isnan(output.max()):
        classes[np.isnan(output).any(axis=-1)] = -1
    return classes


def accuracy(output, target):
    """Share of the rows whose largest output is the target class; a row with a NaN is never right.

    Parameters
    ----------
    output : ndarray (..., K), (..., 1) or (N,)
        Logits; with one column, above 0 means class 1.  Or class numbers (N,) of int.
    target : ndarray (...) or (..., 1) of class numbers, or (..., K) of one-hot rows.
    """
    output, target = np.asarray(output), np.asarray(target)
    predicted = predicted_classes(output)
    rows = target.ndim == predicted.ndim + 1  # (..., 1) or one-hot
    if not target.ndim or (target.shape[:-1] if rows else target.shape) != predicted.shape:
        raise ValueError(f"accuracy takes one target per output, got {output.shape} outputs and {target.shape} targets")
    if not target.size:
        raise ValueError("accuracy takes at least one example, got none")
    if rows and target.shape[-1] > 1:
        if target.shape != output.shape:
            raise ValueError(f"one-hot rows are of the shape of the outputs, {output.shape}, got {target.shape}")
        labels = target.argmax(axis=-1)
    else:
        labels = target[..., 0] if rows else target
    if labels.dtype.kind not in "iubf" or not (labels == np.floor(labels)).all():
        raise TypeError(f"class numbers are whole numbers, got {labels.dtype}, for example {labels.flat[0]!r}")
    n_classes = output.shape[-1] if output.ndim > 1 and output.shape[-1] > 1 else 2
    known = output.dtype.kind == "f" or output.ndim > 1  # class numbers for an output do not say how many there are
    if known and not 0 <= labels.min() <= labels.max() < n_classes:
        raise ValueError(f"class numbers go from 0 to {n_classes - 1}, got {labels.min()} to {labels.max()}")
    return float(np.mean(predicted == labels))
