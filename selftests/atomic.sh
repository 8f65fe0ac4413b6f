#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Kernels that check who may sleep report each call that may, where it may not.
. ./lib.sh

# The calls that were made, each with what was reported of it.
calls()
{
	log_since | sed -n 's/.*goheap-atomic: //p
		s/.*BUG: sleeping function called from invalid context.*/reported/p'
}

reported()
{
	grep -x -A 1 "$1" /tmp/calls | grep -qx reported
}

log_mark atomic
insmod $MODULES/goheap_stress.ko || not_ok "goheap_stress.ko loads"
check "scenario atomic" scenario atomic
calls >/tmp/calls
if [ -s /tmp/calls ]; then
	grep -vx reported /tmp/calls >/tmp/made
	while read -r call; do
		check "$call is reported" reported "$call"
	done </tmp/made
else
	skip "each call is reported" "this kernel does not check who may sleep"
fi
rmmod goheap_stress
finish
