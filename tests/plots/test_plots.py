r"""What the figures draw: panels, labels with units, data equal to the input."""

import io
import pickle
import subprocess
import sys

import matplotlib
import networkx as nx
import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from sklearn.decomposition import PCA

import pyrogen as pg
from pyrogen import plots
from pyrogen.plots.canvas.montage import GAP
from pyrogen.plots.canvas.style import COLORS, FAINT

RNG = np.random.default_rng(0)
STEP = np.arange(1, 401)
HISTORIES = {
    f"β = {beta}": {
        "step": STEP,
        "epoch": STEP / 100,
        "objective": 2800 / STEP + beta + RNG.random(400),
        "reconstruction": 2000 / STEP + RNG.random(400),
        "kl": 30 / beta * (1 - 1 / STEP),
    }
    for beta in (1, 4)
}
IMAGES = RNG.random((6, 1, 8, 10))
SQUARES = RNG.random((8, 64, 64)) > 0.5
CODES = RNG.standard_normal((90, 4)) * [3.0, 2.0, 0.5, 0.1]
LABELS = np.arange(90) % 3
SHAPES = ("square", "ellipse", "heart")


def decode(z):
    return z.sigmoid().mean(1)[:, None, None, None].expand(-1, 1, 5, 6)


def tall(z):
    return torch.zeros(len(z), 16, 8)


EVERY = {
    "loss_curves": lambda: plots.loss_curves(HISTORIES),
    "reconstructions": lambda: plots.reconstructions(SQUARES, {"β = 1": SQUARES, "β = 4": SQUARES, "β = 8": SQUARES}),
    "reconstructions by a long label": lambda: plots.reconstructions(IMAGES, {"a much longer label": IMAGES}),
    "rows by a long label": lambda: plots.image_rows({"several\n" + "words of " * 15: IMAGES}),
    "samples": lambda: plots.samples({"β = 1": IMAGES, "β = 4": IMAGES}),
    "samples of one": lambda: plots.samples(IMAGES),
    "traversals": lambda: plots.traversals(decode, torch.zeros(12), kl=np.arange(12) * 1.5),
    "traversals of one latent": lambda: plots.traversals(decode, torch.zeros(1), steps=2),
    "traversals of tall images": lambda: plots.traversals(tall, torch.zeros(3), steps=2, kl=np.ones(3)),
    "traversals with long labels": lambda: plots.traversals(decode, torch.zeros(10), kl=np.full(10, 1e6)),
    "latent_space": lambda: plots.latent_space({"β = 1": CODES, "β = 4": CODES, "β = 8": CODES}, LABELS),
    "kl_per_latent": lambda: plots.kl_per_latent({"β = 1": RNG.random(20), "β = 4": RNG.random(20)}),
    "mutual_information": lambda: plots.mutual_information(RNG.random((10, 5)), ["orientation", *"abcd"]),
}


def texts(labels):
    return [label.get_text() for label in labels]


def pictures(fig):
    return [np.asarray(ax.get_images()[0].get_array()) for ax in fig.axes]


def tile(picture, row, column, height=8, width=10):
    top, left = row * (height + GAP), column * (width + GAP)
    return picture[top : top + height, left : left + width, 0]


def legend(fig):
    return texts(fig.legends[0].get_texts())


# --- every figure


def test_a_notebook_gets_a_picture_of_a_figure_and_a_copy_too():
    fig, graph = plots.samples(IMAGES), nx.DiGraph(["AB"])
    tables = plots.conditional_tables(pg.graphs.generic_network(graph, RNG))
    for one in (fig, pickle.loads(pickle.dumps(fig)), plots.graph(graph), tables):
        assert one._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", EVERY)
def test_a_figure_is_a_small_picture_with_nothing_cut(name):
    fig = EVERY[name]()
    assert isinstance(fig, matplotlib.figure.Figure)
    canvas = FigureCanvasAgg(fig)
    canvas.draw()  # the first drawing, as when saved: a second one would mend what the layout got wrong
    drawn, (width, height) = fig.get_tightbbox(canvas.get_renderer()), fig.get_size_inches()
    assert min(drawn.x0, drawn.y0) >= 0
    assert drawn.x1 <= width
    assert drawn.y1 <= height
    file = io.BytesIO()
    fig.savefig(file, format="png")
    assert file.tell() < 300_000


