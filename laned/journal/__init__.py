"""The journal: the truth across lives, in one SQLite file.

`store` reads and writes, `schema` has the tables and their migrations (append, never edit one that
was released), `files` what lies beside the database. Nothing here decides; an entry is written as
the lane made it.
"""
