// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lets something happen at a step of a process's own calls, in debugfs
 * goheap_stress/fault.
 *
 * Writing "POINT NTH ACTION" arms, for the process that writes: POINT is an enum
 * gh_fault_point, ACTION an enum gh_fault_action, or left out if the step is to fail.
 * Writing "go" lets a process go on that stays at its step. Reading disarms, and gives
 * "1" if the step was reached, else "0".
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/uaccess.h>

#include "../mm/fault.h"
#include "stress.h"

static ssize_t fault_write(struct file *file, const char __user *from,
			   size_t count, loff_t *pos)
{
	unsigned int point, nth, action = GH_FAULT_FAIL;
	char words[32];

	if (count >= sizeof(words))
		return -EINVAL;
	if (copy_from_user(words, from, count))
		return -EFAULT;
	words[count] = '\0';
	if (!strcmp(words, "go")) {
		gh_fault_let_go();
		return count;
	}
	if (sscanf(words, "%u %u %u", &point, &nth, &action) < 2 ||
	    point >= GH_NR_FAULTS || !nth || action > GH_FAULT_STAY)
		return -EINVAL;
	gh_fault_arm_action(point, nth, action);
	return count;
}

static ssize_t fault_read(struct file *file, char __user *to, size_t count,
			  loff_t *pos)
{
	char hit = gh_fault_disarm() ? '1' : '0';

	if (!count)
		return 0;
	return copy_to_user(to, &hit, 1) ? -EFAULT : 1;
}

/* Nothing stays armed for a task that is gone. */
static int fault_release(struct inode *inode, struct file *file)
{
	gh_fault_disarm();
	return 0;
}

static const struct file_operations fault_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = fault_read,
	.write = fault_write,
	.release = fault_release,
};

/**
 * stress_user_init() - make the files that processes use
 * @dir: the module's directory in debugfs
 */
void stress_user_init(struct dentry *dir)
{
	debugfs_create_file("fault", 0600, dir, NULL, &fault_fops);
}
