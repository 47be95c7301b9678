"""The configuration: TOML in, frozen settings out.

`schema` has the tables as structs, `toml_reader` makes them from a file with an error for each
mistake. A new key goes into `schema` and into config/laned.toml; `reload` says whether it changes
while the daemon runs. Imports nothing of laned but the parts of itself.
"""
