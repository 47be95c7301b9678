"""The lane: what happens when, as pure functions of state and event. No I/O, no clock."""
