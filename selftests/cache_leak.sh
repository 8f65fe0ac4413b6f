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
check "once" \
	[ "$(log_since | grep -c 'goheap: cache leak: ')" = 1 ]
check "and with the number of objects" \
	log_has "goheap:   11 objects of 600 bytes are lost"
check "objects are listed" \
	[ "$(log_since | grep -c 'goheap:   object [^ ]*$')" -ge 1 ]
check "scenario private works after it" scenario private
check_reload_after_loss
finish
