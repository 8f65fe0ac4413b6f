#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Hash tables that survive their readers and writers; the program prints the results.
exec goheap-table-test
