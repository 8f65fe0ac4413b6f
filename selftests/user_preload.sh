#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# libgoheap-malloc.so in the place of malloc(), in our own and in Debian's programs.
. ./lib.sh

DIR=/usr/bin/goheap-preload
LOADER=$(echo $DIR/ld-*)

# run PROGRAM ARGUMENT...: with the libraries of the machine that built us
run()
{
	program=$1
	shift
	"$LOADER" --library-path $DIR ${preload:+--preload} $preload "$DIR/$program" "$@"
}

with_goheap()
{
	preload=$DIR/libgoheap-malloc.so run "$@"
}

# same_output WHAT PROGRAM ARGUMENT...: with and without the heap
same_output()
{
	what=$1
	shift
	run "$@" >/tmp/plain 2>&1
	with_goheap "$@" >/tmp/heap 2>&1
	sed 's/^/# /' /tmp/heap
	check "$what" cmp -s /tmp/plain /tmp/heap
}

all_pass()
{
	"$@" >/tmp/log 2>&1
	status=$?
	sed 's/^/# /' /tmp/log
	return $status
}

[ -x "$DIR/preload_test" ] || skip_all "no $DIR"

check "the test holds for glibc's malloc" all_pass run preload_test glibc
check "and for the heap's" all_pass with_goheap preload_test goheap
check "a bad free is reported" grep -q "goheap: bad free: .* is free already" /tmp/log
check "a heap that is full is no end of memory" all_pass with_goheap preload_test limit
check "what users of malloc() do, works with glibc's" all_pass run users_test $DIR glibc
check "and with the heap's" all_pass with_goheap users_test $DIR goheap

same_output "dash forks, pipes and forks again" dash -c '
	x=0
	for i in 1 2 3 4 5 6 7 8 9; do
		x=$(echo "$x $i" | (read -r line; (echo "$line"; (echo nested >&2))))
	done
	echo "$x"'
same_output "perl fills hashes, before and after a fork" perl -e '
	my %h;
	$h{$_} = "v$_" x 10 for 1 .. 20000;
	my $pid = fork();
	if (!$pid) {
		my $n = 0;
		$n += length($h{$_}) for keys %h;
		delete $h{$_} for 1 .. 10000;
		$h{$_} = "x" x ($_ % 3000) for 20001 .. 30000;
		$n += length($h{$_}) for keys %h;
		print "$n ", scalar(keys %h), "\n";
		exit 0;
	}
	waitpid($pid, 0);
	print "$? ", scalar(keys %h), "\n";'
same_output "perl evaluates, sorts and matches" perl -e '
	my @l = map { join "", map { chr(97 + ($_ * 7919) % 26) } $_ .. $_ + 40 } 1 .. 3000;
	my $t = join "\n", sort @l;
	my $n = () = $t =~ /a(.)b?/g;
	print length($t), " $n ", substr($t, 0, 100), "\n";'

finish
