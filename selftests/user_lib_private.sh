#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Heaps of one process, which need no device: their books, and what fork() makes of them.
exec goheap-private-test
