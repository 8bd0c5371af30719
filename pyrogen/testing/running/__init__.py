"""How the programs under test are run and looked at."""
