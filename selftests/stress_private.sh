#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The scenario "private" of goheap_stress.ko.
. ./lib.sh
run_scenario private
