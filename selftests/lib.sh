# SPDX-License-Identifier: GPL-2.0-only
#
# For the self tests: TAP lines, the kernel log, loading and unloading.
#
# A test sources this, prints its results with ok, not_ok, check and skip, and
# ends with finish. It leaves goheap.ko loaded, as it found it.

MODULES=${MODULES:-/lib/goheap}
DEBUGFS=/sys/kernel/debug/goheap
# shellcheck disable=SC2034 # tests use it
PARAMS=/sys/module/goheap/parameters

results=0
failures=0

ok()
{
	results=$((results + 1))
	echo "ok $results $*"
}

not_ok()
{
	results=$((results + 1))
	failures=$((failures + 1))
	echo "not ok $results $*"
}

# skip WHAT, WHY
skip()
{
	results=$((results + 1))
	echo "ok $results $1 # SKIP $2"
}

skip_all()
{
	echo "1..0 # SKIP $*"
	exit 4
}

# check WHAT COMMAND...: ok if the command succeeds
check()
{
	what=$1
	shift
	if "$@"; then ok "$what"; else not_ok "$what"; fi
}

# check_not WHAT COMMAND...: ok if the command fails
check_not()
{
	what=$1
	shift
	if "$@"; then not_ok "$what"; else ok "$what"; fi
}

finish()
{
	loaded goheap || load >/dev/null
	echo "1..$results"
	[ "$failures" -eq 0 ]
	exit
}

# ---- the kernel log ----

log()
{
	echo "$*" >/dev/kmsg
}

expect_begin()
{
	log "goheap-expect: begin"
}

expect_end()
{
	log "goheap-expect: end"
}

log_mark()
{
	mark="goheap-test: $0 $$ $1"
	log "$mark"
}

# What the log has since log_mark.
log_since()
{
	dmesg | sed -n "\\|$mark|,\$p"
}

log_has()
{
	log_since | grep -q "$1"
}

# ---- modules ----

loaded()
{
	grep -q "^$1 " /proc/modules
}

# load [PARAMETER=VALUE]...
load()
{
	insmod "$MODULES/goheap.ko" "$@"
}

# What was lost is reported when goheap goes, and the next one has not lost anything.
check_reload_after_loss()
{
	rmmod goheap_stress
	check "nothing keeps goheap from being unloaded" unload
	check "the loss is reported at unload" log_has "goheap: unload leak: "
	expect_end
	log_mark reloaded
	check "goheap is loaded again" load
	insmod $MODULES/goheap_stress.ko
	check "scenario private works in the new one" scenario private
	rmmod goheap_stress
	check "goheap is unloaded" unload
	check_not "and this one lost nothing" log_has "goheap: unload leak"
	load
}

# Quiet variants, for what is meant to fail.
try_load()
{
	load "$@" 2>/dev/null
}

try_unload()
{
	rmmod "$1" 2>/dev/null
}

unload()
{
	rmmod goheap
}

refcount()
{
	awk -v name="$1" '$1 == name { print $3 }' /proc/modules
}

# ---- statistics ----

# stat FIELD: one of goheap's statistics
stat_of()
{
	awk -v name="$1" '$1 == name { print $2 }' $DEBUGFS/stats
}

# identities: every identity that the statistics must satisfy at rest
identities()
{
	awk '
	{ v[$1] = $2 }
	function must(what, good) {
		if (!good) {
			print "# does not hold: " what
			bad = 1
		}
	}
	END {
		must("sys is the sum of its parts", v["sys"] == \
		     v["heap_sys"] + v["stack_sys"] + v["mspan_sys"] + \
		     v["mcache_sys"] + v["profile_sys"] + v["other_sys"])
		must("heap_sys = heap_inuse + heap_idle", v["heap_sys"] == \
		     v["heap_inuse"] + v["heap_idle"])
		must("heap_released <= heap_idle", \
		     v["heap_released"] <= v["heap_idle"])
		must("heap_alloc = total_alloc - total_freed", \
		     v["heap_alloc"] == v["total_alloc"] - v["total_freed"])
		must("objects = mallocs - frees", \
		     v["objects"] == v["mallocs"] - v["frees"])
		must("heap_alloc <= heap_inuse", \
		     v["heap_alloc"] <= v["heap_inuse"])
		must("stack_inuse <= stack_sys", \
		     v["stack_inuse"] <= v["stack_sys"])
		must("heap_inuse + stack_sys = pages_inuse", \
		     v["heap_inuse"] + v["stack_sys"] == \
		     v["pages_inuse"] * 8192)
		must("heap_sys + stack_sys = arenas and huge", \
		     v["heap_sys"] + v["stack_sys"] == \
		     v["arenas"] * 67108864 + v["huge"])
		must("committed = arenas less heap_released", \
		     v["committed"] == v["arenas"] * 67108864 + \
		     v["huge"] - v["heap_released"])
		must("cached_spans + heap_released <= heap_idle", \
		     v["cached_spans"] + v["heap_released"] <= \
		     v["heap_idle"])
		must("every field is there", NR == 30)
		exit bad
	}' $DEBUGFS/stats
}

# ---- the stress module ----

STRESS=/sys/kernel/debug/goheap_stress

# run_scenario NAME: as a whole test of its own; does not return
run_scenario()
{
	insmod "$MODULES/goheap_stress.ko" || {
		echo "not ok 1 goheap_stress.ko does not load"
		exit 1
	}
	echo "$1" >$STRESS/run || echo "not ok 1 $1 does not run"
	cat $STRESS/result
	grep -q "^not ok" $STRESS/result
	bad=$?
	rmmod goheap_stress
	[ $bad -ne 0 ]
	exit
}

# scenario NAME: as a part of a test; only its verdict
scenario()
{
	echo "$1" >$STRESS/run || return 1
	sed -n 's/^\(ok\|not ok\|#\) /#   &/p' $STRESS/result
	! grep -q "^not ok" $STRESS/result
}
