"""How a run begins: what it reads and in which order, what it moves, and its first step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pyrogen import checks
from pyrogen.models import Pair, Programs
from pyrogen.models.size import without_size
from pyrogen.random_numbers import all_seeded
from pyrogen.training.data.program_data import Whole
from pyrogen.training.data.reading import batches_of
from pyrogen.training.data.sources import Order, as_source
from pyrogen.training.data.streams import StreamOrder, StreamSource, as_stream, is_stream
from pyrogen.training.settings import Settings
from pyrogen.training.step import First, Precision, trainable
from pyrogen.training.step.objective import ProgramsObjective
from pyrogen.training.validation import Validation
from pyrogen.training.weights import Weights
from pyrogen.warn import warn

USUAL = 64  # the batch size where none is asked for
FAR = 50.0  # how many times σ the data's spread is before a Gaussian likelihood gets a warning
INITIAL = 4096  # images at most that a pair may start from, such as a codebook by k-means
VALIDATE_EVERY = 500  # steps, or an epoch where that is shorter


def check_fits(pair: Pair, settings: Settings) -> None:
    """Raise ``ValueError`` for a pair that these settings cannot train."""
    if isinstance(pair, Programs) and settings.schedule is not None:
        raise ValueError(
            "schedule must be left out for programs, which have no β, got "
            f"{checks.shown(settings.schedule)}: weigh their sites by poutine.scale and a buffer that a callback sets"
        )
    if any(weight.is_inference() for weight in pair.parameters() if not torch.nn.parameter.is_lazy(weight)):
        raise ValueError(
            "the pair was made under torch.inference_mode, where weights cannot be trained: make it outside"
        )


def source_of(data: Any, pair: Pair, device: torch.device, settings: Settings) -> Any:
    """Return the training data as a source that is read by index, or as a stream that keeps its own order."""
    if is_stream(data) and not (isinstance(pair, Programs) or pair.context):
        return as_stream(data, pair, settings.batch_size, settings.workers, settings.seed)
    return as_source(data, pair, device, settings.workers, settings.seed)


def held_out_of(validation: Any, pair: Pair, device: torch.device) -> Any:
    """Return the held-out data as a source; None if `validation` is None."""
    try:
        return None if validation is None else as_source(validation, pair, device)
    except (TypeError, ValueError) as error:
        raise type(error)(f"validation cannot be used: {error}") from error


def order_of(pair: Pair, source: Any, batch_size: int | None, seed: int) -> Order | Whole | StreamOrder:
    """Return which data make up each step: all of them, or batches of `batch_size` by `seed`."""
    size = len(source)
    if isinstance(source, StreamSource):
        return StreamOrder(source)
    if isinstance(pair, Programs):
        if name := without_size(source.data, *pair.programs):
            raise ValueError(f"the {name} must take `size` too, the number of data, for the other program needs it")
        uneven = len(set(source.sizes.values())) > 1
        if batch_size == size or (batch_size is None and (uneven or not pair.gets_size(source.data))):
            return Whole(size)
        source.check_rows()
    return Order(size, min(USUAL, size) if batch_size is None else batch_size, seed)


def begin(pair: Pair, source: Any, order: Any, seed: int, precision: Precision = "float32") -> First | None:
    """Take the first step of programs, by which they make their parameters; the caller's random state stays."""
    if not isinstance(pair, Programs):
        return None
    device = pair.beta.device
    with all_seeded(seed, device):
        batch = batches_of(source, order, device)(0)
        with Weights(batch, len(source)) as weights:
            first = First.take(ProgramsObjective(pair, len(source), precision), batch)
    weights.warn(pair)
    return first


def parameters_of(pair: Pair) -> list[Tensor]:
    """Return the parameters that the run moves.

    Raises:
        ValueError: if it moves nothing.
    """
    parameters: list[Tensor] = list(trainable(pair).values())
    if not parameters:
        raise ValueError(
            "a weight of the pair must be trainable, got all frozen (requires_grad=False): there is nothing to train"
        )
    return parameters


def start_from_data(pair: Pair, source: Any, order: Any) -> None:
    """Let the pair start parts of itself from the first batches, as many as `INITIAL` and an epoch allow."""
    if type(pair).initialize is Pair.initialize:
        return
    batches = min(order.steps_per_epoch, max(1, INITIAL // order.batch_size))
    if isinstance(order, StreamOrder):
        images = source.images(order(0))
    else:
        images = source.images(torch.cat([order(step) for step in range(batches)]))
    pair.initialize(images.to(pair.beta.device))


def validation_of(pair: Pair, held_out: Any, order: Any, settings: Settings) -> Validation:
    """Return what measures the held-out terms on the way."""
    if isinstance(pair, Programs) and not isinstance(order, Whole):
        held_out.check_rows()
    every = settings.validate_every or min(VALIDATE_EVERY, order.steps_per_epoch)
    return Validation(pair, held_out, every, settings.seed, whole=isinstance(order, Whole))


def warn_of_scale(pair: Pair, x: Any) -> None:
    """Warn if a Gaussian likelihood's σ is far from the spread of the images `x`: training would run away."""
    likelihood = getattr(getattr(pair, "decoder", None), "likelihood", None)
    if likelihood is None or not (hasattr(likelihood, "log_scale") and isinstance(x, torch.Tensor) and x.numel() > 2):
        return
    sigma = float(likelihood.log_scale.detach().exp().double().mean())
    values = x.detach().reshape(-1)[:: max(1, x.numel() // 100_000)].double().sort().values
    outer = len(values) // 50  # outliers on each side that do not count
    spread = float(values[outer : len(values) - outer].std())
    if spread > FAR * sigma:
        warn(
            f"the data spread by {spread:.3g} and the Gaussian likelihood expects noise of σ = {sigma:.3g}: training "
            "can run away; rescale the data, or use pg.nn.Gaussian(scale=...) of their size"
        )
