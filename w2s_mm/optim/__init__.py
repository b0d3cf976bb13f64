"""Optimizers that the stack lacks: Muon for networks of convolutions."""

from .constructor import MuonConstructor
from .muon import MuonWithAdamW

__all__ = ['MuonConstructor', 'MuonWithAdamW']
