#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# A client that gives an object to vfree() unmaps a part of the heap. It is noticed
# and reported, and the heap goes on without that part.
. ./lib.sh

dmesg | grep "goheap: [a-z]* arenas of" | tail -n 1 | grep -q eager &&
	skip_all "arenas are eager here"

# It may scan what was unmapped before goheap notices.
[ -e /sys/kernel/debug/kmemleak ] && skip_all "kmemleak would oops"

log_mark damage
insmod $MODULES/goheap_stress.ko || not_ok "goheap_stress.ko loads"
expect_begin
check "the heap goes on without what was unmapped" scenario damage
check "the damage is reported" log_has "goheap: damage: somebody unmapped"
check "and what was lost with it" log_has "goheap:   [0-9]* spans are lost"
check_reload_after_loss
finish
