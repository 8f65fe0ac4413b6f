#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Parameters out of range are refused, at load and later; good ones are taken.
. ./lib.sh

# refused PARAMETER=VALUE: not loaded, and goheap says why
refused()
{
	log_mark "$1"
	if try_load "$1"; then
		unload
		return 1
	fi
	log_has "goheap: parameter ${1%%=*} must be"
}

taken()
{
	load "$1" || return 1
	[ "$(cat $PARAMS/"${1%%=*}")" = "${1#*=}" ]
	result=$?
	unload || return 1
	return $result
}

# set PARAMETER VALUE
set_to()
{
	echo "$2" 2>/dev/null >"$PARAMS/$1"
}

unload
for value in percpu_kb=0 percpu_kb=15 percpu_kb=1048577 percpu_kb=-1 \
	     percpu_kb=many percpu_kb= percpu_kb=99999999999999999999 \
	     retain_percent=1001 retain_percent=-1 retain_percent=ten \
	     vmem=fast vmem= vmem=Sparse; do
	check "$value is refused" refused "$value"
done
for value in percpu_kb=16 percpu_kb=1048576 retain_percent=0 \
	     retain_percent=1000 vmem=auto; do
	check "$value is taken" taken "$value"
done

# The kernel itself looks after names that nobody knows.
log_mark unknown
check "an unknown parameter does not keep goheap from loading" \
	load no_such_parameter=1
check "but the kernel says so" \
	log_has "goheap: unknown parameter 'no_such_parameter' ignored"

check_not "percpu_kb cannot be set too low" eval "set_to percpu_kb 15 2>/dev/null"
check_not "percpu_kb cannot be set too high" \
	eval "set_to percpu_kb 1048577 2>/dev/null"
check "percpu_kb is as it was" [ "$(cat $PARAMS/percpu_kb)" = 1024 ]
check "percpu_kb can be set" set_to percpu_kb 64
check "and has that value" [ "$(cat $PARAMS/percpu_kb)" = 64 ]
check_not "retain_percent cannot be set too high" \
	eval "set_to retain_percent 1001 2>/dev/null"
check "retain_percent can be set" set_to retain_percent 50
check "and has that value" [ "$(cat $PARAMS/retain_percent)" = 50 ]
check_not "vmem cannot be set later" eval "set_to vmem eager 2>/dev/null"
unload && load
check "a new load has the defaults" \
	[ "$(cat $PARAMS/percpu_kb) $(cat $PARAMS/retain_percent) $(cat $PARAMS/vmem)" = "1024 10 auto" ]
finish
