#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Queues that survive their producers and consumers; the program prints the results.
exec goheap-queue-test
