# SPDX-License-Identifier: GPL-2.0-only
"""Plants errors in goheap, one at a time, and sees which tests notice."""
