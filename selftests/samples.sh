#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The samples that are programs run, and nothing is left of them.
. ./lib.sh

[ -c /dev/goheap ] || skip_all "no /dev/goheap"

# run PROGRAM ARGUMENT...
run()
{
	"$@" >/tmp/sample.out 2>&1
	status=$?
	sed 's/^/# /' /tmp/sample.out
	return $status
}

check "a producer and a consumer share messages" run goheap_pipeline
check "all of them" grep -q "^5000 messages" /tmp/sample.out
check "and free all" grep -q "^given and not freed: 0" /tmp/sample.out

check "a shared cache survives 100 kills" run goheap_cachedemo -k 100
check "with as many workers as it can have" run goheap_cachedemo -w 15 -k 20
check_not "too many are refused" run goheap_cachedemo -w 16

for i in 1 2; do
	check "program $i of README.md runs" run readme_$i
	check "and says what it should" grep -q "^hello from [0-9]" \
		/tmp/sample.out
done

mkdir -p /run/goheap
check "names can be had" mount -t goheap none /run/goheap
for i in 1 2 3; do
	check "program 3 of README.md runs" run readme_3
done
check "and finds what its earlier runs have left" [ "$(wc -l </tmp/sample.out)" = 3 ]
check "which stays until it is unlinked" grep -q "objects 3 " $DEBUGFS/heaps
check "and then it is gone" rm /run/goheap/runs

# Programs that have nothing of each other but the name.
map()
{
	goheap_shared_map /run/goheap/map "$@"
}

# prints TEXT COMMAND...: of the map
prints()
{
	text=$1
	shift
	run map "$@" && [ "$(tail -n 1 /tmp/sample.out)" = "$text" ]
}

# is_killed COMMAND...
is_killed()
{
	"$@" >/dev/null 2>&1
	[ $? = 137 ]
}

check "a map in the heap takes entries" run map fill a 1000
check "others find them" prints 999 get a-999
check_not "and no more than there are" run map get a-1000
for prefix in b c d; do
	map fill $prefix 2000 &
done
wait
check "three at once" prints 7000 count
check "a program is killed while it inserts" is_killed map die e-1 value
check "the next one mends the map" prints 0 count
check "by an empty one" grep -q "half changed" /tmp/sample.out
check "and all go on" run map fill f 3000
check "with what they insert" prints 2999 get f-2999
check "a value is replaced" run map put f-1 other
check "and found" prints other get f-1
check "only once" prints 3000 count
# Wherever they are killed, the map is whole then, or empty.
for i in 1 2 3 4 5; do
	goheap_shared_map /run/goheap/map fill "$i" 1000000 2>/dev/null &
	pid=$!
	while kill -0 $pid 2>/dev/null && ! map get "$i-100" >/dev/null 2>&1; do :; done
	kill -9 $pid
	wait $pid 2>/dev/null
	run map put last "$i"
	check "after a kill, entries are found" prints "$i" get last
done
rm /run/goheap/map
umount /run/goheap

check "no heap is left" [ -z "$(cat $DEBUGFS/heaps)" ]
finish
