"""Faults in what a run has beside its step: validation, callbacks, schedules with feedback, their resumption."""

from faults.fault import Fault

RUN, PARTS, VALIDATION, FEEDBACK = (f"training/{name}.py" for name in ("run", "parts", "validation", "feedback"))
OF_VALIDATION, OF_CALLBACKS, OF_SCHEDULES = (
    f"training/test_{name}.py::" for name in ("validation", "callbacks", "schedules")
)

FAULTS = [
    Fault(
        "validation draws from the random numbers of the training",
        VALIDATION,
        "torch.random.fork_rng(devices):",
        "torch.enable_grad():",
        OF_VALIDATION + "test_the_same_run_with_and_without_validation_ends_bit_equal",
    ),
    Fault(
        "validation leaves the pair in evaluation mode",
        "models/running.py",
        "            module.training = mode",
        "            pass",
        OF_VALIDATION + "test_the_same_run_with_and_without_validation_ends_bit_equal",
    ),
    Fault(
        "held-out images are measured in training mode",
        "models/running.py",
        "        pair.eval()\n",
        "",
        OF_VALIDATION + "test_the_held_out_terms_are_those_of_the_pair_in_evaluation_mode",
    ),
    Fault(
        "a small last batch of held-out images weighs as much as a full one",
        VALIDATION,
        "total = total + terms.row().double() * len(index)",
        "total = total + terms.row().double() * len(self.source) / -(-len(self.source) // BATCH)",
        OF_VALIDATION + "test_the_mean_over_many_held_out_batches_weighs_each_image_once",
    ),
    Fault(
        "the held-out ELBO has the sign of a loss",
        VALIDATION,
        '{"elbo": -(',
        '{"elbo": +(',
        OF_VALIDATION + "test_the_held_out_terms_are_those_of_the_pair_in_evaluation_mode",
    ),
    Fault(
        "the scheduler of the learning rate is not resumed",
        PARTS,
        '        yield "lr_schedule", self.lr_schedule\n',
        "",
        OF_SCHEDULES + "test_a_scheduler_moves_the_rate_and_is_resumed_bit_for_bit",
    ),
    Fault(
        "the schedule with feedback is not resumed",
        PARTS,
        '        yield "schedule", self.schedule\n',
        "",
        OF_SCHEDULES + "test_schedules_with_feedback_are_resumed_bit_for_bit",
    ),
    Fault(
        "the KL of the last step is not resumed",
        RUN,
        'if "kl" in self.history.columns and len(rows):',
        "if False:",
        OF_SCHEDULES + "test_schedules_with_feedback_are_resumed_bit_for_bit",
    ),
    Fault(
        "a callback that raises leaves no checkpoint",
        RUN,
        "            self._error = error\n",
        "            raise\n",
        OF_CALLBACKS + "test_a_callback_that_raises_stops_the_run_with_a_checkpoint",
    ),
    Fault(
        "the callbacks are not resumed",
        PARTS,
        'yield f"callback {name} {seen[name]}", callback',
        "pass",
        OF_CALLBACKS + "test_early_stopping_waits_for_its_patience_and_is_resumed",
    ),
    Fault(
        "early stopping counts no improvement anew",
        "training/callbacks/early_stopping.py",
        "self.best, self.best_step, self.waited = value, state.step, 0",
        "self.best, self.best_step = value, state.step",
        OF_CALLBACKS + "test_early_stopping_waits_anew_after_an_improvement",
    ),
    Fault(
        "the ELBO is followed as if lower were better",
        "training/callbacks/state.py",
        'return -terms[self.monitor] if self.monitor == "elbo" else terms[self.monitor]',
        "return terms[self.monitor]",
        OF_CALLBACKS + "test_early_stopping_counts_only_what_is_better_by_min_delta",
    ),
    Fault(
        "the best weights are the last ones",
        "training/callbacks/keep_best.py",
        "or not self.value(state) < self.best:",
        ":",
        OF_CALLBACKS + "test_the_best_weights_are_those_of_the_lowest_validation",
    ),
    Fault(
        "the moving average decays once for many steps",
        "training/callbacks/moving_average.py",
        "get_ema_multi_avg_fn(self.decay**self.every)",
        "get_ema_multi_avg_fn(self.decay)",
        OF_CALLBACKS + "test_the_moving_average_is_the_recursion_and_is_resumed",
    ),
    Fault(
        "the target KL does not rise",
        FEEDBACK,
        "min(1.0, step / self.steps)",
        "1.0",
        OF_SCHEDULES + "test_a_target_kl_charges_the_distance_from_a_rising_target",
    ),
    Fault(
        "the controller pushes the KL away from its set point",
        FEEDBACK,
        "error = self.target - kl",
        "error = kl - self.target",
        OF_SCHEDULES + "test_a_controller_holds_the_kl_at_its_set_point",
    ),
    Fault(
        "the controller winds up at its limit",
        FEEDBACK,
        "self._sum = torch.where(beyond, before, after)",
        "self._sum = after",
        OF_SCHEDULES + "test_the_controller_is_the_recursion_of_its_paper",
    ),
    Fault(
        "the gradient is not clipped",
        RUN,
        "if self.parts.clip_norm is not None:",
        "if False:",
        OF_SCHEDULES + "test_a_gradient_is_clipped_to_its_norm",
    ),
    Fault(
        "the geometric fall is linear",
        "training/schedules.py",
        "self.start * (self.end / self.start) ** (step / self.steps)",
        "self.start + (self.end - self.start) * (step / self.steps)",
        OF_SCHEDULES + "test_a_geometric_fall_starts_above_one_and_stays_at_its_end",
    ),
]
