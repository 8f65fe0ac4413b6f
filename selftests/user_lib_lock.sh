#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Locks that survive their owners; the program prints the results.
exec goheap-lock-test