@pytest.mark.parametrize("name", EVERY)
def test_a_figure_leaves_generators_and_the_users_style_alone(name):
    torch_state, numpy_state = torch.get_rng_state(), repr(np.random.get_state())  # noqa: NPY002
    with matplotlib.rc_context({"font.size": 17, "figure.dpi": 33}):
        fig = EVERY[name]()
        assert matplotlib.rcParams["font.size"] == 17
        assert matplotlib.rcParams["figure.dpi"] == 33
    assert fig.dpi == 120
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert repr(np.random.get_state()) == numpy_state  # noqa: NPY002


def test_importing_plots_imports_neither_matplotlib_nor_scikit_learn_and_a_figure_needs_no_pyplot():
    code = (
        "import sys, pyrogen.plots as p, pyrogen.metrics\n"
        "assert not {'matplotlib', 'sklearn'} & set(sys.modules), 'imported too early'\n"
        "p.kl_per_latent([1.0, 2.0]).savefig(__import__('io').BytesIO())\n"
        "p.latent_space([[0.0, 1.0], [1.0, 0.0], [3.0, 2.0]], [0, 1, 2]).savefig(__import__('io').BytesIO())\n"
        "assert 'matplotlib.pyplot' not in sys.modules, 'pyplot'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# --- loss curves


def test_loss_curves_draw_the_three_terms_of_each_run():
    fig = plots.loss_curves(HISTORIES)
    assert [ax.get_title() for ax in fig.axes] == ["Total objective", "Reconstruction term", "KL term"]
    assert fig.axes[0].get_ylabel() == "nats per image"
    assert {ax.get_xlabel() for ax in fig.axes} == {"training step"}
    assert legend(fig) == ["β = 1", "β = 4"]
    for ax, term in zip(fig.axes, ("objective", "reconstruction", "kl"), strict=True):
        raw, smoothed = ax.lines[0::2], ax.lines[1::2]
        assert len(raw) == len(smoothed) == 2
        for line, average, history in zip(raw, smoothed, HISTORIES.values(), strict=True):
            assert (line.get_ydata() == history[term]).all()
            assert (line.get_xdata() == STEP).all()
            expected = [history[term][max(i - 4, 0) : i + 5].mean() for i in range(400)]  # 2% of 400 steps
            assert average.get_ydata() == pytest.approx(np.array(expected))
            assert line.get_color() == average.get_color()
        assert raw[0].get_color() != raw[1].get_color()


def test_the_start_of_training_does_not_flatten_the_rest():
    bottom, top = plots.loss_curves(HISTORIES).axes[0].get_ylim()
    after = np.concatenate([history["objective"][8:] for history in HISTORIES.values()])
    assert bottom < after.min()
    assert after.max() < top < 1.2 * after.max()


def test_a_term_that_a_run_lacks_is_left_out():
    rest = {key: value for key, value in HISTORIES["β = 4"].items() if key != "kl"}
    fig = plots.loss_curves({"β = 1": HISTORIES["β = 1"], "autoencoder": rest})
    assert [len(ax.lines) for ax in fig.axes] == [4, 4, 2]
    assert legend(fig) == ["β = 1", "autoencoder"]
    fig = plots.loss_curves({"autoencoder": rest | {"kl": None}})
    assert texts(fig.axes[2].texts) == ["no such term"]


def test_loss_curves_of_other_terms():
    runs = {"a": HISTORIES["β = 1"] | {"penalty": 2.0 + STEP, "total_correlation": 0.1 * STEP}}
    fig = plots.loss_curves(runs, terms=["objective", "penalty", "total_correlation"])
    assert [ax.get_title() for ax in fig.axes] == ["Total objective", "Penalty −log p(z)", "Total correlation"]
    assert (fig.axes[2].lines[0].get_ydata() == 0.1 * STEP).all()
    with pytest.raises(ValueError, match="terms must be a list of columns"):
        plots.loss_curves(runs, terms=[])
    with pytest.raises(TypeError, match="terms must be a sequence of texts, got 'kl': pass"):
        plots.loss_curves(runs, terms="kl")


def test_a_term_that_is_asked_for_must_be_in_some_run():
    plain = {key: value for key, value in HISTORIES["β = 4"].items() if key != "kl"}
    runs = {"β = 1": HISTORIES["β = 1"], "autoencoder": plain}
    assert [len(ax.lines) for ax in plots.loss_curves(runs, terms=("kl",)).axes] == [2]
    with pytest.raises(ValueError, match=r"which are step, .*objective, reconstruction.*, kl.*, got 'nosuch'"):
        plots.loss_curves(runs, terms=("objective", "nosuch"))
    for alone in (plain, plain | {"kl": None}):
        with pytest.raises(ValueError, match=r"terms must be columns of the runs, .*, got 'kl'"):
            plots.loss_curves(alone, terms=("objective", "kl"))


def test_steps_are_whole_on_the_axis_of_a_short_run():
    short = {key: value[:3] for key, value in HISTORIES["β = 1"].items()}
    for ax in plots.loss_curves(short).axes:
        assert all(tick == round(tick) for tick in ax.get_xticks())


def test_loss_curves_by_epoch():
    fig = plots.loss_curves(HISTORIES, x="epoch")
    assert fig.axes[0].get_xlabel() == "epoch"
    assert (fig.axes[0].lines[0].get_xdata() == STEP / 100).all()


# --- images


@pytest.mark.parametrize("make", [lambda x: x, lambda x: x[:, 0], torch.tensor, lambda x: x.repeat(3, axis=1)])
def test_reconstructions_are_below_their_originals(make):
    models = {"β = 1": make(IMAGES / 2), "β = 4": make(IMAGES / 4)}
    fig = plots.reconstructions(make(IMAGES), models)
    (picture,) = pictures(fig)
    assert picture.shape == (3 * 8 + 2 * GAP, 6 * 10 + 5 * GAP, 3)
    for row, divisor in enumerate((1, 2, 4)):
        for i in range(6):
            assert (tile(picture, row, i) == IMAGES[i, 0] / divisor).all()
    assert texts(fig.axes[0].get_yticklabels()) == ["original", "β = 1", "β = 4"]
    assert fig.axes[0].get_yticks() == pytest.approx([3.5, 3.5 + 8 + GAP, 3.5 + 16 + 2 * GAP])


def test_color_images_keep_their_channels():
    images = RNG.random((2, 3, 4, 5))
    (picture,) = pictures(plots.samples(images, columns=2))
    assert (picture[:, :5] == images[0].transpose(1, 2, 0)).all()


def test_bytes_are_binary_or_up_to_255():
    binary = (IMAGES > 0.5).astype(np.uint8)
    assert (tile(pictures(plots.samples(binary))[0], 0, 0) == binary[0, 0]).all()
    gray = (255 * IMAGES).astype(np.uint8)
    assert tile(pictures(plots.samples(gray))[0], 0, 0) == pytest.approx(gray[0, 0] / 255)


def test_values_outside_the_unit_interval_are_clipped():
    picture = pictures(plots.samples(3 * IMAGES - 1))[0]
    assert (tile(picture, 0, 0) == np.clip(3 * IMAGES[0, 0] - 1, 0, 1)).all()


def test_samples_fill_a_grid_for_each_label_row_by_row():
    fig = plots.samples({"β = 1": IMAGES, "β = 4": IMAGES[:4]}, columns=4)
    assert [ax.get_title() for ax in fig.axes] == ["β = 1", "β = 4"]
    first, second = pictures(fig)
    assert first.shape[:2] == (2 * 8 + GAP, 4 * 10 + 3 * GAP)
    assert second.shape[:2] == (8, 4 * 10 + 3 * GAP)
    assert (tile(first, 1, 1) == IMAGES[5, 0]).all()
    assert (tile(first, 1, 2) == 1).all()  # no seventh image


# --- traversals


def test_traversals_move_one_latent_at_a_time():
    seen = []

    def remember(z):
        seen.append(z)
        return decode(z)

    base = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64, requires_grad=True)
    fig = plots.traversals(remember, base, latents=[2, 0], span=2.0, steps=5)
    (z,) = seen
    assert z.dtype == torch.float64
    assert not z.requires_grad
    expected = [[0.5, -1, v] for v in (-2, -1, 0, 1, 2)] + [[v, -1, 2.0] for v in (-2, -1, 0, 1, 2)]
    assert z.tolist() == expected
    (picture,) = pictures(fig)
    assert tile(picture, 1, 3, 5, 6)[0, 0] == pytest.approx(decode(z)[8, 0, 0, 0].item())
    assert texts(fig.axes[0].get_yticklabels()) == ["$z_{2}$", "$z_{0}$"]
    assert texts(fig.axes[0].get_xticklabels()) == ["−2", "−1", "0", "1", "2"]
    assert base.tolist() == [0.5, -1.0, 2.0]


