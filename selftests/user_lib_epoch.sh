#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Names, and what is retired while others read it; the program prints the results. Emulated
# processors are slow.
reads=2000000
grep -q "User Mode Linux" /proc/cpuinfo && reads=100000000
exec goheap-epoch-test $reads
