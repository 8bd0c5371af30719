"""Callbacks: what runs after each training step."""

from pyrogen.training.callbacks.csv_log import CsvLog
from pyrogen.training.callbacks.early_stopping import EarlyStopping
from pyrogen.training.callbacks.keep_best import KeepBest
from pyrogen.training.callbacks.moving_average import MovingAverage
from pyrogen.training.callbacks.state import Callback, State
from pyrogen.training.callbacks.tensorboard import TensorBoard

__all__ = ["Callback", "CsvLog", "EarlyStopping", "KeepBest", "MovingAverage", "State", "TensorBoard"]
