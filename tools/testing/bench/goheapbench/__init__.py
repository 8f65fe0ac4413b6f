# SPDX-License-Identifier: GPL-2.0-only
"""The benchmarks: guests that measure, and what is made of their figures."""
