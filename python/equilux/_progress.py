"""Progress bars, where tqdm is there."""

from __future__ import annotations

from typing import Any


def bar(progress: bool | None, unit: str, total: int = 0, initial: int = 0) -> Any:
    """A bar, or None: `progress` asks for one (True), for none (False), or for one in a terminal or
    a notebook."""
    if progress is False:
        return None
    try:
        from tqdm.auto import tqdm
    except ImportError:
        if progress:
            raise
        return None
    # disable=None: silent where there is no terminal; a notebook's bar shows itself.
    disable = None if progress is None else False
    return tqdm(total=total, initial=initial, disable=disable, unit=unit)
