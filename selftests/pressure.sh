#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Free memory goes back when the system is short of it, and not before: the
# background worker is told to keep eleven times what is in use.
. ./lib.sh
trap 'echo 10 >$PARAMS/retain_percent' EXIT
echo 1000 >$PARAMS/retain_percent
run_scenario pressure
