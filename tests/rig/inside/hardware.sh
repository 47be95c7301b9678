#!/bin/sh
# A Raspberry Pi's parts for laned, made of modules: 28 GPIO lines, an I2C bus with a panel on it,
# and a /proc/cpuinfo that says which Pi it is, as gpiozero wants to know.
set -e
modprobe -a configfs gpio-sim recorder
mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug
pi=/sys/kernel/config/gpio-sim/pi
mkdir -p $pi/bank
echo 28 > $pi/bank/num_lines
echo pinctrl-bcm2835 > $pi/bank/label
echo 1 > $pi/live
{ cat /proc/cpuinfo; printf 'Revision\t: c03111\n'; } > /run/cpuinfo
mount --bind /run/cpuinfo /proc/cpuinfo
