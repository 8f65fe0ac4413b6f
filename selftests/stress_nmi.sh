#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The scenario "nmi" of goheap_stress.ko.
. ./lib.sh
run_scenario nmi
