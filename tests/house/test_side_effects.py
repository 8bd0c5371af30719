"""Clocks, generators, clean-up, texts and looks: what no number of a result shows."""

import copy
import dataclasses
import io
import math
import random
import re
import sys
import time

import matplotlib
import networkx as nx
import numpy as np
import pyro
import pytest
import torch
from helpers.small import binary, make_pair, quiet
from matplotlib.colors import to_hex
from pyro import distributions as dist
from pyro.infer import JitTrace_ELBO

import pyrogen as pg
from pyrogen import progress
from pyrogen.evaluation import scores as scores_module
from pyrogen.nn.dictionary import MOST_ROWS, largest_eigenvalue
from pyrogen.plots.canvas.style import COLORS
from pyrogen.training import checkpointer as keeping


def test_the_clock_of_checkpoints_starts_anew_at_each(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(keeping.time, "monotonic", lambda: now[0])
    keeper = keeping.Checkpointer(tmp_path, None, {}, False)
    steps = []
    original = keeping.Checkpointer.save

    def save(self, run):
        original(self, run)
        steps.append(run.step)

    monkeypatch.setattr(keeping.Checkpointer, "save", save)
    keeper.close()
    ticks = iter(range(0, 10_000, 11))
    monkeypatch.setattr(keeping.time, "monotonic", lambda: float(next(ticks)))
    quiet(make_pair(), binary(), steps=12, checkpoint=tmp_path)
    assert len(steps) <= 6  # 11 seconds a look: every third step or so, and not each


def test_a_history_speaks_of_its_last_steps():
    history = pg.training.History(("objective",))
    history.append(np.column_stack([np.zeros((300, 4)), np.repeat([500.0, 7.0], [200, 100])]))
    assert "objective 7.00" in repr(history)
    assert "last 100" in repr(history)


def test_a_csv_is_replaced_whole(tmp_path, monkeypatch):
    history = pg.training.History(("objective",))
    history.append(np.ones((3, 5)))
    history.to_csv(tmp_path / "a.csv")
    content = (tmp_path / "a.csv").read_bytes()

    def refuse(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(OSError, match="No space"):
        history.to_csv(tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_the_bar_shows_the_mean_of_the_last_steps_and_only_if_asked(capfd):
    pair = make_pair()
    fit = quiet(pair, binary(), steps=50, progress=True, lr=1e-6)
    shown = [float(value) for value in re.findall(r"objective (\d+\.\d+)", capfd.readouterr().err)]
    assert shown
    assert shown[-1] == pytest.approx(fit.history["objective"].mean(), abs=0.01)
    quiet(make_pair(), binary(), steps=20, progress=False)
    assert capfd.readouterr().err == ""


def test_a_bar_in_a_log_file_writes_twice_a_minute(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress.progress_bar(total=3, shown=True) as bar:
        assert bar.mininterval == 30.0


def test_a_copy_of_a_frozen_gamma_pair_stays_frozen():
    pair = pg.models.GammaExponential()
    pair.log_theta.requires_grad_(False)
    assert not copy.deepcopy(pair).log_theta.requires_grad
    assert copy.deepcopy(pg.models.GammaExponential()).log_theta.requires_grad


def test_a_dictionary_starts_from_rows_of_everywhere():
    dictionary = pg.nn.Dictionary(2, atoms=3)
    x = torch.zeros(MOST_ROWS + 5000, 2)
    x[MOST_ROWS:] = torch.tensor([3.0, 4.0])
    dictionary.initialize(x)
    assert dictionary.bias.abs().max() > 0.1  # a fifth of the rows; none of the first ones


def test_the_largest_eigenvalue_is_as_sharp_as_its_type():
    d = torch.diag(torch.tensor([1.0, 1.0 - 1e-9, 0.5], dtype=torch.float64))
    close = torch.diag(torch.tensor([1.0, 0.9999999, 0.5], dtype=torch.float64))
    assert largest_eigenvalue(close).item() == pytest.approx(1.0, abs=1e-12)
    assert largest_eigenvalue(d).item() == pytest.approx(1.0, abs=1e-8)


def test_each_step_of_lista_has_its_own_threshold():
    torch.manual_seed(0)
    lista = pg.nn.LISTA(pg.nn.Dictionary(4, atoms=5), steps=3)
    x = torch.randn(6, 4)
    with torch.no_grad():
        before = lista.code(x, 0.1)
        lista.log_gain[-1] += 3.0
        assert not torch.equal(before, lista.code(x, 0.1))


def test_a_metric_is_printed_with_its_estimator():
    score = pg.metrics.mig(np.eye(20)[:, :3] + np.arange(20)[:, None], np.arange(20)[:, None] % 2)
    scores = pg.evaluate(make_pair(), binary(), images=20, nll_images=2, importance_samples=2, progress=False)
    printed = str(dataclasses.replace(scores, metrics={"mig": score}))
    assert "by the histogram estimator" in printed


def test_infinities_in_lists_are_none_in_json():
    assert scores_module._finite({"a": [1.0, math.inf, [math.nan]]}) == {"a": [1.0, None, [None]]}


def test_items_count_from_the_end_as_far_as_the_first():
    data = pg.datasets.Digits()
    assert torch.equal(data[-len(data)][0], data[0][0])
    with pytest.raises(IndexError):
        data[-len(data) - 1]


def test_a_picture_without_alt_text_is_read_by_its_caption():
    report = pg.report.Report("title")
    report.figure(pg.plots.samples(torch.rand(2, 1, 4, 4)), "one", caption="Two samples")
    assert report._blocks[-1].alt == "Two samples"


def test_a_permuted_deviation_is_that_of_a_sample():
    x, y = np.random.default_rng(0).normal(size=(2, 12, 1))
    two = pg.metrics.energy_distance(x, y, permutations=2, seed=0).details["permuted_std"]
    many = pg.metrics.energy_distance(x, y, permutations=1, seed=0).details["permuted_std"]
    assert many is None
    first = pg.metrics.energy_distance(x, y, permutations=1, seed=0).details["permuted_mean"]
    mean = pg.metrics.energy_distance(x, y, permutations=2, seed=0).details["permuted_mean"]
    assert two == pytest.approx(abs(first - mean) * math.sqrt(2), rel=1e-6)  # of two values, with n − 1


def test_the_bandwidth_of_the_heuristic_is_called_so():
    x, y = np.random.default_rng(0).normal(size=(2, 12, 1))
    assert pg.metrics.squared_mmd(x, y).settings["heuristic"] == "median"
    assert pg.metrics.squared_mmd(x, y, bandwidth=1.0).settings["heuristic"] is None


def test_two_thirds_of_the_rows_train_rounded_up():
    codes = np.random.default_rng(0).normal(size=(100, 2))
    settings = pg.metrics.sap(codes, np.arange(100)[:, None] % 2, seed=0).settings
    assert settings["train"] == 67


def test_runs_keep_their_color_whatever_terms_they_have():
    plain, with_term = pg.training.History(("objective",)), pg.training.History(("objective", "kl"))
    plain.append(np.random.default_rng(0).random((20, 5)))
    with_term.append(np.random.default_rng(0).random((20, 6)))
    figure = pg.plots.loss_curves({"a": plain, "b": with_term}, terms=["objective", "kl"])
    first, second = ({to_hex(line.get_color()) for line in axes.lines} for axes in figure.axes[:2])
    assert first == {to_hex(COLORS[0]), to_hex(COLORS[1])}
    assert second == {to_hex(COLORS[1])}


def test_the_last_iterates_are_the_shaded_ones():
    figure = pg.plots.elbo_paths({"a": lambda t: -((t - 1) ** 2)}, {"a": np.linspace(2, 1, 50)}, {"a": 1.0}, average=10)
    spans = [patch.get_extents().transformed(figure.axes[1].transData.inverted()) for patch in figure.axes[1].patches]
    assert [(round(span.x0), round(span.x1)) for span in spans] == [(40, 50)]


def test_numbers_stand_out_from_their_cells():
    figure = pg.plots.mutual_information(np.array([[1.0, 0.2], [0.3, 0.9]]), ["a", "b"])
    colors = {text.get_text(): text.get_color() for text in figure.axes[0].texts}
    assert colors == {"1.00": "black", "0.90": "black", "0.20": "white", "0.30": "white"}  # cividis ends in yellow


def test_an_edge_beside_the_trail_is_no_part_of_it():
    dag = nx.DiGraph([("a", "b"), ("b", "c"), ("a", "c")])
    figure = pg.plots.graph(dag, trail=["a", "b", "c"])
    arrows = [patch for patch in figure.axes[0].patches if type(patch).__name__ == "FancyArrowPatch"]
    widths = sorted(arrow.get_linewidth() for arrow in arrows)
    assert widths[0] < widths[1] == widths[2]


def test_a_style_of_ones_own_does_not_change_our_figures():
    images = torch.rand(2, 1, 4, 4)
    usual = pg.plots.kl_per_latent(np.array([0.1, 2.0])).axes[0].xaxis.label.get_fontsize()
    with matplotlib.rc_context({"axes.titlepad": 77.0, "axes.labelpad": 55.0, "lines.dash_capstyle": "round"}):
        figure = pg.plots.kl_per_latent(np.array([0.1, 2.0]))
        assert figure.axes[0].xaxis.labelpad != 55.0
        assert matplotlib.rcParams["axes.labelpad"] == 55.0
    assert usual == figure.axes[0].xaxis.label.get_fontsize()
    assert len(images) == 2


def test_a_claim_without_an_answer_is_not_right():
    from pyrogen.exercises.results import Row, Verdicts

    rows = [Row("k", "c", "s", "c", agrees, (), {"one": 1, "two": 1}) for agrees in (True, None, False)]
    counted = Verdicts("t", tuple(rows)).to_dict()
    assert (counted["right"], counted["wrong"]) == (1, 1)


def test_a_long_table_says_how_many_rows_it_has():
    states = {name: tuple("abcd") for name in ("u", "v", "w", "x")}
    posterior = pg.graphs.Posterior(states, np.full((4,) * 4, 4.0**-4))
    assert "256 rows in all" in str(posterior)


def test_parents_are_married_by_all_their_children():
    from pyrogen.exercises.explanations import married

    said = married(nx.DiGraph([("a", "c"), ("b", "c"), ("a", "d"), ("b", "d")]), "a", "b")
    assert "c" in said.split("parents of")[1]
    assert "d" in said.split("parents of")[1]


def model(x):
    z = pyro.sample("z", dist.Normal(0.0, 1.0))
    with pyro.plate("data", len(x)):
        pyro.sample("x", dist.Normal(z, 1.0), obs=x)


def guide(x):
    pyro.sample("z", dist.Normal(pyro.param("loc", torch.tensor(0.0)), 0.5))


def test_the_false_alarm_rate_is_shared_among_all_tests(monkeypatch):
    from pyrogen.testing.posterior import compare as module

    rates = []
    original = module._by_draws

    def watched(name, own, answer, rate, *rest):
        rates.append(rate)
        return original(name, own, answer, rate, *rest)

    monkeypatch.setattr(module, "_by_draws", watched)
    answers = {"z": torch.randn(200)}
    pg.testing.compare(model, guide, (torch.zeros(3),), exact=answers, num_samples=200, false_alarm=1e-3)
    assert all(rate < 1e-3 for rate in rates)


def test_a_run_begins_with_all_generators_set(monkeypatch):
    from pyrogen.testing.running.programs import Tested

    drawn = []

    def drawing(x):
        drawn.append((np.random.rand(), random.random(), torch.rand(()).item()))  # noqa: NPY002
        guide(x)

    tested = Tested.__new__(Tested)
    object.__setattr__(tested, "seed", 5)
    object.__setattr__(tested, "deadline", time.monotonic() + 60)
    for _ in range(2):
        Tested.start(tested, 3)
        drawing(torch.zeros(2))
    assert drawn[0] == drawn[1]


def test_a_compiled_loss_keeps_its_particles():
    from pyrogen.testing.running import programs

    source = JitTrace_ELBO(num_particles=7, vectorize_particles=True, max_plate_nesting=1)
    holder = type("Holder", (), {"evaluates": True, "loss": source})()
    assert programs.Tested.elbo(holder).num_particles == 7


def test_axes_of_ppca_point_to_their_largest_entry():
    x = np.random.default_rng(0).normal(size=(60, 4)) * np.array([4.0, 3.0, 2.0, 1.0])
    for data in (x, -x):
        axes = pg.oracles.ppca.optimum(data, 3, 0.5).axes
        assert (axes[np.abs(axes).argmax(0), range(axes.shape[1])] > 0).all()
