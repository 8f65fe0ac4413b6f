#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Pages of an allocation on account are charged to the caller's memory cgroup
# until they go back to the system.
. ./lib.sh

# Eager arenas have all their pages from the start, which are nobody's.
[ "$(stat_of committed)" = $(($(stat_of arenas) * 67108864)) ] &&
	skip_all "arenas are eager here"

root=/tmp/cgroup
group=$root/goheap
mkdir -p $root
mount -t cgroup2 none $root 2>/dev/null || skip_all "no cgroup2"
trap 'umount $root' EXIT
echo +memory >$root/cgroup.subtree_control 2>/dev/null ||
	skip_all "no memory controller"
mkdir $group

# within SCENARIO: run it as a process of the group
within()
{
	(
		sh -c 'echo $PPID' >$group/cgroup.procs
		scenario "$1"
	)
}

current()
{
	cat $group/memory.current
}

insmod $MODULES/goheap_stress.ko || not_ok "goheap_stress.ko loads"
before=$(current)
check "memory on account can be had" within charge
held=$(($(current) - before))
check "the cgroup is charged for all of it ($held bytes)" [ $held -ge 20000000 ]
check "and not for much more" [ $held -le 26000000 ]
check "it is freed" within uncharge
left=$(($(current) - before))
check "the cgroup is not charged any more ($left bytes)" [ $left -le 2000000 ]
echo 8M >$group/memory.max
check "memory.max is kept" within overcharge
rmmod goheap_stress
rmdir $group
finish