def test_traversals_are_in_the_order_of_their_kl():
    fig = plots.traversals(decode, torch.zeros(1, 3), kl=torch.tensor([0.1, 3.0, 0.2]))
    assert texts(fig.axes[0].get_yticklabels()) == ["$z_{1}$  3.00 nats", "$z_{2}$  0.20 nats", "$z_{0}$  0.10 nats"]
    fig = plots.traversals(decode, torch.zeros(3), latents=[0, 2], kl=[0.1, 3.0, 0.2])
    assert texts(fig.axes[0].get_yticklabels()) == ["$z_{0}$  0.10 nats", "$z_{2}$  0.20 nats"]


def test_traversals_decode_without_gradients():
    layer, seen = torch.nn.Linear(2, 4), []
    plots.traversals(lambda z: seen.append(layer(z)) or seen[0].sigmoid().reshape(-1, 1, 2, 2), [0, 0])
    assert not seen[0].requires_grad


# --- codes


def test_pca_points_are_scikit_learns_in_the_color_of_their_label():
    fig = plots.latent_space({"β = 1": CODES, "β = 8": CODES[:, ::-1] * 2}, LABELS, SHAPES, "shape")
    pca = PCA(2).fit(CODES)
    ax = fig.axes[0]
    drawn = np.asarray(ax.collections[0].get_offsets())
    expected = pca.transform(CODES)
    order = [int(np.argmin(np.abs(expected - point).sum(1))) for point in drawn]
    assert sorted(order) == list(range(90))
    assert np.abs(drawn - expected[order]).max() < 1e-9
    colors = ax.collections[0].get_facecolors()[:, :3]
    for handle, value in zip(fig.legends[0].legend_handles, range(3), strict=True):
        own = colors[[LABELS[i] == value for i in order]]
        assert np.abs(own - matplotlib.colors.to_rgb(handle.get_color())).max() < 1e-9
    assert legend(fig) == ["square", "ellipse", "heart"]
    assert fig.legends[0].get_title().get_text() == "shape"
    share = pca.explained_variance_ratio_
    assert ax.get_xlabel() == f"component 1 ({share[0]:.0%} of variance)"
    assert ax.get_ylabel() == f"component 2 ({share[1]:.0%})"
    assert [a.get_title() for a in fig.axes] == ["β = 1", "β = 8"]


