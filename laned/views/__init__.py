"""What others see of the lane's state: the till, the customer, systemd. All of it pure.

A view takes a `LaneState` and changes nothing; texts for people are here and in no other folder.
A new fact to show is a field of a view, made from what the state has already.
"""
