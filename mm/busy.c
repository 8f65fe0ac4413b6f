// SPDX-License-Identifier: GPL-2.0-only
/*
 * busy: what lockdep knows of busy flags; see busy.h.
 */
#include "busy.h"
#include "compat.h"

#ifdef CONFIG_DEBUG_LOCK_ALLOC

static struct lock_class_key busy_key;

/* The wait type is that of raw locks, the only locks that may be taken inside. */
struct lockdep_map gh_busy_map = {
	.name = "gh_busy",
	.key = &busy_key,
	.wait_type_inner = LD_WAIT_SPIN,
};
GH_EXPORT_FOR_TESTS(gh_busy_map);

#endif