def test_pca_of_collapsed_codes_is_drawn():
    fig = plots.latent_space(np.ones((90, 3)), LABELS)
    assert fig.axes[0].get_xlabel() == "component 1 (0% of variance)"


def test_pca_shows_only_values_that_occur():
    fig = plots.latent_space(CODES, 2 * (LABELS > 0), SHAPES)
    assert legend(fig) == ["square", "heart"]
    assert legend(plots.latent_space(CODES, LABELS + 4)) == ["4", "5", "6"]


# --- latents


def test_kl_bars_fall_and_active_latents_are_counted():
    kl = np.array([0.01, 2.5, 0.0, 1.5, 0.011])
    fig = plots.kl_per_latent({"β = 4": torch.tensor(kl), "β = 8": kl / 10})
    ax = fig.axes[0]
    assert [bar.get_height() for bar in ax.patches] == sorted(kl, reverse=True)
    assert texts(ax.get_xticklabels()) == ["1", "3", "4", "0", "2"]
    assert [a.get_title() for a in fig.axes] == ["β = 4: 3 of 5 active, 4.0 nats", "β = 8: 2 of 5 active, 0.4 nats"]
    colors = [matplotlib.colors.to_hex(bar.get_facecolor()) for bar in ax.patches]
    assert [color.upper() for color in colors] == [COLORS[0]] * 3 + [FAINT] * 2
    assert ax.get_ylabel() == "KL (nats per image)"
    assert legend(fig) == ["active", "inactive", "threshold, 0.01 nats"]
    assert plots.kl_per_latent(kl, threshold=2.0).axes[0].get_title() == "1 of 5 active, 4.0 nats"


