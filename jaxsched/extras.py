"""Optional dependencies: imported where they are used, named where they are missing."""

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def extra(name: str) -> Iterator[None]:
    """Makes a failing import inside say which extra of this package installs it.

    Args:
        name: The extra, as in `pip install "jaxsched[name]"`.

    Raises:
        ImportError: If it does fail.

    Example:
        >>> with extra("search"):
        ...     import no_such_module
        Traceback (most recent call last):
        ImportError: No module named 'no_such_module'; pip install "jaxsched[search]"
    """
    try:
        yield
    except ImportError as error:
        raise ImportError(f'{error}; pip install "jaxsched[{name}]"') from None
