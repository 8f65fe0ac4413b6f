#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# A client that gives an object to vfree() unmaps a part of the heap. It is noticed
# and reported, and the heap goes on without that part.
. ./lib.sh

[ "$(stat_of committed)" = $(($(stat_of arenas) * 67108864)) ] &&
	skip_all "arenas are eager here"

# It may scan what was unmapped before goheap notices.
[ -e /sys/kernel/debug/kmemleak ] && skip_all "kmemleak would oops"

log_mark damage
insmod $MODULES/goheap_stress.ko || not_ok "goheap_stress.ko loads"
expect_begin
check "the heap goes on without what was unmapped" scenario damage
check "the damage is reported" log_has "goheap: damage: somebody unmapped"
check "and what was lost with it" log_has "goheap:   [0-9]* spans are lost"
rmmod goheap_stress
check "nothing keeps goheap from being unloaded" unload
check "the loss is reported at unload" log_has "goheap: unload leak: "
expect_end
log_mark reloaded
check "goheap is loaded again" load
insmod $MODULES/goheap_stress.ko
check "scenario private works in the new one" scenario private
rmmod goheap_stress
check "goheap is unloaded" unload
check_not "and this one lost nothing" log_has "goheap: unload leak"
load
finish
