"""Layers: functions with memory; each takes a batch forward and the gradient of a loss back."""

from nnlib.layers.activation import Activation
from nnlib.layers.dense import Dense
from nnlib.layers.dropout import Dropout
from nnlib.layers.layer import Layer
from nnlib.layers.maxout import CReLU, Maxout
from nnlib.layers.rectifiers import PReLU, RReLU

__all__ = ["Activation", "CReLU", "Dense", "Dropout", "Layer", "Maxout", "PReLU", "RReLU"]
