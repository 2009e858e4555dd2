"""The console command ``equilux``."""

import signal
import sys

from . import _lib


def main() -> int:
    """Runs the command line with the process's arguments; returns the exit status."""
    # Ctrl-C ends it as it ends any program.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _lib.main(sys.argv)
