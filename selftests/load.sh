#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The module is loaded, used through the sample client, and unloaded.
. ./lib.sh

client=$MODULES/goheap_client.ko

cached_objects()
{
	awk '$1 == "goheap_client" { print $2 }' /proc/goheapinfo
}

log_mark start
check "goheap.ko is loaded" loaded goheap
check "nobody uses it" [ "$(refcount goheap)" = 0 ]
check "it has a version" [ -s /sys/module/goheap/version ]
check "/proc/goheapinfo is there" [ -e /proc/goheapinfo ]
check "its debugfs directory is there" [ -e $DEBUGFS/stats ]
check "it cannot be loaded twice" eval "! try_load"

check "the client loads" insmod "$client" count=5000
check "the client says what it did" \
	log_has "goheap_client: 5000 numbers, sum 12497500"
check "the client's cache is listed with its objects" \
	[ "$(cached_objects)" = 5000 ]
check "the statistics count the cache" [ "$(stat_of caches)" = 1 ]
check "the client and its cache use the module" \
	[ "$(refcount goheap)" -ge 2 ]
check_not "goheap is not unloaded while it is used" try_unload goheap
check "the client goes on" loaded goheap_client
check "the client is unloaded" rmmod goheap_client
check "the client's cache is gone" [ -z "$(cached_objects)" ]
check "nobody uses the module any more" [ "$(refcount goheap)" = 0 ]
check_not "a client with a bad parameter is not loaded" \
	eval "insmod $client count=0 2>/dev/null"
check "and leaves nothing behind" [ "$(stat_of caches)" = 0 ]

check "goheap is unloaded" unload
check_not "/proc/goheapinfo is gone" [ -e /proc/goheapinfo ]
check_not "its debugfs directory is gone" [ -e $DEBUGFS ]
check "goheap is loaded again" load
check_not "nothing was lost" log_has "goheap: unload leak"
finish
