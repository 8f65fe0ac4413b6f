#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# libgoheap keeps what its header promises; the program prints the results.
exec goheap-lib-test
