// SPDX-License-Identifier: GPL-2.0-only
/*
 * step_pins: what is executed instruction by instruction: pins of an object of a
 * user heap. A process makes both, and says so:
 *
 *   echo FD OFFSET LENGTH > /sys/kernel/debug/goheap_step/user
 */
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/uaccess.h>

#include <linux/goheap.h>

#include "step.h"

static struct goheap_user *user;
static u64 user_offset;
static unsigned int user_length;
static void *pinned;

static void run_pin(void)
{
	pinned = goheap_user_pin(user, user_offset, user_length);
}

static void run_unpin(void)
{
	goheap_user_unpin(user, pinned);
}

/* Without a heap, the path is nothing. */
static void prepare_pin(void)
{
	if (!user)
		step_wrong("nobody said which object");
}

static void prepare_unpin(void)
{
	prepare_pin();
	run_pin();
}

static void finish_pin(void)
{
	if (IS_ERR(pinned))
		step_wrong("the object cannot be pinned: %ld", PTR_ERR(pinned));
	else
		run_unpin();
}

const struct step_path step_pins[] = {
	{
		.name = "pin", .kind = STEP_SMALL,
		.prepare = prepare_pin, .fn = run_pin, .finish = finish_pin,
	}, {
		.name = "unpin", .kind = STEP_SMALL,
		.prepare = prepare_unpin, .fn = run_unpin,
	},
};

const unsigned int step_nr_pins = ARRAY_SIZE(step_pins);

static ssize_t user_write(struct file *file, const char __user *buf,
			  size_t count, loff_t *pos)
{
	struct goheap_user *heap;
	char text[64];
	int fd;

	if (count >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, buf, count))
		return -EFAULT;
	text[count] = '\0';
	step_pins_exit();
	if (sscanf(text, "%d %llu %u", &fd, &user_offset, &user_length) != 3)
		return -EINVAL;
	heap = goheap_user_get(fd);
	if (IS_ERR(heap))
		return PTR_ERR(heap);
	user = heap;
	return count;
}

static const struct file_operations user_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = user_write,
	.llseek = noop_llseek,
};

/**
 * step_pins_init() - let processes name an object
 * @dir: in which directory
 */
void step_pins_init(struct dentry *dir)
{
	debugfs_create_file("user", 0200, dir, NULL, &user_fops);
}

/**
 * step_pins_exit() - drop the reference to the heap
 */
void step_pins_exit(void)
{
	if (user)
		goheap_user_put(user);
	user = NULL;
}
