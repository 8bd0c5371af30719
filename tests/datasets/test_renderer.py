"""The renderer against facts of real frames, against a brute-force fill, and against itself."""

import hashlib
import json
import math
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from pyrogen.datasets import renderer, sprites
from pyrogen.datasets.renderer import FACTOR_SIZES, factors_of, render, render_all, render_packed

REAL = json.loads((Path(__file__).parent / "real_frames.json").read_text())
COUNT = math.prod(FACTOR_SIZES)


def sample(n: int, seed: int = 0) -> torch.Tensor:
    return factors_of(torch.randint(COUNT, (n,), generator=torch.Generator().manual_seed(seed)))


def outline(shape: int, scale: int, orientation: int, x: int, y: int) -> list[tuple[float, float]]:
    """Vertices in pixels, written down anew from the definition, one at a time."""
    if shape == 0:
        local = [(-9.6, -9.6), (9.6, -9.6), (9.6, 9.6), (-9.6, 9.6)]
    else:
        local = []
        for i in range(150):
            t = 2 * math.pi * i / 150
            if shape == 1:
                local.append((9.6 * 1.33 * math.sin(t), -9.6 / 1.33 * math.cos(t)))
            else:
                up = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
                local.append((19.2 * math.sin(t) ** 3 / 2, -19.2 * (up / 29 + 0.075)))
    size, turn = 0.5 + 0.1 * scale, -2 * math.pi * (orientation % 39) / 39
    cx, cy = 16 + 32 * x / 31, 16 + 32 * y / 31
    return [
        (
            cx + size * (math.cos(turn) * u - math.sin(turn) * v),
            cy + size * (math.sin(turn) * u + math.cos(turn) * v),
        )
        for u, v in local
    ]


def brute_force(vertices: np.ndarray) -> np.ndarray:
    """Even-odd fill by casting a ray upwards from each pixel center: (V, 2) in 1/256 pixels, to (64, 64) bool."""
    center = np.arange(64) * 256 + 128
    px, py = np.meshgrid(center, center)
    inside = np.zeros((64, 64), bool)
    for (x0, y0), (x1, y1) in zip(vertices, np.roll(vertices, -1, axis=0), strict=True):
        if (x0, y0) > (x1, y1):
            x0, y0, x1, y1 = x1, y1, x0, y0
        # The edge is over the center's column (half-open, so that a shared vertex counts once), and above or on it.
        cross = (x1 - x0) * (py - y0) - (y1 - y0) * (px - x0)
        inside ^= (x0 <= px) & (px < x1) & (cross >= 0)
    return inside


@pytest.mark.parametrize("shape", sprites.SHAPES)
def test_real_frames_are_exact_to_the_pixel(shape: str) -> None:
    real = REAL[shape]
    factors = torch.tensor([[sprites.SHAPES.index(shape), *row] for row in real["factors"]])
    images = render(factors)[:, 0].numpy()
    np.testing.assert_array_equal(images.sum(axis=(1, 2), dtype=int), real["areas"])
    assert hashlib.sha256(np.packbits(images, axis=-1).tobytes()).hexdigest() == real["sha256"]


def test_pixels_are_those_of_a_brute_force_fill() -> None:
    factors = sample(150)
    for row, image in zip(factors.tolist(), render(factors)[:, 0].numpy(), strict=True):
        vertices = np.floor(np.array(outline(*row)) * 256 + 0.5).astype(np.int64)
        np.testing.assert_array_equal(image, brute_force(vertices), err_msg=str(row))


def test_a_pixel_differs_from_the_unrounded_outline_only_within_a_grid_step_of_it() -> None:
    center = np.stack(np.meshgrid(np.arange(64) + 0.5, np.arange(64) + 0.5), axis=-1)[:, :, None]
    factors = sample(20, seed=1)
    for row, image in zip(factors.tolist(), render(factors)[:, 0].numpy(), strict=True):
        a = np.array(outline(*row))
        edge = np.roll(a, -1, axis=0) - a
        along = np.clip(((center - a) * edge).sum(-1) / (edge**2).sum(-1), 0, 1)
        distance = np.linalg.norm(center - a - along[..., None] * edge, axis=-1).min(-1)
        # A vertex moves by at most half a step along each axis.
        sure = distance > math.sqrt(2) / 512 + 1e-9
        assert sure.mean() > 0.99
        # On a grid 4096 times as fine the rounding cannot matter for a pixel that is sure.
        fine = brute_force_fine(a)
        np.testing.assert_array_equal(image[sure], fine[sure], err_msg=str(row))


