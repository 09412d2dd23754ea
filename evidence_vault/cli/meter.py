"""How far a long transfer is: one line on a terminal, nothing where nobody watches."""

import sys


class Meter:
    """Shows `label  43 %` on stderr while bytes pass, if stderr is a terminal."""

    def __init__(self, label: str, total: int, *, quiet: bool = False) -> None:
        self._label = label
        self._total = total
        self._shown = -1
        self._watched = not quiet and sys.stderr.isatty()

    def __call__(self, done: int) -> None:
        """Note that `done` bytes have passed."""
        percent = 100 if self._total == 0 else done * 100 // self._total
        if self._watched and percent != self._shown:
            self._shown = percent
            end = "\n" if percent >= 100 else ""
            print(f"\r  {self._label}  {percent:3d} %", end=end, file=sys.stderr, flush=True)
