#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Fifty times loaded, used and unloaded, and no page is lost.
#
# Free pages are counted with those on the CPUs' own lists. They go up and down
# by themselves, so that only a trend counts: the slope of the line through the
# later cycles, in pages a cycle. A page lost in every cycle is a slope of 1.
#
# On a debug kernel, where KASAN keeps freed slab objects back for a long time,
# slab pages count as free ones: kmemleak looks after them. Its own memory and
# lockdep's still move; there, the metadata of an arena (18 pages) is the aim.
. ./lib.sh

CYCLES=50
WARM_UP=10
SLOPE_MAX_100=50
also="^$"
if [ -e /sys/kernel/debug/kmemleak ]; then
	SLOPE_MAX_100=500
	also="nr_slab_"
fi

free_pages()
{
	echo 3 >/proc/sys/vm/drop_caches
	echo 1 2>/dev/null >/proc/sys/vm/stat_refresh
	# Pages on a CPU's list: "count:" under "pagesets".
	awk -v also="$also" '
	/nr_free_pages/ { n += $2 }
	$1 == "count:" { n += $2 }
	$0 ~ also { n += $2 }
	END { print n }' /proc/zoneinfo
}

kernel_maps()
{
	awk '/^VmallocUsed:/ { v = $2 } /^Percpu:/ { p = $2 }
	     END { print v, p }' /proc/meminfo
}

# Slope of the least-squares line through "x y" lines, times 100.
slope()
{
	awk '{ n++; sx += $1; sy += $2; sxx += $1 * $1; sxy += $1 * $2 }
	     END { printf "%d\n", 100 * (n * sxy - sx * sy) / (n * sxx - sx * sx) }'
}

failed=0
log_mark start
unload
i=1
while [ $i -le $CYCLES ]; do
	load && insmod $MODULES/goheap_client.ko &&
		rmmod goheap_client && unload || failed=$((failed + 1))
	# The first ones fill the kernel's own caches.
	[ $i -gt $WARM_UP ] && echo "$i $(free_pages) $(kernel_maps)"
	i=$((i + 1))
done >/tmp/reload

check "$CYCLES cycles of load, use and unload" [ $failed = 0 ]
check_not "goheap reports no leak" log_has "goheap: unload leak"

pages=$(cut -d' ' -f1,2 /tmp/reload | slope)
vmalloc=$(cut -d' ' -f1,3 /tmp/reload | slope)
percpu=$(cut -d' ' -f1,4 /tmp/reload | slope)
echo "# a cycle: free pages $pages / 100, VmallocUsed $vmalloc / 100 kB," \
	"Percpu $percpu / 100 kB"
check "free pages do not become fewer" [ "$pages" -gt -$SLOPE_MAX_100 ]
check "vmalloc's memory does not become more" \
	[ "$vmalloc" -lt $((4 * SLOPE_MAX_100)) ]
check "per-CPU memory does not become more" [ "$percpu" -lt 100 ]
check "goheap is loaded again" load
finish
