/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LG_STOCK_H
#define LG_STOCK_H

#include "types.h"

int lg_stock_setup(struct goheap *h);
void lg_stock_release(struct goheap *h);
void lg_stock_forget(struct goheap *h);
unsigned int lg_stock_take(struct goheap *h, unsigned int class, void **objects,
			   unsigned int n);
void lg_stock_put(struct goheap *h, unsigned int class, void **objects,
		  unsigned int n);
void lg_stock_empty(struct goheap *h);

#endif /* LG_STOCK_H */
