/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * peek: read what a lock or a busy flag guards, without it.
 */
#ifndef _GOHEAP_PEEK_H
#define _GOHEAP_PEEK_H

#include <linux/compiler.h>

/**
 * gh_peek() - read a word that another CPU or an interrupt may be changing
 * @x: the word, which its writers change by plain accesses
 *
 * For statistics, and for hints that are verified under the lock or do no harm
 * if they are wrong. A word is stored as a whole, so the value is one that was
 * there, if not the latest. Only the reader is marked for KCSAN, as it alone
 * may race: writers that do not exclude each other are still reported.
 */
#define gh_peek(x)	data_race(READ_ONCE(x))

#endif /* _GOHEAP_PEEK_H */
