"""The command `laned`: `main` reads the arguments, `commands` speaks to the till's socket.

An exit status is a statement about money (`laned.exits`). Nothing is imported here before it is
used: `laned status` must not wait for libraries of the daemon.
"""
