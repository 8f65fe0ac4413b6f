#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# A scenario of goheap_stress.ko: stress.sh NAME
. ./lib.sh
run_scenario "$1"
