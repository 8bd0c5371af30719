"""Faults in how a run reads its data."""

from faults.fault import Fault

LOADING, STREAMS, ITEMS = "training/data/loading.py", "training/data/streams.py", "training/data/items.py"
TESTS = "training/data/test_data.py::"

FAULTS = [
    Fault(
        "augmentation is not seeded by the step",
        LOADING,
        "            seed_step(self.seed, step)\n            return self.images(index)",
        "            return self.images(index)",
        TESTS + "test_augmentation_is_resumed_exactly_and_does_not_depend_on_workers",
    ),
    Fault(
        "workers draw other random numbers",
        LOADING,
        "        seed_step(self.seed, step)\n        return batch_of",
        "        return batch_of",
        TESTS + "test_augmentation_is_resumed_exactly_and_does_not_depend_on_workers",
    ),
    Fault(
        "the caller's random numbers of NumPy are moved",
        LOADING,
        "        np.random.set_state(numpys)",
        "        pass",
        TESTS + "test_reading_leaves_the_callers_random_numbers_alone",
    ),
    Fault(
        "the workers begin at step 0",
        LOADING,
        "for t in range(step, steps))",
        "for t in range(0, steps))",
        TESTS + "test_workers_read_ahead_of_the_training",
    ),
    Fault(
        "items are fetched one by one where they could be fetched together",
        LOADING,
        'if hasattr(dataset, "__getitems__")',
        "if False",
        TESTS + "test_every_form_of_the_same_data_trains_alike",
    ),
    Fault(
        "a PIL image keeps its channels last",
        ITEMS,
        "x.permute(2, 0, 1).contiguous()",
        "x",
        TESTS + "test_a_pil_image_has_its_channels_first_and_its_values_in_0_1",
    ),
    Fault(
        "a stream's small last batch is trained on",
        STREAMS,
        "len(x) < self.batch_size:",
        "False:",
        TESTS + "test_a_loader_of_ones_own_keeps_its_order_and_starts_anew_when_resumed",
    ),
    Fault(
        "a loader that keeps its place starts anew",
        STREAMS,
        '            self.loader.load_state_dict(state["loader"])',
        "            pass",
        TESTS + "test_a_loader_that_keeps_its_place_is_resumed_exactly",
    ),
    Fault(
        "a stream that starts anew does not say so",
        STREAMS,
        "            warnings.warn(",
        "            dict.fromkeys(",
        TESTS + "test_a_loader_of_ones_own_keeps_its_order_and_starts_anew_when_resumed",
    ),
]
