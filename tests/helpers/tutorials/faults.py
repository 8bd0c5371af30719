"""Faults planted in the tutorial pairs, as people make them: what `pg.testing` must find.

`check` says which of its questions should bring a fault to light, `pyro` what Pyro itself says in twenty steps of SVI:
nothing ("silent"), a warning, or an error.
"""

from collections.abc import Callable
from dataclasses import dataclass

import helpers.tutorials.faults_gradients as gradients
import helpers.tutorials.faults_sites as sites
from helpers.tutorials.base import Pair, Tutorial, build

CHECKS = {
    "sites",  # a latent or an observation on one side only
    "plates",  # other plates in the guide than in the model
    "scale",  # scales or masks that differ between the sides, or are applied twice
    "subsampling",  # batches drawn without the factor N/B, or drawn differently
    "minibatch",  # batches whose mean is not the full objective
    "enumeration",  # a discrete latent that nobody sums out
    "registration",  # networks and numbers that SVI does not train
    "gradient reach",  # parameters that no gradient reaches
    "gradient",  # a gradient that is not the objective's
    "support",  # draws of the guide outside the model's support
    "shape",  # batches that broadcast against each other
    "fit",  # a guide that is not near the posterior
}


@dataclass(frozen=True)
class Fault:
    """A mistake in the sound pair `pair`; `make(seed)` is a fresh faulty pair."""

    name: str
    pair: str
    kind: Callable[[], Tutorial]
    check: str
    pyro: str = "silent"
    level: str = "fault"

    def make(self, seed: int) -> Pair:
        return build(self.kind, seed)


FAULTS = [
    Fault("latent misspelt in the guide", "coin", sites.Misspelt, "sites", "warns"),
    Fault("observation not passed", "vae", sites.Unobserved, "sites", "warns"),
    Fault("the guide observes", "vae", sites.GuideObserves, "sites", "warns"),
    Fault("auxiliary site not marked", "states", sites.NotAuxiliary, "sites", "warns"),
    Fault("no plate in the guide", "vae", sites.NoPlate, "plates", "raises"),
    Fault("to_event for the plate in the guide", "eight schools", sites.EventForPlate, "plates", "raises"),
    Fault("another plate in the guide", "subsampled, local", sites.OtherPlate, "plates", "warns"),
    Fault("beta in the model only", "beta-vae", sites.BetaInModel, "scale"),
    Fault("beta in the guide only", "beta-vae, sampled", sites.BetaInGuide, "scale"),
    Fault("annealing in the model only", "dmm", sites.AnnealedModel, "scale"),
    Fault("annealing in the guide only", "dmm", sites.AnnealedGuide, "scale"),
    Fault("mask in the model only", "dmm", sites.MaskedModel, "scale"),
    Fault("mask in the guide only", "dmm", sites.MaskedGuide, "scale"),
    Fault("obs_mask under an AutoGuide", "missing", sites.MaskForgottenByAutoGuide, "scale"),
    Fault("N/B in the model only", "vae", sites.DataScaleInModel, "scale"),
    Fault("N/B twice", "subsampled", sites.ScaledTwice, "scale"),
    Fault("a random batch without N/B", "subsampled", sites.UnscaledMinibatch, "subsampling"),
    Fault("a subsampling plate over the first rows", "subsampled", sites.FirstRows, "minibatch"),
    Fault("the first latents for any batch", "subsampled, local", sites.FirstLatents, "minibatch"),
    Fault("another batch size in the guide", "subsampled, local", sites.OtherBatch, "subsampling", "raises"),
    Fault("a label sampled in the guide", "ss-vae", sites.LabelSampled, "enumeration", "warns"),
    Fault("an assignment sampled in the model", "gmm", sites.AssignmentSampled, "enumeration", "warns"),
    Fault("a loss that does not enumerate", "gmm", sites.LossDoesNotEnumerate, "enumeration", "warns"),
    Fault("encoder not registered", "vae", sites.EncoderNotRegistered, "registration"),
    Fault("decoder not registered", "vae", sites.DecoderNotRegistered, "registration"),
    Fault("layers in a plain list", "vae", sites.EncoderInList, "registration"),
    Fault("a parameter made on each call", "coin", sites.FreshParameter, "registration"),
    Fault("a layer made on each call", "vae", sites.FreshLayer, "registration"),
    Fault("encoder's output detached", "vae", gradients.EncoderDetached, "gradient reach"),
    Fault("encoder under no_grad", "vae", gradients.EncoderWithoutGrad, "gradient reach"),
    Fault("decoder under no_grad", "vae", gradients.DecoderWithoutGrad, "gradient reach"),
    Fault(
        "a parameter that is not used", "eight schools", gradients.UnusedParameter, "gradient reach", level="warning"
    ),
    Fault("a layer that is not used", "vae", gradients.UnusedLayer, "gradient reach", level="warning"),
    Fault("latent detached before the likelihood", "vae", gradients.LatentDetached, "gradient"),
    Fault("rsample of twice the scale", "eight schools", gradients.WideDraws, "gradient"),
    Fault("rsample with the location detached", "eight schools", gradients.HalfPath, "gradient"),
    Fault("rsample without derivatives", "gamma def", gradients.NoPath, "gradient"),
    Fault("a Normal for a positive latent", "eight schools", gradients.NormalForPositive, "support"),
    Fault("a Normal for a probability", "coin", gradients.NormalForProbability, "support"),
    Fault("a network's scale of any sign", "vae", gradients.ScaleOfAnySign, "support", "raises"),
    Fault("a scale without constraint", "eight schools", gradients.ScaleUnconstrained, "support"),
    Fault("a column against a row", "regression", gradients.Column, "shape"),
    Fault("no to_event in the guide", "vae", gradients.NoEvent, "shape", "raises"),
    Fault("an overconfident guide", "eight schools", gradients.Overconfident, "fit"),
    Fault("a guide sure of the wrong place", "coin", gradients.Elsewhere, "fit"),
]

FAULT = {fault.name: fault for fault in FAULTS}
