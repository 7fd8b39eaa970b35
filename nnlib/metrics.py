"""Metrics: numbers that people read, where losses are numbers that training descends."""

import numpy as np


def predicted_classes(output):
    """Class numbers (N,) from logits or probabilities (N, K), from logits (N,) or (N, 1) of a yes, or from classes."""
    output = np.asarray(output)
    if output.ndim == 2 and output.shape[1] > 1:
        return output.argmax(axis=1)
    output = output.reshape(len(output))
    return output if output.dtype.kind in "iub" else (output > 0.0).astype(np.int64)


def accuracy(output, target):
    """Share of the rows whose largest output is the target class.

    Parameters
    ----------
    output : ndarray (N, K), (N, 1) or (N,)
        Logits; with one column, above 0 means class 1.  Or class numbers (N,) of int.
    target : ndarray (N,) or (N, 1) of class numbers, or (N, K) of one-hot rows.
    """
    predicted, target = predicted_classes(output), np.asarray(target)
    target = target.argmax(axis=1) if target.ndim == 2 and target.shape[1] > 1 else target.reshape(len(target))
    if predicted.shape != target.shape:
        raise ValueError(
            f"accuracy takes one target per output, got {len(predicted)} outputs and {len(target)} targets"
        )
    if not len(target):
        raise ValueError("accuracy takes at least one example, got none")
    return float(np.mean(predicted == target))
