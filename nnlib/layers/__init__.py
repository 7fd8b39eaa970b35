"""Layers: functions with memory; each takes a batch forward and the gradient of a loss back.

Every file says in its ``__all__`` which layers are public.
"""
# ruff: noqa: F403

from nnlib.foreign import no_attribute
from nnlib.layers import (
    activation,
    angular,
    convolution,
    dense,
    dropout,
    layer,
    maxout,
    noise,
    normalization,
    rectifiers,
    recurrent,
    shape,
)
from nnlib.layers.activation import *
from nnlib.layers.angular import *
from nnlib.layers.convolution import *
from nnlib.layers.dense import *
from nnlib.layers.dropout import *
from nnlib.layers.layer import *
from nnlib.layers.maxout import *
from nnlib.layers.noise import *
from nnlib.layers.normalization import *
from nnlib.layers.rectifiers import *
from nnlib.layers.recurrent import *
from nnlib.layers.shape import *

_FILES = (
    activation,
    angular,
    convolution,
    dense,
    dropout,
    layer,
    maxout,
    noise,
    normalization,
    rectifiers,
    recurrent,
    shape,
)
__all__ = [name for file in _FILES for name in file.__all__]


def __getattr__(name):
    raise no_attribute("nnlib.layers", name)
