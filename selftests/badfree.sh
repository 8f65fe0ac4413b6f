#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Frees that are wrong are refused, counted, reported and survived.
. ./lib.sh

log_mark badfree
insmod $MODULES/goheap_stress.ko || not_ok "goheap_stress.ko loads"
# The scenario marks the window of its reports itself.
check "scenario badfree" scenario badfree
log_since | sed -n '/goheap-expect: begin/,/goheap-expect: end/p' >/tmp/reports

check "wild frees are reported" grep -q "goheap: bad free: wild: " /tmp/reports
check "a report names who did it" \
	grep -q "goheap:   by .* on CPU" /tmp/reports
if grep -q "User Mode Linux" /proc/cpuinfo; then
	skip "a report has a stack trace" "user-mode Linux finds no frames"
else
	check "a report has a stack trace" \
		grep -q "goheap:   stress_badfree+.*goheap_stress" /tmp/reports
fi
shown=$(grep -c "goheap: bad free: " /tmp/reports)
check "reports are limited, counters are not" [ "$shown" -le 25 ]
for kind in wild interior double foreign; do
	check "$kind frees are counted" [ "$(stat_of bad_$kind)" -ge 4 ]
done
# By now the limit lets reports through again.
sleep 6
log_mark again
check "scenario badfree, again" scenario badfree
check "reports come again" log_has "goheap: bad free: "
check "the statistics are consistent" identities
rmmod goheap_stress
check "nothing keeps goheap from being unloaded" unload
check_not "and nothing was lost" log_has "goheap: unload leak"
check "goheap is loaded again" load
check "its counters start anew" [ "$(stat_of bad_double)" = 0 ]
finish
