"""``python -m lowshot``, which is also what ``torchrun -m lowshot`` starts."""

from lowshot.cli import main

main()
