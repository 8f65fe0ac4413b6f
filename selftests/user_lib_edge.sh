#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# libgoheap where it is seldom: odd addresses, errors, processes that may not.
exec goheap-edge-test
