#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Free memory goes back when the system is short of it.
. ./lib.sh

# Not by the background worker: that keeps eleven times the recent peak.
echo 1000 >$PARAMS/retain_percent
insmod $MODULES/goheap_stress.ko || not_ok "goheap_stress.ko loads"
check "scenario pressure" scenario pressure
rmmod goheap_stress
echo 10 >$PARAMS/retain_percent
finish
