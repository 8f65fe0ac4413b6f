#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The statistics and listings are right: at rest, while objects are held, and
# after they were freed.
. ./lib.sh

# Lines of /proc/goheapinfo that do not have the form of slabinfo 2.1.
info_wrong()
{
	awk '
	NR == 1 { if ($0 != "slabinfo - version: 2.1") print; next }
	NR == 2 { if ($0 !~ /^# name/) print; next }
	NF != 16 || $7 != ":" || $8 != "tunables" || $12 != ":" ||
	$13 != "slabdata" { print; next }
	{
		for (i = 2; i <= 16; i++)
			if (i != 7 && i != 8 && i != 12 && i != 13 &&
			    $i !~ /^[0-9]+$/) {
				print
				next
			}
		# No more objects than fit, and as many as the slabs hold.
		if ($2 > $3 || $3 != $15 * $5)
			print
	}' /proc/goheapinfo
}

# info CACHE COLUMN
info()
{
	awk -v name="$1" -v column="$2" '$1 == name { print $column }' \
		/proc/goheapinfo
}

# Lines of arena_map that make no sense, or leave pages out, or could be one. A huge
# object stands for an arena of its own. An unused heap may have none.
map_wrong()
{
	awk '
	function check_end()
	{
		if (arena >= 0 && page != 8192 && !huge)
			print "arena " arena " has " page " pages"
	}
	BEGIN { arena = -1 }
	/^#/ { next }
	NF != 8 { print; next }
	{
		if ($1 != arena) {
			check_end()
			if ($1 != arena + 1)
				print "arena " $1 " comes after " arena
			arena = $1
			page = 0
			kind = ""
		}
		# A page that an arena has is in some state.
		if ($2 != page || $3 < 1 || $4 == "absent")
			print
		if ($4 == kind && (kind == "free" || kind == "released"))
			print "more than one line: " $0
		page = $2 + $3
		kind = $4
		huge = $2 == 0 && $3 > 4096 && $4 == "large"
	}
	END { check_end() }
	' $DEBUGFS/arena_map
}

check "identities hold at rest" identities
check "/proc/goheapinfo has the form of slabinfo 2.1" [ -z "$(info_wrong)" ]
check "the arena map is complete" [ -z "$(map_wrong)" ]

before=$(stat_of objects)
insmod $MODULES/goheap_stress.ko || not_ok "goheap_stress.ko loads"
check "scenario hold" scenario hold
check "identities hold with objects in use" identities
check "2000 objects are counted" [ $(($(stat_of objects) - before)) = 2000 ]
check "the cache is listed with its objects" [ "$(info stress-hold 2)" = 1000 ]
check "with their size" [ "$(info stress-hold 4)" = 120 ]
check "every line still has its form" [ -z "$(info_wrong)" ]
check "the arena map is still complete" [ -z "$(map_wrong)" ]
check "the map shows the cache" grep -q "cache:stress-hold" $DEBUGFS/arena_map
cat $DEBUGFS/arena_map >/tmp/map
held=$(awk '$4 == "cache:stress-hold" { n += $8 } END { print n }' /tmp/map)
[ "$held" = 1000 ] || sed 's/^/# /' /tmp/map
check "objects of the map are those of the statistics" [ "$held" = 1000 ]

check "scenario hold_arenas" scenario hold_arenas
check "the map of more than one arena is complete" [ -z "$(map_wrong)" ]

# A worker frees them.
huge_falls_to()
{
	for second in $(seq 30); do
		[ "$(stat_of huge)" -le "$1" ] && return
		sleep 1
	done
	echo "# after $second s: $(stat_of huge)"
	return 1
}

# Half of the huge objects go while a reader is in the middle of them.
check "scenario hold_huge" scenario hold_huge
half=$(awk '
	$4 == "large" && $3 > 4096 && ++n == 4 { print seen }
	{ seen += length($0) + 1 }
	' $DEBUGFS/arena_map)
check "at least four of them are in the map" [ -n "$half" ]
# Between two of its reads, it begins anew where it was.
dd bs=1 if=$DEBUGFS/arena_map of=/tmp/map 2>/dev/null
check "who reads byte by byte sees each of them" \
	[ "$(awk '$4 == "large" && $3 > 4096' /tmp/map | wc -l)" = 6 ]
exec 3<$DEBUGFS/arena_map
dd bs=1 count="${half:-1}" <&3 >/tmp/map 2>/dev/null
check "scenario thin_huge" scenario thin_huge
check "half of them are gone" huge_falls_to $((108 << 20))
cat <&3 >>/tmp/map
exec 3<&-
for mib in 34 36 38; do
	check "a reader of the map sees the object of $mib MiB once" \
		[ "$(grep -c " large 0 $((mib << 20)) " /tmp/map)" = 1 ]
done

check "scenario release" scenario release
check "the huge objects are gone" huge_falls_to 0
check "identities hold when all is freed" identities
check "no object is left" [ "$(stat_of objects)" = "$before" ]
check "the cache is not listed any more" [ -z "$(info stress-hold 2)" ]
# Eager arenas keep all of their memory.
if [ "$(stat_of heap_released)" != 0 ]; then
	echo 2 >/proc/sys/vm/drop_caches
	check "drop_caches makes goheap give its free memory back" \
		[ "$(stat_of committed)" -lt 8388608 ]
else
	skip "drop_caches makes goheap give its free memory back" "eager arenas"
fi
check "scenario reuse" scenario reuse
check "identities hold after it" identities
rmmod goheap_stress
finish