def test_mutual_information_cells_are_latents_by_factors():
    matrix = np.array([[1.0, 0.0], [0.1, 0.6], [0.0, 0.01]])
    fig = plots.mutual_information(matrix, ["shape", "scale"])
    ax, bar = fig.axes
    assert (np.asarray(ax.get_images()[0].get_array()) == matrix).all()
    assert texts(ax.get_xticklabels()) == ["shape", "scale"]
    assert texts(ax.get_yticklabels()) == ["$z_{0}$", "$z_{1}$", "$z_{2}$"]
    assert bar.get_ylabel() == "information (nats)"
    assert {(t.get_position(), t.get_text()) for t in ax.texts} == {
        ((0, 0), "1.00"),
        ((0, 1), "0.10"),
        ((1, 1), "0.60"),
    }


def test_mutual_information_as_a_share_of_entropy_on_one_scale():
    matrix = np.array([[1.0, 0.0], [0.1, 0.6]])
    fig = plots.mutual_information({"a": matrix, "b": matrix / 2}, entropies=[2.0, 0.6])
    first, second, bar = fig.axes
    assert np.asarray(first.get_images()[0].get_array()) == pytest.approx(matrix / [2.0, 0.6])
    assert first.get_images()[0].get_clim() == second.get_images()[0].get_clim() == (0.0, 1.0)
    assert bar.get_ylabel() == "information (share of entropy)"


# --- what cannot be drawn

SHORT = {"step": STEP, "objective": STEP[:9], "reconstruction": STEP, "kl": STEP}
NAN = {"step": STEP, "objective": np.where(STEP == 7, np.nan, STEP), "reconstruction": STEP, "kl": STEP}


