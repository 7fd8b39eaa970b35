"""Layers: functions with memory; each takes a batch forward and the gradient of a loss back."""

from nnlib.foreign import no_attribute
from nnlib.layers.activation import Activation
from nnlib.layers.angular import AngularDense
from nnlib.layers.convolution import AveragePool2D, Conv2D, GlobalAveragePool2D, MaxPool2D
from nnlib.layers.dense import Dense, NTKDense
from nnlib.layers.dropout import Dropout
from nnlib.layers.layer import Layer
from nnlib.layers.maxout import CReLU, Maxout
from nnlib.layers.noise import DropConnect, GaussianNoise
from nnlib.layers.normalization import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm
from nnlib.layers.rectifiers import PReLU, RReLU
from nnlib.layers.recurrent import GRU, LSTM, RNN, Embedding
from nnlib.layers.shape import Flatten, Residual

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Activation",
    "AngularDense",
    "AveragePool2D",
    "BatchNorm",
    "CReLU",
    "Conv2D",
    "Dense",
    "DropConnect",
    "Dropout",
    "Embedding",
    "Flatten",
    "GaussianNoise",
    "GlobalAveragePool2D",
    "GroupNorm",
    "InstanceNorm",
    "Layer",
    "LayerNorm",
    "MaxPool2D",
    "Maxout",
    "NTKDense",
    "PReLU",
    "RMSNorm",
    "RReLU",
    "Residual",
]


def __getattr__(name):
    raise no_attribute("nnlib.layers", name)
