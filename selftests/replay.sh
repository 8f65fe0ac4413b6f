#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs in a guest where goheap.ko is loaded: goheap_replay.ko replays good traces, holds
# and releases them, refuses each kind of bad one with its reason, and goes away safely
# in the middle of a replay. Prints TAP. Its argument is the path of goheap_replay.ko.

# echo fails when the module refuses what it writes.
# shellcheck disable=SC2320

module=${1:-/lib/goheap/goheap_replay.ko}
dir=/sys/kernel/debug/goheap_replay
tmp=$(mktemp -d)
count=0
failed=0

ok()
{
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $count $2"
	else
		echo "not ok $count $2"
		failed=$((failed + 1))
	fi
}

# Little-endian numbers of 2, 4 and 8 bytes, as escapes for printf.
le2() { printf '\\%03o\\%03o' $(($1 & 255)) $(($1 >> 8 & 255)); }
le4() { le2 $(($1 & 65535)); le2 $(($1 >> 16 & 65535)); }
le8() { le4 "$1"; printf '\\000\\000\\000\\000'; }

# header NTHREADS NEVENTS NOBJECTS
header()
{
	printf "GHTRACE\n$(le4 1)$(le4 64)$(le4 16)$(le4 "$1")$(le8 "$2")$(le8 "$3")$(le8 0)"
	printf "selftest\000\000\000\000\000\000\000\000"
}

# event SIZE OBJECT THREAD OP ALIGN_SHIFT; operations are those of trace_format.h
event()
{
	printf "$(le8 "$1")$(le4 "$2")$(le2 "$3")\\$(printf %03o "$4")\\$(printf %03o "$5")"
}
malloc=0 calloc=1 memalign=2 realloc=3 free=4

# What is in the file bad must be refused, and the log must say why.
refused()
{
	dmesg -c >/dev/null
	echo "$tmp/bad" 2>/dev/null >$dir/run
	status=$?
	dmesg | grep -q "$2"
	[ $? -eq 0 ] && [ $status -ne 0 ] && [ -z "$(cat $dir/result)" ]
	ok $? "refused: $1"
}

# The value of a key in the line of the result that starts so.
value()
{
	sed -n "/^$1/p" $dir/result | tr ' ' '\n' | sed -n "s/^$2=//p"
}

# Two threads; objects of all kinds; a free and a realloc on the other thread; one left.
{
	header 2 10 5
	event 100 0 0 $malloc 0
	event 5000 1 1 $calloc 0
	event 24 2 0 $memalign 8
	event 300000 3 1 $malloc 0
	event 40 0 1 $realloc 0
	event 70000 1 0 $realloc 0
	event 0 2 1 $free 0
	event 0 3 0 $free 0
	event 0 0 0 $free 0
	event 0 4 0 $malloc 0
} >"$tmp/good"

insmod "$module" rounds=3 sample_ops=1
ok $? "the module loads"
echo "$tmp/good" >$dir/run
ok $? "a good trace is replayed"
for side in goheap kmalloc; do
	[ "$(value allocator=$side verified)" = yes ]
	ok $? "$side: contents verified"
	[ "$(value allocator=$side ops)" = 10 ]
	ok $? "$side: every step done"
done
# 40 + 70000 + 300000 bytes, and 24 that are 256 for their alignment
[ "$(value trace= peak_requested)" = 370296 ]
ok $? "the peak is where the trace has it"

echo "$tmp/good" >$dir/hold && echo "$tmp/good" >$dir/hold && echo >$dir/hold
ok $? "a trace is held, held anew, released"
echo "$tmp/good" >$dir/hold && rmmod goheap_replay && insmod "$module" rounds=3
ok $? "the module goes away with a trace held"

{ header 1 1 1 | tr G X; event 8 0 0 $malloc 0; } >"$tmp/bad"
refused "wrong magic" "not a goheap trace"
header 1 1 1 >"$tmp/bad"
refused "no event where one is announced" truncated
header 1 0 0 >"$tmp/bad"
refused "empty" "did not end normally"
printf GHTRACE >"$tmp/bad"
refused "shorter than a header" "not a file of a trace's size"
{ header 0 1 1; event 8 0 0 $malloc 0; } >"$tmp/bad"
refused "no thread" "threads out of range"
{ header 257 1 1; event 8 0 0 $malloc 0; } >"$tmp/bad"
refused "many threads" "threads out of range"
{ header 1 1 2; event 8 0 0 $malloc 0; } >"$tmp/bad"
refused "objects without events" "more objects"
{ header 1 1 1; event 8 1 0 $malloc 0; } >"$tmp/bad"
refused "wild id" "event 0: object id out of range"
{ header 1 1 1; event 8 0 1 $malloc 0; } >"$tmp/bad"
refused "wild thread" "thread out of range"
{ header 1 1 1; event 8 0 0 5 0; } >"$tmp/bad"
refused "unknown operation" "unknown operation"
{ header 1 1 1; event 1073741825 0 0 $malloc 0; } >"$tmp/bad"
refused "huge object" "object too large"
{ header 1 1 1; event 8 0 0 $memalign 31; } >"$tmp/bad"
refused "huge alignment" "alignment too large"
{ header 1 1 1; event 0 0 0 $free 0; } >"$tmp/bad"
refused "free first" "free before alloc"
{ header 1 1 1; event 8 0 0 $realloc 0; } >"$tmp/bad"
refused "realloc first" "realloc before alloc"
{ header 1 2 1; event 8 0 0 $malloc 0; event 8 0 0 $malloc 0; } >"$tmp/bad"
refused "an id given twice" "event 1: object id allocated twice"
{
	header 1 3 1
	event 8 0 0 $malloc 0
	event 0 0 0 $free 0
	event 0 0 0 $free 0
} >"$tmp/bad"
refused "double free" "event 2: double free"
{
	header 1 5 5
	for i in 0 1 2 3 4; do event 1073741824 $i 0 $malloc 0; done
} >"$tmp/bad"
refused "more than the machine has" "too many for this machine"
rmmod goheap_replay
insmod "$module" trace="$tmp/bad" 2>/dev/null
[ $? -ne 0 ]
ok $? "the module does not load with a bad trace"
insmod "$module" trace=/nonexistent 2>/dev/null
[ $? -ne 0 ]
ok $? "nor with none"

# Long enough to be caught at it: two threads resize an object in turns.
{
	event 100 0 1 $realloc 0
	event 200 0 0 $realloc 0
} >"$tmp/turns"
for i in 1 2 3 4 5 6 7 8 9 10; do
	cat "$tmp/turns" "$tmp/turns" >"$tmp/twice"
	mv "$tmp/twice" "$tmp/turns"
done
{
	header 2 2049 1
	event 64 0 0 $malloc 0
	cat "$tmp/turns"
} >"$tmp/long"
insmod "$module" rounds=101
echo "$tmp/long" >$dir/run &
writer=$!
sleep 1
rmmod goheap_replay 2>/dev/null
[ $? -ne 0 ]
ok $? "the module stays while it replays"
kill -9 $writer
wait $writer
rmmod goheap_replay
ok $? "a killed replay ends, and the module goes"

rm -r "$tmp"
echo "1..$count"
[ $failed -eq 0 ]
