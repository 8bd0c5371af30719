"""A fuzzer for every public callable: hostile values for each argument, and what may come of them.

* ``entries.py`` says how each public callable is called with sound arguments. **A new public callable needs an entry
  there**: one line, ``"part.name": lambda: {"argument": value, ...}``, with every argument that is worth an attack.
* ``hostile.py`` makes hostile values, and hostile versions of sound ones.
* ``judge.py`` runs a call and says whether what came of it is allowed.
* ``test_fuzz.py`` makes 2,000 calls in the suite; ``python tests/fuzz/run.py --calls 50000`` (``make fuzz``) more.
"""
