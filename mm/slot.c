// SPDX-License-Identifier: GPL-2.0-only
/*
 * slot: a CPU's cache of one span class or object cache; see slot.h.
 */
#include "slot.h"

DEFINE_PER_CPU(struct gh_slot, gh_no_slot);
