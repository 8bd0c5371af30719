"""Faults in the networks and likelihoods: what an output means."""

from faults.fault import Fault

BASE, LIKELIHOODS, MLP, CONV, LINEAR = "nn/base.py", "nn/likelihoods.py", "nn/mlp.py", "nn/conv.py", "nn/linear.py"
NETWORKS = "nn/test_networks.py::"
OF_LIKELIHOODS = "nn/test_likelihoods.py::"

FAULTS = [
    Fault(
        "width and height change places in the broadcast decoder",
        "nn/broadcast.py",
        "torch.stack((u, v), -1)",
        "torch.stack((v, u), -1)",
        "nn/test_broadcast.py::test_a_pixel_is_the_network_of_the_code_and_its_place",
    ),
    Fault(
        "the pixels of a patch are transposed",
        "nn/broadcast.py",
        "permute(0, 3, 1, 4, 2, 5)",
        "permute(0, 3, 1, 5, 2, 4)",
        "nn/test_broadcast.py::test_a_pixel_is_the_network_of_the_code_and_its_place",
    ),
    Fault(
        "the centers of the patches begin at the border",
        "nn/broadcast.py",
        "(2 * torch.arange(count) + 1) / count - 1",
        "2 * torch.arange(count) / count - 1",
        "nn/test_broadcast.py::test_it_is_a_convolution_of_the_broadcast_code",
    ),
    Fault(
        "the pooled encoder takes every second pixel",
        "nn/mlp.py",
        "F.avg_pool2d(x.flatten(1, -3) if x.dim() > 3 else x, self.pool)",
        "x[..., :: self.pool, :: self.pool]",
        NETWORKS + "test_a_pooled_image_has_the_means_of_its_blocks",
    ),
    Fault(
        "the log-variance is taken for the log-scale",
        BASE,
        "(0.5 * bounded(log_variance)).exp()",
        "log_variance.exp()",
        NETWORKS + "test_the_scale_is_the_exponential_of_half_the_second_output",
    ),
    Fault(
        "the scale is a softplus of the second output",
        BASE,
        "(0.5 * bounded(log_variance)).exp()",
        "nn.functional.softplus(log_variance)",
        NETWORKS + "test_the_scale_is_the_exponential_of_half_the_second_output",
    ),
    Fault(
        "mean and log-variance change places in the MLP",
        MLP,
        "else output.chunk(2, dim=-1)",
        "else output.chunk(2, dim=-1)[::-1]",
        NETWORKS + "test_the_last_layer_gives_the_means_and_then_the_log_variances",
    ),
    Fault(
        "mean and log-variance change places in the convolutions",
        CONV,
        "else output.chunk(2, dim=-1)",
        "else output.chunk(2, dim=-1)[::-1]",
        NETWORKS + "test_the_last_layer_gives_the_means_and_then_the_log_variances",
    ),
    Fault(
        "codes of several batch dimensions are mixed up",
        BASE,
        "loc = full(loc).reshape(*batch, self.latent)",
        "loc = loc.reshape(self.latent, *batch).movedim(0, -1)",
        NETWORKS + "test_images_are_encoded_one_by_one",
    ),
    Fault(
        "images of several batch dimensions are mixed up",
        BASE,
        "output = output.reshape(*batch, *self.shape)",
        "output = output.flip(0).reshape(*batch, *self.shape)",
        NETWORKS + "test_codes_are_decoded_one_by_one",
    ),
    Fault(
        "the MLP ends in a ReLU",
        MLP,
        "nn.Sequential(*layers[:-1])",
        "nn.Sequential(*layers)",
        NETWORKS + "test_the_mlp_has_the_layers_that_were_asked_for",
    ),
    Fault(
        "the convolutional decoder ends in a sigmoid",
        CONV,
        "nn.Sequential(*layers)",
        "nn.Sequential(*layers, nn.Sigmoid())",
        NETWORKS + "test_the_convolutional_decoder_mirrors_the_encoder",
    ),
    Fault(
        "the linear decoder has no offset",
        LINEAR,
        "nn.Linear(self.latent, event_size(self.shape))",
        "nn.Linear(self.latent, event_size(self.shape), bias=False)",
        NETWORKS + "test_the_linear_networks_are_affine_and_their_variance_is_the_same_for_every_image",
    ),
    Fault(
        "logits go through a sigmoid twice",
        LIKELIHOODS,
        "dist.Bernoulli(logits=output)",
        "dist.Bernoulli(logits=output.sigmoid())",
        OF_LIKELIHOODS + "test_bernoulli_is_minus_the_cross_entropy_summed_over_pixels",
    ),
    Fault(
        "gray pixels lose the normalizer of their likelihood",
        LIKELIHOODS,
        "dist.ContinuousBernoulli(logits=output)",
        "dist.Bernoulli(logits=output, validate_args=False)",
        OF_LIKELIHOODS + "test_continuous_bernoulli_integrates_to_one",
    ),
    Fault(
        "the noise of a Gaussian is taken for its variance",
        LIKELIHOODS,
        "dist.Normal(output, self.log_scale.exp())",
        "dist.Normal(output, (0.5 * self.log_scale).exp())",
        OF_LIKELIHOODS + "test_gaussian_is_squared_error_with_its_noise",
    ),
    Fault(
        "a Gaussian has unit noise whatever is asked for",
        LIKELIHOODS,
        "dist.Normal(output, self.log_scale.exp())",
        "dist.Normal(output, 1.0 + 0.0 * self.log_scale)",
        OF_LIKELIHOODS + "test_gaussian_is_squared_error_with_its_noise",
    ),
    Fault(
        "a learned noise is not learned",
        LIKELIHOODS,
        "        if learned:",
        "        if False:",
        OF_LIKELIHOODS + "test_only_a_learned_scale_is_a_parameter_and_both_are_saved",
    ),
    Fault(
        "the mean of the pixels is taken and not their sum",
        LIKELIHOODS,
        "distribution: dist.TorchDistribution = dist.Bernoulli(logits=output).to_event(event_dim)",
        "return dist.Bernoulli(logits=output / output[0].numel()).to_event(event_dim)",
        OF_LIKELIHOODS + "test_bernoulli_is_minus_the_cross_entropy_summed_over_pixels",
    ),
    Fault(
        "gray pixels pass for binary ones",
        LIKELIHOODS,
        "        if gray.any():",
        "        if False:",
        OF_LIKELIHOODS + "test_gray_pixels_suit_all_but_bernoulli_which_names_the_one_to_use",
    ),
    Fault(
        "an eigenvalue in float64 takes the products of float32",
        "nn/dictionary.py",
        "range(8 if d.dtype == torch.float32 else 18)",
        "range(8)",
        "house/test_side_effects.py::test_the_largest_eigenvalue_is_as_sharp_as_its_type",
    ),
    Fault(
        "the number of classes is a label",
        "tensors.py",
        "values.max() < below):",
        "values.max() <= below):",
        "models/test_labels.py::test_labels_that_do_not_fit_are_refused",
    ),
]
