#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Fifty times loaded, used and unloaded, and no page is lost.
#
# Counted are pages that are free, on the CPUs' own lists too, and those that the
# kernel can say the use of: slab, page tables, kernel stacks, processes, files.
# What then is missing is vmalloc's, which is looked at apart, or lost. The count
# goes up and down by itself, and at times takes a step, so that only its trend
# says something: the median of the slopes between any two of the later cycles. A
# page lost in every cycle is a slope of -1.
. ./lib.sh

CYCLES=50
WARM_UP=10
# Pages a cycle, times 100. KASAN and lockdep take memory for themselves; there,
# the metadata of an arena (18 pages) is the aim.
SLOPE_MAX=50
[ -e /sys/kernel/debug/kmemleak ] && SLOPE_MAX=500

known_pages()
{
	echo 3 >/proc/sys/vm/drop_caches
	echo 1 2>/dev/null >/proc/sys/vm/stat_refresh
	# "count:" is a CPU's list, and nr_kernel_stack is in KiB. Every 2 MiB of
	# the direct map in small pages have a page table, as modules come and go.
	awk '
	$1 == "nr_free_pages" || $1 == "count:" || $1 ~ /^nr_slab_/ ||
	$1 ~ /^nr_(in)?active_/ || $1 == "nr_unevictable" ||
	$1 == "nr_page_table_pages" { n += $2 }
	$1 == "nr_kernel_stack" { n += $2 / 4 }
	$1 == "DirectMap4k:" { n += $2 / 2048 }
	END { printf "%d\n", n }' /proc/zoneinfo /proc/meminfo
}

kernel_maps()
{
	awk '/^VmallocUsed:/ { v = $2 } /^Percpu:/ { p = $2 }
	     END { print v, p }' /proc/meminfo
}

# The median slope (Theil and Sen's) of "x y" lines, times 100.
slope()
{
	awk '{ x[NR] = $1; y[NR] = $2 }
	     END {
		for (i = 1; i <= NR; i++)
			for (j = 1; j < i; j++)
				printf "%d\n", 100 * (y[i] - y[j]) / (x[i] - x[j])
	     }' | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

failed=0
log_mark start
unload
i=1
while [ $i -le $CYCLES ]; do
	load && insmod $MODULES/goheap_client.ko &&
		rmmod goheap_client && unload || failed=$((failed + 1))
	# The first ones fill the kernel's own caches.
	[ $i -gt $WARM_UP ] && echo "$i $(known_pages) $(kernel_maps)"
	i=$((i + 1))
done >/tmp/reload

check "$CYCLES cycles of load, use and unload" [ $failed = 0 ]
check_not "goheap reports no leak" log_has "goheap: unload leak"

pages=$(cut -d' ' -f1,2 /tmp/reload | slope)
vmalloc=$(cut -d' ' -f1,3 /tmp/reload | slope)
percpu=$(cut -d' ' -f1,4 /tmp/reload | slope)
echo "# a cycle: pages $pages / 100, VmallocUsed $vmalloc / 100 kB," \
	"Percpu $percpu / 100 kB"
check "no page is lost" [ "$pages" -gt -$SLOPE_MAX ]
check "vmalloc's memory does not become more" \
	[ "$vmalloc" -lt $((4 * SLOPE_MAX)) ]
check "per-CPU memory does not become more" [ "$percpu" -lt 100 ]
check "goheap is loaded again" load
finish
