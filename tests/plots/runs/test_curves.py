"""Curves of training with held-out terms."""

import numpy as np
from helpers.small import binary, make_pair, quiet
from matplotlib.colors import to_hex

from pyrogen import plots
from pyrogen.plots import loss_curves
from pyrogen.plots.canvas.style import COLORS
from pyrogen.training import History


def test_held_out_terms_are_drawn_at_their_steps():
    history = quiet(make_pair(), binary(), steps=30, validation=binary(20), validate_every=10).history
    figure = loss_curves({"run": history})
    for axes, term in zip(figure.axes, ("objective", "reconstruction", "kl"), strict=True):
        (line,) = [line for line in axes.lines if line.get_gid() == "held out"]
        assert np.asarray(line.get_xdata()).tolist() == [10, 20, 30]
        assert (np.asarray(line.get_ydata()) == history.validation[term]).all()
    assert figure.axes[0].get_ylabel() == history.units == "nats per image"
    history.units = "nats"  # as of programs
    assert loss_curves(history).axes[0].get_ylabel() == "nats"


STEP = np.arange(20.0)


def history(held_out=True):
    made = History(("objective",))
    made.append(np.column_stack([STEP, STEP, STEP, STEP, STEP]))
    made.validation = history(False) if held_out else None
    return made


def test_held_out_terms_have_the_color_of_their_run_and_one_named_run_a_legend():
    figure = plots.loss_curves({"a": history(), "b": history()}, terms=["objective"])
    dashed = [to_hex(line.get_color()) for line in figure.axes[0].lines if line.get_gid() == "held out"]
    assert dashed == [to_hex(COLORS[0]), to_hex(COLORS[1])]
    assert len(plots.loss_curves({"a": history()}, terms=["objective"]).legends) == 1
    assert not plots.loss_curves(history(), terms=["objective"]).legends
