#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# What CPUs, transfer caches and nodes hold back is given back when nobody needs
# it, without anybody asking for it.
. ./lib.sh

# falls_to_zero FIELD: within a minute, which is much more than it should take
falls_to_zero()
{
	left=60
	while [ "$(stat_of "$1")" != 0 ] && [ $left -gt 0 ]; do
		sleep 1
		left=$((left - 1))
	done
	echo "# $1 after $((60 - left)) s: $(stat_of "$1")"
	[ "$(stat_of "$1")" = 0 ]
}

insmod $MODULES/goheap_stress.ko || not_ok "goheap_stress.ko loads"
check "scenario reuse" scenario reuse
check "scenario hold" scenario hold
check "scenario release" scenario release
check "something is held back" [ "$(stat_of cached)" -gt 0 ]
check "objects in magazines and batches go back by themselves" \
	falls_to_zero cached
check "freed spans go back by themselves" falls_to_zero cached_spans
check "identities hold then" identities
rmmod goheap_stress
finish
