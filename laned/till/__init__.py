"""The till's API: HTTP on a unix socket, JSON in and out (contract, section Till API)."""