@pytest.mark.parametrize(
    ("draw", "error", "words"),
    [
        (lambda: plots.loss_curves({}), ValueError, "histories must hold at least one"),
        (lambda: plots.loss_curves({"a": SHORT}), ValueError, "objective of 'a'.* 9 values of 400 steps"),
        (lambda: plots.loss_curves({"a": NAN}), ValueError, "objective of 'a' must be finite, got 1 values"),
        (lambda: plots.loss_curves({"a": {key: [] for key in SHORT}}), ValueError, "step of 'a' must not be empty"),
        (
            lambda: plots.loss_curves(HISTORIES, smooth=2),
            ValueError,
            "smooth must be a number of at least 0 and below 1",
        ),
        (lambda: plots.reconstructions(IMAGES, {}), ValueError, "models must hold at least one"),
        (lambda: plots.reconstructions(IMAGES[:0], IMAGES), ValueError, "originals must not be empty"),
        (
            lambda: plots.reconstructions(IMAGES, {"b": IMAGES[:5]}),
            ValueError,
            "'b' must have 6 images of 8 × 10 .* got 5",
        ),
        (lambda: plots.reconstructions(IMAGES, {"original": IMAGES}), ValueError, "must have labels of their own"),
        (lambda: plots.samples(IMAGES[0, 0]), ValueError, r"shape \(n, H, W\).*got \(8, 10\)"),
        (lambda: plots.samples(IMAGES.repeat(2, axis=1)), ValueError, r"got \(6, 2, 8, 10\)"),
        (lambda: plots.samples(IMAGES * np.nan), ValueError, "images must be finite, got 480 values"),
        (lambda: plots.samples(IMAGES, columns=0), ValueError, "columns must be a whole number of at least 1"),
        (
            lambda: plots.traversals(decode, torch.zeros(2, 3)),
            ValueError,
            r"base must have 1 dimension, got shape \(2, 3",
        ),
        (lambda: plots.traversals(decode, torch.zeros(3), [3]), ValueError, r"latents must name latents of 0\.\.2"),
        (lambda: plots.traversals(decode, torch.zeros(3), []), ValueError, "latents must name latents"),
        (lambda: plots.traversals(decode, torch.zeros(3), kl=[1.0]), ValueError, "expected 3, got 1"),
        (
            lambda: plots.traversals(decode, torch.zeros(3), steps=1),
            ValueError,
            "steps must be a whole number from 2 to",
        ),
        (lambda: plots.traversals(lambda z: decode(z)[:4], torch.zeros(3)), ValueError, "expected 27, got 4"),
        (
            lambda: plots.traversals(lambda z: torch.distributions.Normal(z, 1.0), torch.zeros(3)),
            TypeError,
            "got Normal; of a distribution pass the mean",
        ),
        (
            lambda: plots.latent_space(CODES, LABELS + 1, SHAPES),
            ValueError,
            "names must have one name a label, 4 of them, got 3",
        ),
        (lambda: plots.latent_space(CODES * np.inf, LABELS), ValueError, "codes must be finite"),
        (lambda: plots.kl_per_latent([[1.0]]), ValueError, r"kl must have 1 dimension, got shape \(1, 1\)"),
        (lambda: plots.kl_per_latent({"a": []}), ValueError, "kl of 'a' must not be empty"),
        (lambda: plots.kl_per_latent([1.0, np.nan]), ValueError, "kl must be finite"),
        (lambda: plots.kl_per_latent(["a"]), TypeError, "kl must be real numbers"),
        (lambda: plots.mutual_information([[1.0, 2.0]], ["a"]), ValueError, r"expected 1, got shape \(1, 2\)"),
        (lambda: plots.mutual_information([[1.0]], entropies=[0.0]), ValueError, "entropies must be 1 positive"),
        (lambda: plots.mutual_information([1.0]), ValueError, "matrix must have 2 dimensions"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_one_sentence(draw, error, words):
    with pytest.raises(error, match=words) as caught:
        draw()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "draw",
    [
        plots.samples,
        plots.kl_per_latent,
        plots.loss_curves,
        lambda p: plots.codebook_use(p, 8),
        lambda p: plots.latent_space(p, [0]),
    ],
)
def test_a_figure_that_is_handed_a_pair_says_what_to_pass(draw):
    pair = pg.models.VAE(pg.nn.LinearEncoder((4,), latent=2), pg.nn.LinearDecoder((4,), latent=2))
    with pytest.raises(TypeError, match=r"got the pair VAE: pass codes \(pair\.encode\(x\)\.mean"):
        draw(pair)
    with pytest.raises(TypeError, match="got the pair VAE"):
        draw({"β = 1": pair})


def test_a_grid_is_square_and_a_reconstruction_as_large_as_its_original():
    picture = plots.samples(torch.rand(5, 1, 4, 4)).axes[0].images[0].get_array()
    assert picture.shape[1] > picture.shape[0]  # three columns, two rows
    with pytest.raises(ValueError, match="4 × 4 pixels, as 'original' has, got 5 of 4 × 5"):
        plots.reconstructions(torch.rand(5, 1, 4, 4), torch.rand(5, 1, 4, 5))
