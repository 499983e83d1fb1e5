"""The mutation score of the rules that a mistake in would cost an account: `python -m tests.mutants`."""
