"""The OLED and the buttons: gpiozero and luma.oled, and what they lack.

Everything that blocks runs in a thread, and what fails is told and tried again: nothing here may
delay or end the lane. `display` and `buttons` are the two adapters, the rest is theirs.
"""
