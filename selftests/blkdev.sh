#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# A block device whose driver allocates from goheap, by mempools, is written with more
# than the machine has memory: reclaim waits for writeback, and that for goheap.
. ./lib.sh

[ -f $MODULES/goheap_blkdev.ko ] || skip_all "no block devices"
grep -q " kasan_report$" /proc/kallsyms && skip_all "KASAN needs more memory"

free_mb=$(awk '/^MemFree/ { print int($2 / 1024) }' /proc/meminfo)
log_mark blkdev
check "the device is there" insmod $MODULES/goheap_blkdev.ko size_mb=4096
check "more is written than there is memory" \
	dd if=/dev/zero of=/dev/ghblk bs=1M count=$((free_mb * 3 / 2)) conv=fsync
check "and it goes" rmmod goheap_blkdev
check_not "nobody was killed" log_has "Out of memory"
finish
