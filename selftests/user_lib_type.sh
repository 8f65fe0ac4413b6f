#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Objects of types, as libgoheap offers them; the program prints the results.
exec goheap-type-test
