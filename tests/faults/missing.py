"""Faults in what becomes of missing pixels."""

from faults.fault import Fault

MISSING, TESTS = "models/missing.py", "models/test_missing.py::"

FAULTS = [
    Fault(
        "missing pixels count as zeros in the likelihood",
        MISSING,
        "pixels.mask(~x.isnan()).to_event(len(self.shape))",
        "pixels.to_event(len(self.shape))",
        TESTS + "test_the_evidence_is_that_of_the_pixels_that_were_seen",
        TESTS + "test_values_behind_the_mask_move_nothing",
    ),
    Fault(
        "pixels that were seen are filled in too",
        MISSING,
        "torch.where(x.isnan(), filled, x)",
        "filled",
        TESTS + "test_missing_pixels_are_filled_in_and_the_others_kept",
    ),
]
