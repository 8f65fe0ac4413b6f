/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rawlock: take a raw spinlock in any context, NMI included.
 */
#ifndef _GOHEAP_RAWLOCK_H
#define _GOHEAP_RAWLOCK_H

#include <linux/hardirq.h>
#include <linux/spinlock.h>

/**
 * gh_raw_lock() - take a raw lock with interrupts off; in NMI context, try
 * @lock: the lock
 * @flags: for raw_spin_unlock_irqrestore()
 *
 * Without SMP a trylock always succeeds, even in an NMI that interrupted the
 * holder, so it is not used there.
 *
 * Context: any.
 * Return: false, in NMI context only, if the lock could not be taken.
 */
static inline bool gh_raw_lock(raw_spinlock_t *lock, unsigned long *flags)
{
	if (unlikely(in_nmi()))
		return IS_ENABLED(CONFIG_SMP) &&
		       raw_spin_trylock_irqsave(lock, *flags);
	raw_spin_lock_irqsave(lock, *flags);
	return true;
}

#endif /* _GOHEAP_RAWLOCK_H */
