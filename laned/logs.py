"""Where the log goes: stderr, one line per event, with what systemd's journal needs to sort it."""

import logging
import sys


class OneLine(logging.Formatter):
    """A record's message on one line, whatever the network has put into it."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Format the line, with what is not printable escaped."""
        line = super().formatMessage(record)
        return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)


def log_to_stderr(level: int = logging.INFO) -> None:
    """Log to stderr; libraries only when something is wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for library in ("httpx", "httpcore", "hypercorn", "PIL"):
        logging.getLogger(library).setLevel(logging.WARNING)
