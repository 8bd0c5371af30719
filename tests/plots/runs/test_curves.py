"""Curves of training with held-out terms."""

import numpy as np
from helpers.small import binary, make_pair, quiet

from pyrogen.plots import loss_curves


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
