"""How modules are imported: the optional ones, and many at once."""

import contextlib
import gc
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


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Pauses the garbage collector while objects are made that are there to stay.

    After `import optax` it is about to go through all that JAX has made, and for as
    many objects as these it would do so twice, finding nothing.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
