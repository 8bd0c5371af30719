"""Faults in what is kept: checkpoints and what a resumed run restores, files, and descriptions of pairs."""

from faults.fault import Fault

KEEPER, CHECKPOINT = "training/checkpointer.py", "training/checkpoints/checkpoint.py"
FILES, DESCRIBED = "files.py", "config.py"
RESUME = "training/test_fit.py::test_resume_is_bit_exact"
OF_CHECKPOINT = "training/checkpoints/test_checkpoint.py::"
OF_FILES = "test_files.py::"
OF_DESCRIBED = "test_config.py::"

FAULTS = [
    Fault(
        "the random state is not restored",
        KEEPER,
        "            torch.set_rng_state(run.team.own_random(state.tensors))\n",
        "",
        RESUME,
    ),
    Fault(
        "the optimizer's state is not restored",
        KEEPER,
        '                unpack(run.optimizer, state.part("optimizer"), facts, run.parts.lr_schedule is not None)\n',
        "",
        RESUME,
    ),
    Fault(
        "the weights are not restored",
        KEEPER,
        '        set_weights(run.pair, state.part("pair"), self.path)\n',
        "",
        RESUME,
    ),
    Fault(
        "the history is not restored",
        KEEPER,
        '            run.resume_history(tuple(facts["columns"]), history)\n',
        "",
        RESUME,
    ),
    Fault(
        "the step is not restored",
        KEEPER,
        'run.step, run.seconds = facts["step"], float(facts["seconds"])',
        'run.seconds = float(facts["seconds"])',
        RESUME,
    ),
    Fault(
        "a checkpoint lacks the history of its last steps",
        "training/run.py",
        "if due or validated or len(self._rows) == FLUSH_EVERY:",
        "if validated or len(self._rows) == FLUSH_EVERY:",
        "training/test_fit.py::test_a_checkpoint_on_the_way_has_a_row_for_each_step_before_it",
    ),
    Fault(
        "weights that are not finite are kept",
        KEEPER,
        "if not torch.isfinite(weight).all():",
        "if False:",
        "training/test_fit.py::test_weights_that_overflow_are_never_kept",
    ),
    Fault(
        "another run's checkpoint is taken for one's own",
        KEEPER,
        "if differing := difference(theirs.get(name, SINCE.get(name)), value, name):",
        "if False:",
        OF_CHECKPOINT + "test_another_runs_checkpoint_is_refused",
    ),
    Fault(
        "a checkpoint is overwritten without a word",
        KEEPER,
        "if self.path.exists() and not resume:",
        "if False:",
        OF_CHECKPOINT + "test_a_checkpoint_is_not_overwritten_by_accident",
    ),
    Fault(
        "what a killed process left is not removed",
        KEEPER,
        "            remove_leftovers(folder, FILE_NAME)\n",
        "            pass\n",
        OF_CHECKPOINT + "test_leftovers_of_a_killed_process_are_removed",
    ),
    Fault(
        "the digest of a file is not compared",
        CHECKPOINT,
        'if metadata["digest"] != ',
        "if False and None != ",
        OF_CHECKPOINT + "test_a_flipped_byte_is_noticed",
    ),
    Fault(
        "the digest of a file leaves the numbers out",
        CHECKPOINT,
        "        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)\n",
        "",
        OF_CHECKPOINT + "test_a_flipped_byte_is_noticed",
    ),
    Fault(
        "buffers are not saved",
        CHECKPOINT,
        "reversed(pair.state_dict(keep_vars=True).items())",
        "reversed(list(pair.named_parameters()))",
        "models/test_vae.py::test_beta_can_be_loaded_into_a_pair_that_had_none",
    ),
    Fault(
        "a float64 pair comes back as float32",
        CHECKPOINT,
        "        pair.to(dtypes.pop())",
        "        pass",
        "models/test_contract.py::test_saving_and_loading_keeps_every_bit",
    ),
    Fault(
        "files are written in place",
        FILES,
        "        os.replace(temporary, path)\n",
        "        path.write_bytes(Path(temporary).read_bytes())\n        os.unlink(temporary)\n",
        OF_FILES + "test_an_interruption_at_any_step_leaves_the_old_file_whole_and_nothing_else",
        OF_FILES + "test_a_reader_sees_the_old_file_until_the_new_one_is_whole_on_disk",
    ),
    Fault(
        "a file is renamed before it is on the disk",
        FILES,
        "            os.fsync(file.fileno())\n",
        "",
        OF_FILES + "test_a_reader_sees_the_old_file_until_the_new_one_is_whole_on_disk",
    ),
    Fault(
        "a write that fails leaves half a file beside",
        FILES,
        "            Path(temporary).unlink(missing_ok=True)\n",
        "            pass\n",
        OF_FILES + "test_an_interruption_at_any_step_leaves_the_old_file_whole_and_nothing_else",
    ),
    Fault(
        "files are hidden from everyone else",
        FILES,
        "        os.chmod(temporary, 0o666 & ~_umask())",
        "        _umask()",
        OF_FILES + "test_the_mode_is_that_of_any_new_file",
    ),
    Fault(
        "what two parts share becomes two",
        DESCRIBED,
        "if id(value) in seen:",
        "if False:",
        OF_DESCRIBED + "test_what_is_shared_stays_shared_and_what_is_equal_stays_two",
    ),
    Fault(
        "a base class speaks for its subclass",
        DESCRIBED,
        'if "_arguments" in self.__dict__:',
        "if False:",
        OF_DESCRIBED + "test_a_subclass_is_described_by_its_own_arguments",
    ),
    Fault(
        "a rebuilt tensor forgets its type",
        DESCRIBED,
        'torch.zeros(value["tensor"], dtype=getattr(torch, value["dtype"]))',
        'torch.zeros(value["tensor"])',
        OF_DESCRIBED + "test_a_tensor_keeps_its_place_shape_and_type",
    ),
    Fault(
        "a class that borrows a name is taken for its owner",
        DESCRIBED,
        "return _CLASSES[cls.__qualname__].__module__ == cls.__module__",
        "return True",
        OF_DESCRIBED + "test_a_class_that_borrows_a_name_is_not_mistaken_for_its_owner",
    ),
]
