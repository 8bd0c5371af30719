"""Faults in training: the objective and its terms, the recorded step, the loop, the order of batches and schedules."""

from faults.fault import Fault

OBJECTIVES, STEP, RUN, FIT = "training/objectives.py", "training/step.py", "training/run.py", "training/fit.py"
BATCHES, SCHEDULES, HISTORY = "training/data.py", "training/schedules.py", "training/history.py"
CONTRACT = "models/test_contract.py::"
OF_FIT = "training/test_fit.py::"
OF_CHARGES = "training/test_charges.py::"
OF_STEP = "training/test_step.py::"
OF_PARTS = "training/test_parts.py::"
BY_HAND = OF_FIT + "test_fit_is_the_hand_written_loop"
TERMS = CONTRACT + "test_the_terms_are_unweighted_and_their_objective_is_pyros_loss_per_image"

FAULTS = [
    Fault(
        "the KL has the wrong sign",
        OBJECTIVES,
        "return kl_divergence(q.base_dist, p.base_dist)",
        "return -kl_divergence(q.base_dist, p.base_dist)",
        BY_HAND,
    ),
    Fault(
        "the KL is turned round",
        OBJECTIVES,
        "return kl_divergence(q.base_dist, p.base_dist)",
        "return kl_divergence(p.base_dist, q.base_dist)",
        BY_HAND,
    ),
    Fault(
        "the Monte Carlo KL has the wrong sign",
        OBJECTIVES,
        "output: Tensor = q.log_prob(z) - p.log_prob(z)",
        "return p.log_prob(z) - q.log_prob(z)",
        TERMS,
    ),
    Fault(
        "the Monte Carlo KL leaves out the guide's entropy",
        OBJECTIVES,
        "output: Tensor = q.log_prob(z) - p.log_prob(z)",
        "return -p.log_prob(z)",
        TERMS,
    ),
    Fault(
        "a KL that is known is not split over the latents",
        OBJECTIVES,
        "if factorizes(q) and factorizes(p):",
        "if False:",
        OF_FIT + "test_history_has_a_row_a_step_and_the_latents_add_up",
    ),
    Fault(
        "a guide without rsample is let through",
        OBJECTIVES,
        "if not q.has_rsample:",
        "if False:",
        OF_PARTS + "test_a_guide_without_a_reparametrized_draw_is_refused",
    ),
    Fault(
        "the reconstruction has the wrong sign",
        OBJECTIVES,
        '"reconstruction", -site["fn"].log_prob',
        '"reconstruction", site["fn"].log_prob',
        BY_HAND,
    ),
    Fault(
        "N/B counts twice in the objective",
        OBJECTIVES,
        "site.total() / total",
        "site.total() / batch",
        TERMS,
    ),
    Fault(
        "the objective ignores the weights of its sites",
        OBJECTIVES,
        "output: Tensor = self.nats.sum() * self.scale",
        "return self.nats.sum()",
        TERMS,
    ),
    Fault(
        "the KL that is logged carries beta",
        OBJECTIVES,
        "site.nats.reshape(batch, -1).sum(0) / batch",
        "site.nats.reshape(batch, -1).sum(0) / total * site.scale",
        BY_HAND,
    ),
    Fault(
        "the KL that is logged is the batch's and not an image's",
        OBJECTIVES,
        "nats.reshape(batch, -1).sum(0) / batch",
        "nats.reshape(batch, -1).sum(0)",
        BY_HAND,
    ),
    Fault(
        "the KL of each latent is summed along the wrong axis",
        OBJECTIVES,
        "nats.reshape(batch, -1).sum(0) / batch",
        "nats.reshape(-1, batch).sum(1) / batch",
        "models/test_vae.py::test_a_prior_is_a_distribution_or_a_callable_that_returns_one",
    ),
    Fault(
        "reconstruction and KL change places in the history",
        OBJECTIVES,
        '"objective", "reconstruction", *own,',
        '"objective", *own, "reconstruction",',
        BY_HAND,
    ),
    Fault(
        "the model draws its own latents in place of the guide's",
        OBJECTIVES,
        "poutine.trace(poutine.replay(pair.model, trace=guide_trace))",
        "poutine.trace(pair.model)",
        BY_HAND,
    ),
    Fault(
        "the recording drops products with one half",
        STEP,
        "aten.div.Tensor) and node.args[1] == 1.0)",
        "aten.div.Tensor) and node.args[1] in (0.5, 1.0))",
        OF_STEP + "test_the_recording_equals_the_programs",
    ),
    Fault(
        "the recording drops every transposition",
        STEP,
        "        elif node.target is aten.t.default and source.target is aten.t.default:\n"
        "            node.replace_all_uses_with(source.args[0])",
        "        elif node.target is aten.t.default and node.meta['tensor_meta'].shape == "
        "source.meta['tensor_meta'].shape:\n            node.replace_all_uses_with(source)",
        OF_STEP + "test_the_recording_equals_the_programs",
    ),
    Fault(
        "a ReLU overwrites what others still read",
        STEP,
        "if len(source.users) > 1 or made.target not in fresh:",
        "if made.target not in fresh:",
        OF_STEP + "test_the_recording_equals_the_programs",
    ),
    Fault(
        "the recording draws no noise",
        STEP,
        "    _simplify(module.graph)\n",
        "    for node in module.graph.nodes:\n"
        "        if node.target is torch.ops.aten.normal_.default:\n"
        "            node.target, node.args = torch.ops.aten.fill_.Scalar, (node.args[0], 0.5)\n"
        "            node.kwargs = {}\n"
        "    _simplify(module.graph)\n",
        OF_STEP + "test_each_replay_draws_new_noise",
    ),
    Fault(
        "gradients are not set to zero between steps",
        RUN,
        "            parameter.grad = gradient\n        self.optimizer.step()\n        self.optimizer.zero_grad() ",
        "            parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient\n"
        "        self.optimizer.step() ",
        BY_HAND,
    ),
    Fault(
        "the schedule is a step ahead",
        RUN,
        "self._advance(beta * self.schedule(self.step))",
        "self._advance(beta * self.schedule(self.step + 1))",
        OF_FIT + "test_a_schedule_scales_beta_and_gives_it_back",
    ),
    Fault(
        "the schedule is logged and not used",
        RUN,
        "torch.tensor(beta))",
        "self.pair.beta)",
        OF_FIT + "test_a_schedule_scales_beta_and_gives_it_back",
    ),
    Fault(
        "every step sees the first batch",
        RUN,
        "*self.parameters, self._batch(self.step)",
        "*self.parameters, self._batch(0)",
        BY_HAND,
    ),
    Fault(
        "recording the step uses up random numbers",
        RUN,
        '        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):\n',
        "        if True:\n",
        BY_HAND,
    ),
    Fault(
        "nobody looks whether a term is finite",
        RUN,
        "        if not np.isfinite(rows).all():",
        "        if False:",
        OF_FIT + "test_divergence_names_step_and_site_and_keeps_the_last_good_checkpoint",
    ),
    Fault(
        "a divergence is said to be a step earlier",
        RUN,
        'f"at step {first + at} the',
        'f"at step {first + at - 1} the',
        OF_FIT + "test_divergence_names_step_and_site_and_keeps_the_last_good_checkpoint",
    ),
    Fault(
        "an epoch is a step too long",
        RUN,
        "numbers / self.order.steps_per_epoch",
        "numbers / (self.order.steps_per_epoch + 1)",
        OF_FIT + "test_history_has_a_row_a_step_and_the_latents_add_up",
    ),
    Fault(
        "the seed of the noise is ignored",
        FIT,
        "        torch.manual_seed(seed)\n",
        "        torch.manual_seed(0)\n",
        BY_HAND,
    ),
    Fault(
        "fit moves the caller's random numbers",
        FIT,
        '    with torch.random.fork_rng([place] if place.type == "cuda" else []), _interruptible() as interrupted:',
        "    with _interruptible() as interrupted:",
        OF_FIT + "test_fit_leaves_nothing_behind",
    ),
    Fault(
        "fit leaves every part in training mode",
        FIT,
        "                module.training = mode",
        "                pass",
        OF_FIT + "test_fit_leaves_nothing_behind",
    ),
    Fault(
        "Adam does not get the learning rate",
        FIT,
        "torch.optim.Adam(parameters, lr=lr, fused=True)",
        "torch.optim.Adam(parameters, fused=True)",
        BY_HAND,
    ),
    Fault(
        "the order of batches ignores the seed",
        BATCHES,
        "(self.seed << 24) ^ epoch",
        "epoch",
        OF_PARTS + "test_order_is_a_function_of_seed_and_step",
    ),
    Fault(
        "every epoch has the same order",
        BATCHES,
        "(self.seed << 24) ^ epoch",
        "self.seed << 24",
        OF_PARTS + "test_every_epoch_shows_every_image_once_in_a_new_order",
    ),
    Fault(
        "neighboring batches share an image",
        BATCHES,
        "[position * self.batch_size : (position + 1) * self.batch_size]",
        "[position * (self.batch_size - 1) : position * (self.batch_size - 1) + self.batch_size]",
        OF_PARTS + "test_every_epoch_shows_every_image_once_in_a_new_order",
    ),
    Fault(
        "an epoch ends in an incomplete batch",
        BATCHES,
        "self.steps_per_epoch = size // batch_size",
        "self.steps_per_epoch = -(-size // batch_size)",
        OF_PARTS + "test_an_incomplete_batch_is_left_out",
    ),
    Fault(
        "the digest of the data does not look at their values",
        BATCHES,
        "hashlib.sha256(images.tobytes())",
        "hashlib.sha256(str(images.shape).encode())",
        "training/test_checkpoint.py::test_another_pairs_checkpoint_is_refused",
    ),
    Fault(
        "only the first items of a Dataset are checked",
        BATCHES,
        "        self.pair.check(x)\n        return x",
        "        if 0 in index:\n            self.pair.check(x)\n        return x",
        OF_FIT + "test_a_gray_pixel_in_a_later_batch_of_a_dataset_is_refused",
    ),
    Fault(
        "the warm-up begins a step too high",
        SCHEDULES,
        "return min(1.0, step / self.steps)",
        "return min(1.0, (step + 1) / self.steps)",
        OF_PARTS + "test_schedules",
    ),
    Fault(
        "a cycle never falls back",
        SCHEDULES,
        "return min(1.0, (step % self.period) / ",
        "return min(1.0, step / ",
        OF_PARTS + "test_schedules",
    ),
    Fault(
        "the history puts its newest rows first",
        HISTORY,
        "np.concatenate(self._blocks) if",
        "np.concatenate(self._blocks[::-1]) if",
        OF_FIT + "test_history_has_a_row_a_step_and_the_latents_add_up",
    ),
    Fault(
        "the CSV of a history is rounded",
        HISTORY,
        "*map(repr, row[1:].tolist())",
        "*map('{:.3f}'.format, row[1:].tolist())",
        OF_PARTS + "test_history_to_csv_and_xarray",
    ),
    Fault(
        "the KL itself counts as a latent of the history",
        HISTORY,
        're.fullmatch(r"kl_\\d+", name)',
        'name.startswith("kl")',
        OF_FIT + "test_history_has_a_row_a_step_and_the_latents_add_up",
    ),
    Fault(
        "what the guide is charged is left out of the objective",
        OBJECTIVES,
        'if site["type"] == "sample" and site["infer"].get("is_auxiliary")',
        'if False and site["infer"].get("is_auxiliary")',
        OF_CHARGES + "test_every_elbo_adds_the_weighted_charge",
    ),
    Fault(
        "a point counts as a distribution",
        OBJECTIVES,
        "return isinstance(distribution, Delta)",
        "return False",
        OF_CHARGES + "test_a_point_has_a_penalty_in_place_of_a_kl",
    ),
    Fault(
        "the runs that make the recording move the buffers",
        RUN,
        "            _put_back(pair, before)\n",
        "",
        OF_CHARGES + "test_what_moves_in_place_moves_once_a_step_and_a_resumed_run_ends_at_the_same_bits",
    ),
    Fault(
        "a resumed run starts from data again",
        FIT,
        " and not (checkpointer and checkpointer.saved):",
        ":",
        OF_CHARGES + "test_what_moves_in_place_moves_once_a_step_and_a_resumed_run_ends_at_the_same_bits",
    ),
    Fault(
        "watched numbers have a unit",
        HISTORY,
        "{} if name in self.monitored else ",
        "",
        OF_CHARGES + "test_the_history_has_the_columns_and_their_units",
    ),
    Fault(
        "columns may have one name",
        OBJECTIVES,
        "if len(set(names)) < len(names):",
        "if False:",
        OF_CHARGES + "test_names_that_occur_twice_are_refused",
    ),
]
