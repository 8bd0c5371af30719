"""Faults in the priors: what a VampPrior is a mixture of, whose weights it has, and its pseudo-inputs' range."""

from faults.fault import Fault

VAMP, MIXTURE, KL = "distributions/vamp_prior.py", "distributions/mixture_prior.py", "oracles/mixture_kl.py"
OF_VAMP = "distributions/test_vamp_prior.py::test_"
OF_MIXTURE = "distributions/test_mixture_prior.py::test_"
OF_KL = "oracles/test_mixture_kl.py::test_"
ENCODED = "posteriors = self.encoder(self.pseudo_inputs)"

FAULTS = [
    Fault(
        "the look at an encoder moves its batch norm",
        VAMP,
        "    encoder.eval()",
        "    encoder.train()",
        OF_VAMP + "an_encoder_with_batch_norm_is_taken_and_its_statistics_stay",
    ),
    Fault(
        "an encoder is left in evaluation mode",
        VAMP,
        "            module.training = mode\n",
        "            module.training = False\n",
        OF_VAMP + "an_encoder_with_batch_norm_is_taken_and_its_statistics_stay",
    ),
    Fault(
        "the pseudo-inputs are detached",
        VAMP,
        ENCODED,
        "posteriors = self.encoder(self.pseudo_inputs.detach())",
        OF_VAMP + "the_pseudo_inputs_are_trained",
    ),
    Fault(
        "the prior leaves the encoder's weights alone",
        VAMP,
        "        result: dist.TorchDistribution = dist.MixtureSameFamily(equal, posteriors)",
        "        posteriors = dist.Normal(posteriors.mean.detach(), posteriors.stddev.detach()).to_event(1)\n"
        "        result: dist.TorchDistribution = dist.MixtureSameFamily(equal, posteriors)",
        OF_VAMP + "the_prior_trains_the_encoder_too",
    ),
    Fault(
        "the prior has an encoder of its own",
        VAMP,
        "self.encoder = encoder",
        'self.encoder = __import__("copy").deepcopy(encoder)',
        OF_VAMP + "the_encoder_is_the_guides_and_one_step_has_it_twice",
    ),
    Fault(
        "the encoder is shared until the pair is copied",
        VAMP,
        "        return torch.where(u > high, 2 * high - u, u)",
        "        return torch.where(u > high, 2 * high - u, u)\n\n"
        "    def __deepcopy__(self, memo):\n"
        "        return type(self)(__import__('copy').deepcopy(self.encoder), self.pseudo_inputs, self.bounds)\n\n"
        "    #",
        OF_VAMP + "sharing_survives_copies_and_files",
    ),
    Fault(
        "the mixture is without its 1/K",
        VAMP,
        "        result: dist.TorchDistribution = dist.MixtureSameFamily(equal, posteriors)",
        "        mixture = dist.MixtureSameFamily(equal, posteriors)\n"
        "        log_prob = mixture.log_prob\n"
        "        mixture.log_prob = lambda z: log_prob(z) + math.log(len(self.free))\n"
        "        return mixture",
        OF_VAMP + "the_density_is_the_mean_of_the_posteriors_at_the_pseudo_inputs",
    ),
    Fault(
        "the parts of the mixture have unequal weights",
        VAMP,
        "logits=torch.zeros_like(self.free.flatten(1)[:, 0])",
        "logits=self.free.flatten(1)[:, 0]",
        OF_VAMP + "with_all_data_as_pseudo_inputs_the_mean_kl_is_the_information_on_the_index_and_at_most_log_n",
    ),
    Fault(
        "the first pseudo-input is left out",
        VAMP,
        ENCODED,
        "posteriors = self.encoder(self.pseudo_inputs.roll(1, 0).index_fill(0, torch.tensor(0), 0.0))",
        OF_VAMP + "the_density_is_the_mean_of_the_posteriors_at_the_pseudo_inputs",
    ),
    Fault(
        "a VampPrior draws from N(0, I)",
        VAMP,
        "        result: dist.TorchDistribution = dist.MixtureSameFamily(equal, posteriors)",
        "        mixture = dist.MixtureSameFamily(equal, posteriors)\n"
        "        mixture.sample = lambda n=torch.Size(): torch.randn(*n, *mixture.event_shape).to(self.free)\n"
        "        return mixture",
        OF_VAMP + "draws_are_the_mixtures",
    ),
    Fault(
        "a pair draws from N(0, I) whatever its prior",
        "models/vae.py",
        "return made_by(self._prior)",
        "return dist.Normal(self.origin, torch.ones_like(self.origin)).to_event(1)",
        OF_VAMP + "draws_are_the_mixtures",
    ),
    Fault(
        "the posteriors are points at their means",
        VAMP,
        "        result: dist.TorchDistribution = dist.MixtureSameFamily(equal, posteriors)",
        "        posteriors = dist.Normal(posteriors.mean, 0.1).to_event(1)\n"
        "        return dist.MixtureSameFamily(equal, posteriors)",
        OF_VAMP + "of_one_pseudo_input_the_kl_is_that_of_two_gaussians",
        OF_VAMP + "the_importance_weighted_nll_of_a_linear_decoder_tends_to_the_mixtures_evidence",
    ),
    Fault(
        "pseudo-inputs are clamped and lose their gradient",
        VAMP,
        "torch.where((u >= low) & (u <= high), u, low + folded)",
        "u.clamp(low, high)",
        OF_VAMP + "values_outside_are_reflected_and_none_loses_its_gradient",
    ),
    Fault(
        "the upper bound of the pseudo-inputs is forgotten",
        VAMP,
        "(u <= high), u",
        "(u <= math.inf), u",
        OF_VAMP + "values_outside_are_reflected_and_none_loses_its_gradient",
    ),
    Fault(
        "what is reflected twice leaves the range",
        VAMP,
        "torch.minimum(there_and_back, 2 * (high - low) - there_and_back)",
        "torch.where(u < low, low - u, 2 * (high - low) - (u - low))",
        OF_VAMP + "values_outside_are_reflected_and_none_loses_its_gradient",
    ),
    Fault(
        "the reflection is off by the bound",
        VAMP,
        "torch.remainder(u - low, 2 * (high - low))",
        "torch.remainder(u, 2 * (high - low))",
        OF_VAMP + "values_outside_are_reflected_and_none_loses_its_gradient",
    ),
    Fault(
        "start values are squeezed into a sigmoid",
        VAMP,
        "self.free = nn.Parameter(start)",
        "self.free = nn.Parameter((0.98 * start.clamp(0, 1) + 0.01))",
        OF_VAMP + "start_values_are_kept_to_the_last_bit",
    ),
    Fault(
        "the caller's images are the parameters",
        VAMP,
        "values.detach().clone().to(_like(encoder))",
        "values.detach().to(_like(encoder))",
        OF_VAMP + "start_values_are_kept_to_the_last_bit",
    ),
    Fault(
        "a saved prior forgets its range",
        VAMP,
        '{"pseudo_inputs": len(start), "bounds": self.bounds}',
        '{"pseudo_inputs": len(start)}',
        OF_VAMP + "a_prior_of_any_range_is_loaded_as_it_was",
    ),
    Fault(
        "a saved prior is rebuilt from zeros that its range may not have",
        VAMP,
        '{"pseudo_inputs": len(start), "bounds": self.bounds}',
        '{"bounds": self.bounds}',
        OF_VAMP + "a_range_without_zero_is_loaded_as_it_was",
    ),
    Fault(
        "random pseudo-inputs are not in the range",
        VAMP,
        "return low + (high - low) * torch.rand(",
        "return torch.rand(",
        OF_VAMP + "random_pseudo_inputs_fill_the_range",
    ),
    Fault(
        "an encoder that returns points is taken",
        VAMP,
        "if is_point(q):",
        "if isinstance(q, dist.Delta):",
        OF_VAMP + "encoders_without_a_posterior_are_refused",
    ),
    Fault(
        "the learned mixture takes log s for s",
        MIXTURE,
        "self.log_scales.exp()",
        "self.log_scales.abs() + 1e-3",
        OF_MIXTURE + "the_density_is_that_of_the_mixture",
    ),
    Fault(
        "the learned mixture's weights stay equal",
        MIXTURE,
        "dist.Categorical(logits=self.logits)",
        "dist.Categorical(logits=0 * self.logits)",
        OF_MIXTURE + "draws_are_the_mixtures",
    ),
    Fault(
        "the learned mixture's parts start at one place and stay alike",
        MIXTURE,
        "torch.randn(components, latent)",
        "torch.zeros(components, latent)",
        OF_MIXTURE + "it_starts_with_equal_parts_of_width_one_at_different_places",
    ),
    Fault(
        "the oracle's KL to a mixture forgets the widths of its parts",
        KL,
        " - np.log(sk)  #",
        "  #",
        OF_KL + "the_kl_to_a_mixture_is_scipys",
    ),
    Fault(
        "the oracle's information on the index is not averaged",
        KL,
        "m, scales).mean())",
        "m, scales).sum())",
        OF_KL + "the_mutual_information_goes_from_none_to_log_n",
    ),
]
