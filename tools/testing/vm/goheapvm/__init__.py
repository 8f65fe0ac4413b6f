# SPDX-License-Identifier: GPL-2.0-only
"""The VM harness of goheap: fetches kernels, builds them, boots them, judges them."""
