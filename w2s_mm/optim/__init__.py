"""Optimizers that the MM stack does not have: Muon for convolutional networks."""

from .constructor import MuonConstructor
from .muon import MuonWithAdamW

__all__ = ['MuonConstructor', 'MuonWithAdamW']
