"""Faults in the pairs: where β and N/B weigh, what is registered, and what the gamma pair's parameter means."""

from faults.fault import Fault

BASE, VAE, GAMMA = "models/base.py", "models/vae.py", "models/gamma_exponential.py"
CONTRACT = "models/test_contract.py::"
OF_VAE = "models/test_vae.py::"
OF_GAMMA = "models/test_gamma_exponential.py::test_gamma_"

FAULTS = [
    Fault(
        "the DIP-VAE forgets the variances of the posteriors",
        "models/dip_vae.py",
        "centered / len(means) + torch.diag(variances.mean(0))",
        "centered / len(means)",
        "models/test_dip_vae.py::test_the_price_of_a_linear_encoder_is_that_of_the_closed_form",
    ),
    Fault(
        "the DIP-VAE's codes are not centered",
        "models/dip_vae.py",
        "means - means.mean(0)",
        "means",
        "models/test_dip_vae.py::test_the_price_of_a_linear_encoder_is_that_of_the_closed_form",
    ),
    Fault(
        "the DIP-VAE's two weights change places",
        "models/dip_vae.py",
        "off_diagonal.expand(len(x)), weight=self.off_diagonal",
        "off_diagonal.expand(len(x)), weight=self.diagonal",
        CONTRACT + "test_the_monte_carlo_loss_is_reconstruction_plus_beta_times_its_estimate",
        "models/test_dip_vae.py::test_each_weight_is_on_its_own_sum",
    ),
    Fault(
        "the DIP-VAE's guide forgets beta",
        "models/dip_vae.py",
        "            with self.kl_weight():",
        "            if True:",
        "models/test_dip_vae.py::test_without_a_price_it_is_the_vae",
    ),
    Fault(
        "the guide forgets beta",
        VAE,
        "with self.plate(x, size), self.kl_weight():",
        "with self.plate(x, size):",
        OF_VAE + "test_the_loss_is_linear_in_beta",
    ),
    Fault(
        "the model forgets beta",
        VAE,
        "            with self.kl_weight():  # poutine.scale(scale=beta): in model and guide alike",
        "            if True:",
        CONTRACT + "test_the_monte_carlo_loss_is_reconstruction_plus_beta_times_its_estimate",
    ),
    Fault(
        "beta weighs the reconstruction too",
        VAE,
        '            pyro.sample("x", self.decode(z), obs=x)\n',
        '            with self.kl_weight():\n                pyro.sample("x", self.decode(z), obs=x)\n',
        CONTRACT + "test_the_mean_field_loss_is_reconstruction_plus_beta_kl",
    ),
    Fault(
        "beta is squared",
        BASE,
        "return _weighted(self.beta)",
        "return _weighted(self.beta**2)",
        OF_VAE + "test_the_loss_is_linear_in_beta",
    ),
    Fault(
        "a beta of 0 counts as 1",
        BASE,
        "return _weighted(self.beta)",
        "return _weighted(torch.where(self.beta == 0, torch.ones_like(self.beta), self.beta))",
        OF_VAE + "test_without_kl_only_the_reconstruction_trains",
    ),
    Fault(
        "beta is no buffer",
        BASE,
        'self.register_buffer("beta", torch.tensor(checks.real("beta", beta, least=0)))',
        'self.beta = torch.tensor(checks.real("beta", beta, least=0))',
        OF_VAE + "test_beta_is_saved_and_is_no_parameter",
    ),
    Fault(
        "the plate forgets N/B",
        BASE,
        'return pyro.plate("data", size, subsample=torch.arange(len(x), device=x.device))',
        'return pyro.plate("data", len(x))',
        CONTRACT + "test_a_batch_counts_as_the_whole_data_set",
    ),
    Fault(
        "the plate stands for one image too many",
        BASE,
        'pyro.plate("data", size, subsample',
        'pyro.plate("data", size + 1, subsample',
        CONTRACT + "test_a_batch_counts_as_the_whole_data_set",
    ),
    Fault(
        "the guide ignores the size of the data set",
        VAE,
        "with self.plate(x, size), self.kl_weight():",
        "with self.plate(x), self.kl_weight():",
        CONTRACT + "test_a_batch_counts_as_the_whole_data_set",
    ),
    Fault(
        "the model does not register its parameters",
        VAE,
        '; returns z, (B, L)."""\n        pyro.module(self.name, self)\n        x = self.as_data(x)\n'
        "        with self.plate(x, size):",
        '; returns z, (B, L)."""\n        x = self.as_data(x)\n        with self.plate(x, size):',
        CONTRACT + "test_model_and_guide_each_register_every_parameter",
    ),
    Fault(
        "the guide does not register its parameters",
        VAE,
        "        pyro.module(self.name, self)\n        x = self.as_data(x)\n        with self.plate(x, size), self",
        "        x = self.as_data(x)\n        with self.plate(x, size), self",
        CONTRACT + "test_model_and_guide_each_register_every_parameter",
    ),
    Fault(
        "all pairs have one name",
        BASE,
        "{next(_NUMBERS)}",
        "0",
        CONTRACT + "test_two_pairs_never_share_a_weight",
    ),
    Fault(
        "a deep copy keeps the name of what it copies",
        BASE,
        "  # type: ignore[misc]\n        self.name = self._fresh_name()\n",
        "  # type: ignore[misc]\n",
        CONTRACT + "test_two_pairs_never_share_a_weight",
    ),
    Fault(
        "the standard prior is twice as wide",
        VAE,
        "torch.ones_like(self.origin)",
        "2 * torch.ones_like(self.origin)",
        CONTRACT + "test_the_prior_is_one_distribution_over_codes_with_the_density_it_should_have",
    ),
    Fault(
        "samples come from the conveniences and not from the model",
        BASE,
        'return likelihood_value(drawn_by_model(self, x).nodes["x"], mean)',
        "likelihood = self.decode(self.prior().sample((n,)))\n"
        "        return likelihood.mean if mean else likelihood.sample()",
        "evaluation/test_programs.py::test_the_samples_are_those_of_the_model",
    ),
    Fault(
        "a reconstruction decodes a draw in place of the mean",
        "models/running.py",
        'value = None if taken or is_discrete(msg["fn"]) else mean_of(msg["fn"])',
        "value = None",
        CONTRACT + "test_samples_and_reconstructions_are_images_without_a_gradient",
    ),
    Fault(
        "the gamma guide has shape 1",
        GAMMA,
        "torch.full_like(self.log_theta, 2.0)",
        "torch.full_like(self.log_theta, 1.0)",
        OF_GAMMA + "under_the_exact_posterior_every_single_draw_is_the_evidence",
    ),
    Fault(
        "the gamma guide takes its rate for a scale",
        GAMMA,
        "self.log_theta.exp()))",
        "(-self.log_theta).exp()))",
        OF_GAMMA + "under_the_exact_posterior_every_single_draw_is_the_evidence",
    ),
    Fault(
        "the prior of the gamma pair has rate 2",
        GAMMA,
        "dist.Exponential(torch.ones_like(self.log_theta))",
        "dist.Exponential(2 * torch.ones_like(self.log_theta))",
        OF_GAMMA + "under_the_exact_posterior_every_single_draw_is_the_evidence",
    ),
    Fault(
        "the gamma model sees its first observation alone",
        GAMMA,
        "        x = self.as_data(x)\n",
        "        x = self.as_data(x)[:1]\n",
        OF_GAMMA + "the_gradient_averages_to_the_closed_form",
    ),
    Fault(
        "setting theta forgets the logarithm",
        GAMMA,
        "self.log_theta.copy_(_checked_log(value))",
        "self.log_theta.copy_(_checked_log(value).exp())",
        OF_GAMMA + "theta_is_a_positive_tensor_that_can_be_set",
    ),
    Fault(
        "copies of the gamma pair share theta",
        GAMMA,
        "mine = nn.Parameter(self.log_theta.detach().clone(), requires_grad=self.log_theta.requires_grad)",
        "mine = self.log_theta",
        OF_GAMMA + "objects_and_copies_never_share_theta",
    ),
    Fault(
        "what the guide is charged loses its weight",
        BASE,
        "with _weighted(weight):",
        "with _weighted(1.0):",
        "training/test_charges.py::test_every_elbo_adds_the_weighted_charge",
    ),
]
