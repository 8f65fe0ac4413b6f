#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The scenario "shrink" of goheap_stress.ko.
. ./lib.sh
run_scenario shrink