def brute_force_fine(vertices: np.ndarray) -> np.ndarray:
    """The even-odd fill with vertices in float64 pixels."""
    px, py = np.meshgrid(np.arange(64) + 0.5, np.arange(64) + 0.5)
    x0, y0 = vertices.T[:, :, None, None]
    x1, y1 = np.roll(vertices, -1, axis=0).T[:, :, None, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        crosses = ((x0 <= px) != (x1 <= px)) & (y0 + (px - x0) * (y1 - y0) / (x1 - x0) < py)
    return crosses.sum(axis=0) % 2 == 1


def test_the_last_orientation_is_the_first() -> None:
    first = sample(300, seed=2)
    first[:, 2] = 0
    last = first.clone()
    last[:, 2] = 39
    assert torch.equal(render_packed(first), render_packed(last))


def test_orientation_turns_anticlockwise_as_seen() -> None:
    # An ellipse lies along x; a tenth of a turn anticlockwise lifts its right end (rows count downwards).
    image = render(torch.tensor([[1, 5, 4, 16, 16]]))[0, 0].double()
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    area = image.sum()
    covariance = ((x * y * image).sum() - (x * image).sum() * (y * image).sum() / area) / area
    assert covariance < -5


def test_positions_move_the_center() -> None:
    factors = torch.tensor([[0, 3, 0, 0, 31], [0, 3, 0, 31, 0]])
    images = render(factors)[:, 0].double()
    grid = torch.arange(64.0, dtype=torch.float64) + 0.5
    area = images.sum((1, 2))
    torch.testing.assert_close((images.sum(1) * grid).sum(1) / area, torch.tensor([16.0, 48.0]).double())  # x
    torch.testing.assert_close((images.sum(2) * grid).sum(1) / area, torch.tensor([48.0, 16.0]).double())  # y


def test_upright_shapes_are_mirror_images_of_themselves() -> None:
    factors = torch.tensor([[s, k, 0, 0, 0] for s in range(3) for k in range(6)])
    images = render(factors)[:, 0, :32, :32]
    assert torch.equal(images, images.flip(-1))
    assert torch.equal(images[:12], images[:12].flip(-2))
    assert not torch.equal(images[12:], images[12:].flip(-2))


def test_areas_are_those_of_the_outlines() -> None:
    # Positions 0 to 30 are 16 + k + k/31: over all of them, the pixel centers inside a shape are the points inside it
    # of a lattice of step 1/31. Steinhaus: their number is the area in steps^2 to within the perimeter in steps; and
    # rounding moves the outline by at most sqrt(2)/512 pixel.
    position = torch.cartesian_prod(torch.arange(31), torch.arange(31))
    for shape, vertices in enumerate(sprites.outlines()):
        x, y = vertices.unbind(-1)
        area = float((x * y.roll(-1) - x.roll(-1) * y).sum().abs() / 2)
        perimeter = float((vertices - vertices.roll(-1, 0)).norm(dim=-1).sum())
        factors = torch.cat([torch.tensor([[shape, 5, 7]]).expand(961, 3), position], dim=1)
        mean = float(render(factors).double().sum((1, 2, 3)).mean())
        assert abs(mean - area) <= perimeter / 31 + perimeter * math.sqrt(2) / 512


def test_a_center_on_a_left_or_upper_edge_is_in_and_on_a_right_or_lower_one_out() -> None:
    # At scale 0.6 and position 8 the square spans 18.5 to 30.02, and at position 23 33.98 to 45.5, after rounding.
    images = render(torch.tensor([[0, 1, 0, 8, 8], [0, 1, 0, 23, 23]]))[:, 0]
    for image, first, last in zip(images, (18, 34), (29, 44), strict=True):
        assert image.any(0).nonzero().flatten().tolist() == list(range(first, last + 1))
        assert image.any(1).nonzero().flatten().tolist() == list(range(first, last + 1))


def test_drawing_everything_is_drawing_each() -> None:
    # The first blocks only; test_dsprites compares pictures from all of them.
    for block, words in enumerate(islice(render_all(turns=5), 3)):
        index = torch.arange(block * 5120, (block + 1) * 5120)
        assert torch.equal(words, render_packed(factors_of(index)))


def test_a_large_batch_is_its_parts() -> None:
    factors = sample(renderer._CHUNK + 10, seed=3)
    whole = render_packed(factors)
    assert torch.equal(whole[-20:], render_packed(factors[-20:]))
    assert torch.equal(whole[:20], render_packed(factors[:20]))


def test_an_empty_batch() -> None:
    assert render(torch.empty(0, 5, dtype=torch.int64)).shape == (0, 1, 64, 64)


def test_a_changed_pixel_needs_a_new_version() -> None:
    """If you changed the renderer on purpose: raise renderer.VERSION and put the new digest here."""
    on_edges = torch.tensor([[0, 1, k, x, y] for k in (0, 39) for x in (8, 23) for y in range(32)])
    words = render_packed(torch.cat([sample(3000, seed=4), on_edges]))
    assert (renderer.VERSION, hashlib.sha256(words.numpy().tobytes()).hexdigest()[:16]) == (1, "d9932cd12179dc47")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_draws_the_same() -> None:
    factors = sample(5000, seed=5)
    assert torch.equal(render_packed(factors.cuda()).cpu(), render_packed(factors))
