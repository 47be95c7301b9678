#!/bin/sh
# A Raspberry Pi's parts for laned, made of modules: 28 GPIO lines, an I2C bus with a panel on it,
# and which Pi it is.
set -e
modprobe -a configfs gpio-sim pi recorder
mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug
pi=/sys/kernel/config/gpio-sim/pi
mkdir -p $pi/bank
echo 28 > $pi/bank/num_lines
echo pinctrl-bcm2835 > $pi/bank/label
echo 1 > $pi/live
