"""The pairs: one model and guide a file.

All but one are a `Pair`, which ``pg.fit`` and ``pg.evaluate`` take. `GammaExponential` is a pair of programs with one
latent for all data, to be trained by ``pyro.infer.SVI``. `Programs` makes a `Pair` of anyone's model and guide.
"""

from pyrogen.models.autoencoder import Autoencoder
from pyrogen.models.base import Pair
from pyrogen.models.conditional import ConditionalVAE
from pyrogen.models.dip_vae import DIPVAE
from pyrogen.models.factor_vae import FactorVAE
from pyrogen.models.gamma_exponential import GammaExponential
from pyrogen.models.missing import MissingVAE
from pyrogen.models.programs import Programs
from pyrogen.models.sc_vae import SCVAE
from pyrogen.models.semi_supervised import SemiSupervisedVAE
from pyrogen.models.tc_vae import TCVAE
from pyrogen.models.two_layer import TwoLayerVAE
from pyrogen.models.vae import VAE
from pyrogen.models.vq_vae import VQVAE

__all__ = [
    "DIPVAE",
    "SCVAE",
    "TCVAE",
    "VAE",
    "VQVAE",
    "Autoencoder",
    "ConditionalVAE",
    "FactorVAE",
    "GammaExponential",
    "MissingVAE",
    "Pair",
    "Programs",
    "SemiSupervisedVAE",
    "TwoLayerVAE",
]
