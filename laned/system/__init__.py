"""The box: systemd, watchdog, log, metrics, clock, one daemon for one lane.

Observers and small services around the lane; without any of them it would pay all the same.
"""
