#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# A cache that is destroyed too early is reported, and does no other harm.
. ./lib.sh

log_mark leak
insmod $MODULES/goheap_stress.ko || not_ok "goheap_stress.ko loads"
expect_begin
check "scenario leak" scenario leak
check "the leak is reported with the cache's name" \
	log_has "goheap: cache leak: stress-leaky"
check "and with the number of objects" \
	log_has "goheap:   11 objects of 600 bytes are lost"
check "objects are listed" \
	[ "$(log_since | grep -c 'goheap:   object [^ ]*$')" -ge 1 ]
check "scenario private works after it" scenario private
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
