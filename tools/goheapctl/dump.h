/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dump: the types of a heap, and the objects that were given.
 */
#ifndef _GOHEAPCTL_DUMP_H
#define _GOHEAPCTL_DUMP_H

int dump_heap(int ours, const char *name, const char *type);

#endif /* _GOHEAPCTL_DUMP_H */
