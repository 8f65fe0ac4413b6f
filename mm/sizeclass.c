// SPDX-License-Identifier: GPL-2.0-only
/*
 * sizeclass: the size class tables.
 *
 * The generated header defines and exports them, and states their check sums;
 * see gen_sizeclasses.c.
 */
#include "compat.h"
#include "sizeclass.h"
#include "sizeclass_tables.h"

static_assert(GH_TABLE_CLASSES == GH_NUM_CLASSES);
static_assert(GH_TABLE_MAX_SMALL == GH_MAX_SMALL);
static_assert(GH_SUM_SIZES == 372768);
static_assert(GH_PAGE_SHIFT != 13 || GH_SUM_NPAGES == 168);
