"""Metrics: numbers that people read, where losses are numbers that training descends."""

import math

import numpy as np


def predicted_classes(output):
    """Class numbers (N,) from logits or probabilities (N, K), from logits (N,) or (N, 1) of a yes, or from classes.

    -1, no class, where a row has a NaN: a network that diverged predicts nothing.
    """
    output = np.asarray(output)
    if output.dtype.kind not in "iubf":
        raise TypeError(f"predictions are real numbers, got dtype {output.dtype}")
    if output.ndim not in (1, 2):
        raise ValueError(f"predictions are (N, K), (N, 1) or (N,), got {output.shape}")
    if output.ndim == 2 and output.shape[1] > 1:
        classes = output.argmax(axis=1)
    else:
        output = output.reshape(len(output))
        classes = output if output.dtype.kind in "iub" else (output > 0.0).astype(np.int64)
    if output.dtype.kind == "f" and output.size and math.isnan(output.max()):
        classes[np.isnan(output.reshape(len(output), -1)).any(axis=1)] = -1
    return classes


def accuracy(output, target):
    """Share of the rows whose largest output is the target class; a row with a NaN is never right.

    Parameters
    ----------
    output : ndarray (N, K), (N, 1) or (N,)
        Logits; with one column, above 0 means class 1.  Or class numbers (N,) of int.
    target : ndarray (N,) or (N, 1) of class numbers, or (N, K) of one-hot rows.
    """
    output, target = np.asarray(output), np.asarray(target)
    predicted = predicted_classes(output)
    if target.ndim not in (1, 2) or len(predicted) != len(target):
        raise ValueError(f"accuracy takes one target per output, got {output.shape} outputs and {target.shape} targets")
    if not len(target):
        raise ValueError("accuracy takes at least one example, got none")
    one_hot = target.ndim == 2 and target.shape[1] > 1
    if one_hot and target.shape != output.shape:
        raise ValueError(f"one-hot rows are of the shape of the outputs, {output.shape}, got {target.shape}")
    labels = target.argmax(axis=1) if one_hot else target.reshape(len(target))
    if labels.dtype.kind not in "iubf" or not (labels == np.floor(labels)).all():
        raise TypeError(f"class numbers are whole numbers, got {labels.dtype}, for example {labels[0]!r}")
    n_classes = output.shape[1] if output.ndim == 2 and output.shape[1] > 1 else 2
    known = output.dtype.kind == "f" or output.ndim == 2  # class numbers for an output do not say how many there are
    if known and not 0 <= labels.min() <= labels.max() < n_classes:
        raise ValueError(f"class numbers go from 0 to {n_classes - 1}, got {labels.min()} to {labels.max()}")
    return float(np.mean(predicted == labels))
