"""The lane: the whole behaviour, and pure. `machine.handle(state, event, now)` is its only door.

No trio, no clock, no chance, no files, no logging, and no import from any other folder but
`config` and `nexo.messages`. What an event does in a phase stands in `table.TABLE`; the rules
that decide about money are in MONEY_RULES.md, and code cites them by number. Change a rule there,
then here, then its test and its mutant in tests/mutants.
"""
