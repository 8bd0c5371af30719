"""The planted faults of the explorer."""

from faults.fault import Fault

FAULTS = [
    Fault(
        "factors are turned without their images",
        "explore/view.py",
        "sizes if sizes and int(np.prod(sizes)) == len(data) else ()",
        "sizes",
        "explore/test_view.py::test_factors_are_turned_only_where_every_combination_is_an_image",
    ),
    Fault(
        "a factor that does not vary has information",
        "explore/view.py",
        "factors[:, place])) > 1]",
        "factors[:, place])) > 0]",
        "explore/test_view.py::test_a_factor_that_does_not_vary_is_left_out",
    ),
    Fault(
        "pixels of a picture are smoothed",
        "explore/pictures.py",
        '"pixelated" if',
        '"auto" if',
        "explore/test_pictures.py::test_pixels_are_not_smoothed_and_a_meter_is_full_at_one",
    ),
    Fault(
        "a meter shows more than its most",
        "explore/tables.py",
        "min(moved[latent], 1.0)",
        "moved[latent]",
        "explore/test_pictures.py::test_pixels_are_not_smoothed_and_a_meter_is_full_at_one",
    ),
    Fault(
        "an interpolation is described backwards",
        "explore/page.py",
        "from image {start} to image {end}",
        "from image {end} to image {start}",
        "explore/test_page.py::test_an_interpolation_is_described_from_its_start_to_its_end",
    ),
    Fault(
        "an address may name the image after the last",
        "explore/address.py",
        "int(text) > most",
        "int(text) > most + 1",
        "explore/test_page.py::test_an_address_names_an_image_that_is_there",
    ),
    Fault(
        "latents with a small KL are not folded",
        "explore/page.py",
        "collapsed=True",
        "collapsed=False",
        "explore/test_page.py::test_latents_with_a_small_kl_are_folded",
    ),
    Fault(
        "the explorer is open to the network",
        "explore/server.py",
        '"address": "127.0.0.1"',
        '"address": "0.0.0.0"',
        "explore/test_page.py::test_the_page_is_for_this_machine_alone",
    ),
    Fault(
        "a slider spans what collapsed codes span",
        "explore/view.py",
        "np.maximum(self.codes.std(0), 1.0)",
        "self.codes.std(0)",
        "explore/test_page.py::test_picking_an_image_sets_its_code",
    ),
    Fault(
        "samples of the explorer move the caller's random numbers",
        "explore/view.py",
        "seeded(seed), evaluating(self.pair)",
        "evaluating(self.pair)",
        "explore/test_view.py::test_a_pair_is_left_as_it_was",
    ),
    Fault(
        "a strip ends in a gap",
        "explore/pictures.py",
        "np.concatenate(parts[:-1], axis=-1)",
        "np.concatenate(parts, axis=-1)",
        "explore/test_pictures.py::test_a_strip_sets_images_side_by_side",
    ),
    Fault(
        "pixels beyond white wrap around",
        "explore/pictures.py",
        "np.clip(array, 0.0, 1.0) * 255",
        "array * 255",
        "explore/test_pictures.py::test_the_pixels_are_those_of_the_array",
    ),
]
