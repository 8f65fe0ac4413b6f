#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The C++ headers of libgoheap keep what they promise; the program prints the results.
exec goheap-cxx-test
