"""Small stand-ins for the data and the plotting packages of published programs: right shapes, random numbers."""

from __future__ import annotations

import datetime
import os
import sys
import types
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import torch
from torch import Tensor

IMAGES, TESTED = 60_000, 10_000
PLOTS = ("seaborn", "wordcloud", "scanpy", "ipywidgets", "corner", "visdom", "graphviz", "daft", "wget")


def install() -> None:
    """Put the stand-ins where the programs look for data and packages."""
    os.environ.setdefault("CI", "1")  # Pyro's notebooks then take a step or two
    os.environ["MPLBACKEND"] = "agg"
    for name in PLOTS:
        sys.modules.setdefault(name, MagicMock(name=name))
    display = module("IPython.display", display=print, HTML=str, clear_output=lambda **_: None)
    module("IPython", version_info=(8, 0, 0), get_ipython=lambda: None, display=display)
    functional = module("torchvision.transforms.functional", to_tensor=ToTensor())
    transforms = module("torchvision.transforms", ToTensor=ToTensor, Compose=Compose, functional=functional)
    datasets = module("torchvision.datasets", MNIST=MNIST)
    module("torchvision", transforms=transforms, datasets=datasets, utils=MagicMock(), __version__="0")
    _tables()
    _examples()
    from pyro.infer.mcmc.api import MCMC

    MCMC.run = _no_chain  # type: ignore[method-assign]


def _no_chain(*_: Any, **__: Any) -> None:
    raise RuntimeError("Markov chain Monte Carlo is skipped")


def module(name: str, **content: Any) -> types.ModuleType:
    """A module of that name with this content."""
    made = types.ModuleType(name)
    made.__dict__.update(content)
    sys.modules[name] = made
    return made


class MNIST(torch.utils.data.Dataset[Any]):
    """Random black and white images of digits' size, 100 of them again and again."""

    mirrors: tuple[str, ...] = ()

    def __init__(self, root: Any = None, train: bool = True, transform: Any = None, **_: Any) -> None:
        number = IMAGES if train else TESTED
        images = (np.random.default_rng(int(train)).random((100, 28, 28)) < 0.2) * 255
        self.data = torch.from_numpy(np.tile(images.astype(np.uint8), (number // 100, 1, 1)))
        self.targets = torch.arange(number) % 10
        self.transform = transform or ToTensor()

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Any, Tensor]:
        return self.transform(self.data[index].numpy()), self.targets[index]


class ToTensor:
    """As torchvision's."""

    def __call__(self, image: Any) -> Tensor:
        return torch.as_tensor(np.asarray(image)).float().reshape(1, 28, 28) / 255


class Compose:
    """As torchvision's."""

    def __init__(self, parts: Any) -> None:
        self.parts = parts

    def __call__(self, value: Any) -> Any:
        for part in self.parts:
            value = part(value)
        return value


def _tables() -> None:
    import pandas as pd

    original, rng = pd.read_csv, np.random.default_rng(0)

    def read_csv(path: Any, *args: Any, **kwargs: Any) -> Any:
        if "rugged" in str(path):
            columns = {"rugged": rng.random(170) * 6, "rgdppc_2000": np.exp(rng.normal(8, 1, 170))}
            return pd.DataFrame({"cont_africa": (rng.random(170) < 0.3).astype(int), "isocode": "X", **columns})
        if "SN_y_tot" in str(path):
            return pd.DataFrame({"time": np.arange(200) + 0.5, "sunspot.year": rng.gamma(2, 40, 200).round(1)})
        if "guo_qpcr" in str(path):
            return pd.DataFrame(rng.normal(size=(437, 48)), index=[str(i % 10) for i in range(437)])
        return original(path, *args, **kwargs)

    pd.read_csv = read_csv


def _examples() -> None:
    """The loaders of pyro.contrib.examples."""
    import pandas as pd
    from pyro.contrib.examples import bart, finance, multi_mnist, nextstrain, polyphonic_data_loader

    def music(_: Any = None) -> dict[str, Any]:
        found = {}
        for seed, (name, number) in enumerate({"train": 30, "valid": 8, "test": 8}.items()):
            generator = torch.Generator().manual_seed(seed)
            lengths = torch.randint(6, 16, (number,), generator=generator)
            lengths[0] = 15
            notes = (torch.rand(number, 15, 88, generator=generator) < 0.1).float()
            notes *= (torch.arange(15) < lengths[:, None])[..., None]
            found[name] = {"sequence_lengths": lengths, "sequences": notes}
        return found

    def digits(_: Any) -> Any:
        labels = np.empty(640, dtype=object)
        labels[:] = [list(range(i % 3)) for i in range(640)]
        return ((np.random.default_rng(0).random((640, 50, 50)) < 0.1) * 255).astype(np.uint8), labels

    def trains(*_: Any) -> dict[str, Any]:
        counts = torch.poisson(3 * torch.rand(24 * 7 * 8, 5, 5, generator=torch.Generator().manual_seed(0)))
        stations = ["EMBR", "12TH", "SFIA", "OAKL", "BERK"]
        return {"stations": stations, "start_date": datetime.datetime(2011, 1, 1), "counts": counts}

    def strains() -> dict[str, Any]:
        generator = torch.Generator().manual_seed(0)
        counts = torch.poisson(5 * torch.rand(12, 20, 6, generator=generator))
        return {
            "start_date": datetime.datetime(2020, 1, 1),
            "counts": counts,
            "features": torch.bernoulli(torch.full((6, 8), 0.4), generator=generator),
            "lineages": [f"L{i}" for i in range(6)],
            "locations": [f"{('USA', 'Europe')[i % 2]} / P{i}" for i in range(20)],
            "mutations": [f"S:M{i}" for i in range(8)],
        }

    def prices() -> Any:
        steps = 0.01 * np.random.default_rng(0).standard_t(3, 600)
        days = [str(day.date()) for day in pd.date_range("2000-01-01", periods=600)]
        return pd.DataFrame({"Close": np.exp(np.cumsum(steps) + 7), "Date": days})

    polyphonic_data_loader.load_data = music
    multi_mnist.load = digits
    bart.load_bart_od = trains
    nextstrain.load_nextstrain_counts = strains  # type: ignore[assignment]
    finance.load_snp500 = prices
