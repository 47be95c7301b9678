"""Where the log goes: stderr, one line per event, with what systemd's journal needs to sort it."""

import logging
import sys


def log_to_stderr(level: int = logging.INFO) -> None:
    """Log to stderr; libraries only when something is wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for library in ("httpx", "httpcore", "hypercorn", "PIL"):
        logging.getLogger(library).setLevel(logging.WARNING)
