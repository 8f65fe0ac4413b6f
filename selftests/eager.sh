#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The back-end of other architectures works on this one, too.
. ./lib.sh

unload
log_mark eager
check "goheap loads with vmem=eager" load vmem=eager
check "and says so" log_has "goheap: eager arenas"
check "everything is committed" [ "$(stat_of heap_released)" = 0 ]
check "the client works" insmod $MODULES/goheap_client.ko
check "the statistics are consistent" identities
rmmod goheap_client
insmod $MODULES/goheap_stress.ko scale=1
for name in reuse private lifecycle badfree; do
	check "scenario $name" scenario $name
done
rmmod goheap_stress
check "goheap is unloaded" unload
check_not "nothing was lost" log_has "goheap: unload leak"
check "goheap is loaded again" load
finish
