// SPDX-License-Identifier: GPL-2.0-only
/*
 * goheap_client: the smallest complete module that uses goheap.
 *
 * It keeps a list of numbers, each in an object of a cache of its own, and a
 * buffer. Load it after goheap.ko; "modprobe goheap_client" does both.
 *
 * Build it outside this tree with goheap's Module.symvers in
 * KBUILD_EXTRA_SYMBOLS and its include directory in ccflags-y.
 */
#include <linux/err.h>
#include <linux/goheap.h>
#include <linux/init.h>
#include <linux/list.h>
#include <linux/module.h>

static unsigned int count = 1000;
module_param(count, uint, 0444);
MODULE_PARM_DESC(count, "Numbers to keep, 1 to 1000000 (default 1000)");

struct number {
	struct list_head list;
	unsigned int value;
};

static struct goheap_cache *cache;
static LIST_HEAD(numbers);
static char *text;

static void forget_numbers(void)
{
	struct number *number, *next;

	list_for_each_entry_safe(number, next, &numbers, list)
		goheap_cache_free(cache, number);
}

static int remember_numbers(void)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		struct number *number = goheap_cache_alloc(cache, GFP_KERNEL);

		if (!number)
			return -ENOMEM;
		number->value = i;
		list_add_tail(&number->list, &numbers);
	}
	return 0;
}

static u64 sum_of_numbers(void)
{
	struct number *number;
	u64 sum = 0;

	list_for_each_entry(number, &numbers, list)
		sum += number->value;
	return sum;
}

static int __init client_init(void)
{
	int err;

	if (!count || count > 1000000)
		return -EINVAL;
	cache = goheap_cache_create("goheap_client", sizeof(struct number), 0,
				    0, NULL);
	if (IS_ERR(cache))
		return PTR_ERR(cache);
	err = remember_numbers();
	if (err)
		goto no_numbers;
	/* Text holds no pointers: it goes with other data. */
	text = goheap_alloc_data(64, GFP_KERNEL);
	if (!text) {
		err = -ENOMEM;
		goto no_numbers;
	}
	snprintf(text, 64, "%u numbers, sum %llu", count, sum_of_numbers());
	pr_info("goheap_client: %s\n", text);
	return 0;

no_numbers:
	forget_numbers();
	goheap_cache_destroy(cache);
	return err;
}
module_init(client_init);

static void __exit client_exit(void)
{
	goheap_free(text);
	forget_numbers();
	goheap_cache_destroy(cache);
}
module_exit(client_exit);

MODULE_DESCRIPTION("The smallest client of goheap");
MODULE_LICENSE("GPL");
