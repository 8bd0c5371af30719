"""Faults in dSprites: the order of factors, indices, splits, the drawing and the stored words."""

from faults.fault import Fault

FACTORED, RENDERER, SPRITES = "datasets/factored.py", "datasets/renderer.py", "datasets/sprites.py"
IMAGES = "datasets/images.py"
PACKED, SOURCES, ORIGINAL = "datasets/bitpacked.py", "datasets/storage.py", "datasets/original.py"
OF_DSPRITES = "datasets/test_dsprites.py::"
OF_RENDERER = "datasets/test_renderer.py::"
OF_PACKED = "datasets/test_bitpacked.py::"
OF_ORIGINAL = "datasets/test_original.py::"

FAULTS = [
    Fault(
        "posX varies faster than posY",
        RENDERER,
        "torch.stack(torch.unravel_index(number, FACTOR_SIZES), dim=-1)",
        "torch.stack(torch.unravel_index(number, FACTOR_SIZES), dim=-1)[:, [0, 1, 2, 4, 3]]",
        OF_DSPRITES + "test_the_order_is_the_original_one",
    ),
    Fault(
        "the index of a picture is off by one",
        FACTORED,
        "        number = number * size + factors[:, column]\n    return number",
        "        number = number * size + factors[:, column]\n    return (number + 1) % 737280",
        OF_DSPRITES + "test_index_is_the_inverse_of_factors",
    ),
    Fault(
        "a stored picture is its neighbor",
        SOURCES,
        "return self._words.index_select(0, place)",
        "return self._words.index_select(0, (place + 1) % len(self._words))",
        OF_DSPRITES + "test_stored_and_drawn_are_the_same",
    ),
    Fault(
        "the parts of a split share a picture",
        IMAGES,
        "order[n_train : n_train + n_test]",
        "order[n_train - 1 : n_train - 1 + n_test]",
        OF_DSPRITES + "test_a_split_is_disjoint_and_repeatable",
    ),
    Fault(
        "a split ignores its seed",
        IMAGES,
        "torch.Generator().manual_seed(seed)",
        "torch.Generator().manual_seed(0)",
        OF_DSPRITES + "test_a_split_is_disjoint_and_repeatable",
    ),
    Fault(
        "a part answers with the rank and not the index",
        FACTORED,
        "return self._order[at]",
        "return at",
        OF_DSPRITES + "test_a_part_has_the_same_methods",
    ),
    Fault(
        "a picture that is not in a part is given another",
        FACTORED,
        "        if missing.any():",
        "        if False:",
        OF_DSPRITES + "test_a_part_says_what_is_not_in_it",
    ),
    Fault(
        "shapes turn the other way",
        RENDERER,
        "* (-2 * math.pi / 39)",
        "* (2 * math.pi / 39)",
        OF_RENDERER + "test_orientation_turns_anticlockwise_as_seen",
    ),
    Fault(
        "a full turn takes forty orientations",
        RENDERER,
        "(orientation % 39).double() * (-2 * math.pi / 39)",
        "orientation.double() * (-2 * math.pi / 40)",
        OF_RENDERER + "test_the_last_orientation_is_the_first",
    ),
    Fault(
        "posX and posY change places in the drawing",
        RENDERER,
        "x = _snap(local[..., 0] + _center(pos_x)[:, None])\n    y = _snap(local[..., 1] + _center(pos_y)[:, None])",
        "x = _snap(local[..., 0] + _center(pos_y)[:, None])\n    y = _snap(local[..., 1] + _center(pos_x)[:, None])",
        OF_RENDERER + "test_positions_move_the_center",
    ),
    Fault(
        "the scales are spaced too closely",
        RENDERER,
        "0.5 + 0.1 * scale.double()",
        "0.6 + 0.08 * scale.double()",
        OF_RENDERER + "test_real_frames_are_exact_to_the_pixel",
    ),
    Fault(
        "vertices are cut and not rounded to the grid",
        RENDERER,
        "(pixels * _GRID + 0.5).floor()",
        "(pixels * _GRID).floor()",
        OF_RENDERER + "test_real_frames_are_exact_to_the_pixel",
    ),
    Fault(
        "the heart stands on its head",
        SPRITES,
        "torch.stack([SIDE * x, -SIDE * y], dim=-1)",
        "torch.stack([SIDE * x, SIDE * y], dim=-1)",
        OF_RENDERER + "test_real_frames_are_exact_to_the_pixel",
    ),
    Fault(
        "the ellipse is stretched a little less",
        SPRITES,
        "ASPECT = 1.33 ",
        "ASPECT = 1.32 ",
        OF_RENDERER + "test_real_frames_are_exact_to_the_pixel",
    ),
    Fault(
        "drawing everything puts posX before posY",
        RENDERER,
        ".permute(0, 3, 1, 2)",
        ".permute(0, 1, 3, 2)",
        OF_RENDERER + "test_drawing_everything_is_drawing_each",
    ),
    Fault(
        "the first column is the highest bit",
        PACKED,
        "torch.arange(64))\n",
        "torch.arange(63, -1, -1))\n",
        OF_PACKED + "test_bit_j_of_a_word_is_column_j",
    ),
    Fault(
        "a file with too few pictures is kept",
        PACKED,
        "if rows != count:",
        "if False:",
        OF_PACKED + "test_a_wrong_number_of_pictures_is_no_file",
    ),
    Fault(
        "a change of pictures in memory reaches the file",
        PACKED,
        "shared=False",
        "shared=True",
        OF_PACKED + "test_a_file_gives_back_its_words_and_a_change_does_not_reach_it",
    ),
    Fault(
        "an original in another order is taken",
        ORIGINAL,
        "    if wrong.any():",
        "    if False:",
        OF_ORIGINAL + "test_another_order",
    ),
    Fault(
        "pixels other than zero and one are taken",
        ORIGINAL,
        "            if images.max() > 1:",
        "            if False:",
        OF_ORIGINAL + "test_a_value_other_than_zero_and_one",
    ),
]
