#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# goheap_step.ko: paths of goheap, interrupted at every instruction. All of them in
# all contexts with "all"; else those that take the least time, in three contexts.
. ./lib.sh

STEP=/sys/kernel/debug/goheap_step
MODULE=$MODULES/goheap_step.ko
PREEMPT=/sys/kernel/debug/sched/preempt
OUT=/tmp/step

# NMI, interrupt, task; and another CPU, the only one that pairs know
QUICK_CONTEXTS=11
PAIR_CONTEXTS=32
QUICK="alloc_hit alloc_spare alloc_carve alloc_no_pages alloc_first_mag alloc_grow_mag
	cache_alloc_hit cache_alloc_carve alloc_bulk
	free_hit free_first_spare free_full free_grow_mag free_last
	cache_free_hit free_bulk deferred_free
	tiny_alloc tiny_alloc_block tiny_free tiny_free_only tiny_free_block
	stack_alloc stack_free large_alloc_held large_free large_free_full
	age_set_aside age_give_spare age_close age_tiny age_large drain_slot"
QUICK_PAIRS="pair_tiny_alloc pair_tiny_free pair_large_free pair_defer"

[ -e "$MODULE" ] || skip_all "no single steps on this machine"
for checks in /proc/lockdep_stats /sys/kernel/debug/kcsan; do
	[ ! -e $checks ] || skip_all "this kernel checks itself, which takes too long"
done

# Elsewhere, a task that is woken waits until the path ends, or sleeps.
preempt()
{
	[ ! -w $PREEMPT ] || echo "$1" >$PREEMPT
}

# list paths|pairs: but for pins, which need a user heap; see user_step.c
list()
{
	for file in "$STEP"/*; do
		case $1,${file##*/} in
		*,user | *,pin | *,unpin | paths,pair_*) ;;
		paths,* | pairs,pair_*) echo "${file##*/}" ;;
		esac
	done
}

# The module numbers nothing, as it does not know what else is run.
run()
{
	for path in "$@"; do
		[ -e "$STEP/$path" ] || continue
		cat "$STEP/$path" >$OUT || echo "not ok - $path" >$OUT
		cat $OUT >>$OUT.all
		while read -r line; do
			case $line in
			"ok - "*) ok "${line#ok - }" ;;
			"not ok - "*) not_ok "${line#not ok - }" ;;
			*) echo "$line" ;;
			esac
		done <$OUT
	done
}

# A table of paths, their instructions, and points in all contexts; and the sums.
sum_up()
{
	awk '
	/^(not )?ok - .* points / {
		sub(/^not /, "")
		path = $3
		for (i = 1; i < NF; i++) {
			if ($(i + 1) == "points") {
				points[path] += $i
				sum += $i
			}
			if ($(i + 1) == "instructions,")
				length_of[path] = $i
		}
		if (!(path in order)) {
			order[path] = n
			name[n++] = path
		}
		ms += $(NF - 1)
	}
	END {
		for (i = 0; i < n; i++) {
			path = name[i]
			sub(/:/, "", path)
			printf "# %s, %d, %d\n", path, length_of[name[i]],
				points[name[i]]
		}
		printf "# %d paths, %d points, %d seconds\n", n, sum, ms / 1000
	}' $OUT.all
}

was=$(sed -n 's/.*(\(.*\)).*/\1/p' $PREEMPT 2>/dev/null)
preempt full
insmod "$MODULE" || skip_all "no single steps on this processor"
# Else most of the time is spent waiting for grace periods.
echo 1 >/sys/kernel/rcu_expedited
if [ "$1" = all ]; then
	paths=$(list paths)
	pairs=$(list pairs)
else
	echo $QUICK_CONTEXTS >/sys/module/goheap_step/parameters/contexts
	paths=$QUICK
	pairs=$QUICK_PAIRS
fi
if [ $# -gt 1 ]; then
	shift
	paths=$*
	pairs=
fi

: >$OUT.all
# shellcheck disable=SC2086 # the words are the names
run $paths
echo $PAIR_CONTEXTS >/sys/module/goheap_step/parameters/contexts
# Of two that free an object at the same moment one is refused, and so on.
expect_begin
# shellcheck disable=SC2086
run $pairs
expect_end
sum_up
rmmod goheap_step
echo 0 >/sys/kernel/rcu_expedited
preempt "$was"
finish
