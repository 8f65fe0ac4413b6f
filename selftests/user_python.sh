#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The package goheap for Python, with Debian's python3; its own tests print the results.
. ./lib.sh

DIR=/usr/bin/goheap-python
LOADER=$(echo $DIR/ld-*)

[ -x "$DIR/python3" ] || skip_all "no $DIR"

mkdir -p /run/goheap
mount -t goheap none /run/goheap && export GOHEAP_TEST_NAMES=/run/goheap

export PYTHONHOME=$DIR PYTHONDONTWRITEBYTECODE=1 GOHEAP_LIBRARY=$DIR/libgoheap.so.2
cd $DIR/tree/tools/python && "$LOADER" --library-path $DIR $DIR/python3 -m tests
status=$?

umount /run/goheap
exit $status
