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
umount /run/goheap

check "no heap is left" [ -z "$(cat $DEBUGFS/heaps)" ]
finish
