"""Faults in what guards a run: digests, locks, files from strangers, and the image cache."""

from faults.fault import Fault

DIGEST, LOCKS, READER = "training/digest.py", "locks.py", "training/tensor_file.py"
OPTIMIZER, BUILD, CHECKPOINT = "training/optimizer_state.py", "training/bounded_build.py", "training/checkpoint.py"
CHECKPOINTER, CONFIG, FILES = "training/checkpointer.py", "config.py", "files.py"
OF_DIGEST, OF_CRAFTED = "training/test_digest.py::", "training/test_crafted.py::"

FAULTS = [
    Fault(
        "the digest looks at the first block of a tensor alone",
        DIGEST,
        "    for block in x.detach().split(rows) if x.dim() else (x.detach(),):",
        "    for block in (x.detach()[:64],):",
        OF_DIGEST + "test_each_image_in_memory_counts",
    ),
    Fault(
        "the digest leaves out type and shape",
        DIGEST,
        '    digest.update(f"{x.dtype} {tuple(x.shape)}".encode())\n',
        "",
        OF_DIGEST + "test_type_and_shape_count",
    ),
    Fault(
        "the digest of a part leaves out which items it has",
        DIGEST,
        "        _add(digest, torch.as_tensor(list(dataset.indices)))\n",
        "",
        OF_DIGEST + "test_another_order_is_another_data_set",
    ),
    Fault(
        "items that are random are compared",
        DIGEST,
        "if not all(map(_equal, once, again)):",
        "if False:",
        OF_DIGEST + "test_data_with_random_items_is_known_by_its_length",
    ),
    Fault(
        "the digest moves torch's generator",
        DIGEST,
        "    with torch.random.fork_rng(devices=[]):\n",
        "    if True:\n",
        OF_DIGEST + "test_a_digest_reads_few_items_and_leaves_the_random_numbers_alone",
    ),
    Fault(
        "the digest of a map-style data set reads none of its items",
        DIGEST,
        "    for image in once:\n        _add(digest, image)\n",
        "",
        OF_DIGEST + "test_a_map_style_data_set_is_compared",
    ),
    Fault(
        "the settings of an optimizer's groups are not compared",
        OPTIMIZER,
        'return {"class": type(optimizer).__name__, "groups": groups}',
        'return {"class": type(optimizer).__name__}',
        OF_DIGEST + "test_the_settings_of_an_optimizers_groups_are_compared",
    ),
    Fault(
        "a lock is taken while another holds it",
        LOCKS,
        "                file.close()\n                return False\n",
        "                return True\n",
        OF_DIGEST + "test_a_folder_is_one_processes_until_it_ends_by_a_kill_too",
        OF_DIGEST + "test_two_runs_of_one_process_do_not_share_a_folder_either",
    ),
    Fault(
        "a lock that is given back stays behind",
        LOCKS,
        "                self.path.unlink(missing_ok=True)\n",
        "                pass\n",
        OF_DIGEST + "test_a_folder_is_one_processes_until_it_ends_by_a_kill_too",
    ),
    Fault(
        "a lock removes another's file",
        LOCKS,
        "if self._is_there(self._file):",
        "if True:",
        OF_DIGEST + "test_a_folder_that_was_made_anew_keeps_its_new_holders_lock",
    ),
    Fault(
        "a run that is refused keeps its folder",
        CHECKPOINTER,
        "        except BaseException:\n            self.close()\n",
        "        except BaseException:\n            globals().setdefault('_KEPT', []).append(self)\n",
        OF_DIGEST + "test_a_run_that_fails_gives_its_folder_back",
    ),
    Fault(
        "SIGTERM kills a run",
        "training/fit.py",
        "for number in (signal.SIGINT, signal.SIGTERM)}",
        "for number in (signal.SIGINT,)}",
        OF_DIGEST + "test_sigterm_ends_a_run_with_a_checkpoint",
    ),
    Fault(
        "an optimizer takes buffers that are not finite",
        OPTIMIZER,
        "if value.is_floating_point() and not torch.isfinite(value).all():",
        "if False:",
        OF_CRAFTED + "test_a_run_whose_state_does_not_fit_is_refused",
    ),
    Fault(
        "an optimizer takes groups of other weights",
        OPTIMIZER,
        '        if their.get("params") != my["params"]:',
        "        if False:",
        OF_CRAFTED + "test_a_run_whose_facts_do_not_fit_is_refused",
    ),
    Fault(
        "what a file describes is built whatever it takes",
        BUILD,
        "        if size > self.most or self.spent > 4 * self.most:",
        "        if False:",
        OF_CRAFTED + "test_facts_that_describe_no_pair_are_refused",
    ),
    Fault(
        "a long header is read",
        READER,
        "    if length > LONGEST_HEADER:",
        "    if False:",
        OF_CRAFTED + "test_a_long_header_is_refused_before_it_is_read",
    ),
    Fault(
        "tensors of a file may overlap",
        READER,
        "        if begin != at:",
        "        if False:",
        OF_CRAFTED + "test_headers_that_are_not_sound_are_refused",
    ),
    Fault(
        "weights that are not finite are loaded",
        CHECKPOINT,
        '        return [f"{name} is not finite there"]\n',
        "        return []\n",
        OF_CRAFTED + "test_weights_that_no_pair_has_are_refused_and_nothing_is_copied",
    ),
    Fault(
        "truth values are loaded as weights",
        CHECKPOINT,
        "    if not same_kind:",
        "    if False:",
        OF_CRAFTED + "test_weights_that_no_pair_has_are_refused_and_nothing_is_copied",
    ),
    Fault(
        "a negative beta is loaded",
        CHECKPOINT,
        'if name == "beta" and not 0 <= float(there) < float("inf"):',
        "if False:",
        OF_CRAFTED + "test_weights_that_no_pair_has_are_refused_and_nothing_is_copied",
    ),
    Fault(
        "files of format 1 are refused",
        CHECKPOINT,
        "OLDEST = 1",
        "OLDEST = 2",
        OF_CRAFTED + "test_files_of_format_1_are_still_read",
    ),
    Fault(
        "a pair of another make receives weights",
        CHECKPOINT,
        "    elif differing := difference(description, describe(into), travels=buffers_of(into)):",
        "    elif differing := None:",
        OF_CRAFTED + "test_a_pair_of_another_make_does_not_receive_weights",
    ),
    Fault(
        "β does not travel with the weights",
        CONFIG,
        "if key in travels or (",
        "if (",
        OF_CRAFTED + "test_a_pair_of_another_make_does_not_receive_weights",
    ),
    Fault(
        "layers of a network of one's own are not compared",
        CONFIG,
        'settings = f"({module.extra_repr()})" if cls.__module__.startswith("torch.nn.") else ""\n'
        '    return f"{cls.__qualname__}{settings}"',
        'return ""',
        OF_CRAFTED + "test_parts_of_ones_own_are_compared_by_their_layers",
    ),
    Fault(
        "brackets may nest as deep as they like",
        FILES,
        "    if deepest > DEEPEST:",
        "    if False:",
        OF_CRAFTED + "test_json_is_read_in_bounds",
    ),
]
