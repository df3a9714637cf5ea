"""A small convolutional network in PyTorch, on a GPU where there is one: `entrypoint: examples.pytorch:train`."""

from __future__ import annotations

from .training import train

__all__ = ["train"]
