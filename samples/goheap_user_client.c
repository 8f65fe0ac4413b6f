// SPDX-License-Identifier: GPL-2.0-only
/*
 * goheap_user_client: a module and a process share an object without copying.
 *
 * In debugfs goheap_user_client/, a process that has a heap of /dev/goheap open
 * writes "FD OFFSET LENGTH" to "pin": bytes of one of its objects. From then on
 * "text" is these bytes: reading and writing it reaches the memory that the
 * process has mapped. The object stays until "none" is written to "pin", even if
 * its process is killed.
 */
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/goheap.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/string.h>
#include <linux/uaccess.h>

static DEFINE_MUTEX(lock);	/* protects the three below */
static struct goheap_user *heap;
static char *text;
static size_t text_len;

static struct dentry *dir;

static void unpin(void)
{
	if (!heap)
		return;
	goheap_user_unpin(heap, text);
	goheap_user_put(heap);
	heap = NULL;
	text = NULL;
	text_len = 0;
}

/* The descriptor is of the process that writes: debugfs calls in its context. */
static int pin(int fd, u64 offset, size_t len)
{
	struct goheap_user *new = goheap_user_get(fd);
	void *addr;

	if (IS_ERR(new))
		return PTR_ERR(new);
	addr = goheap_user_pin(new, offset, len);
	if (IS_ERR(addr)) {
		goheap_user_put(new);
		return PTR_ERR(addr);
	}
	unpin();
	heap = new;
	text = addr;
	text_len = len;
	return 0;
}

static ssize_t pin_write(struct file *file, const char __user *from,
			 size_t count, loff_t *pos)
{
	unsigned long len;
	char words[64];
	u64 offset;
	int fd, err = 0;

	if (count >= sizeof(words))
		return -EINVAL;
	if (copy_from_user(words, from, count))
		return -EFAULT;
	words[count] = '\0';
	mutex_lock(&lock);
	if (sysfs_streq(words, "none"))
		unpin();
	else if (sscanf(words, "%d %llu %lu", &fd, &offset, &len) == 3)
		err = pin(fd, offset, len);
	else
		err = -EINVAL;
	mutex_unlock(&lock);
	return err ?: count;
}

static const struct file_operations pin_fops = {
	.owner = THIS_MODULE,
	.write = pin_write,
};

/*
 * Processes may change the bytes while they are copied. A module that acts on
 * what it reads there must copy it first, and check the copy.
 */
static ssize_t text_read(struct file *file, char __user *to, size_t count,
			 loff_t *pos)
{
	ssize_t n = -ENODATA;

	mutex_lock(&lock);
	if (text)
		n = simple_read_from_buffer(to, count, pos, text, text_len);
	mutex_unlock(&lock);
	return n;
}

static ssize_t text_write(struct file *file, const char __user *from,
			  size_t count, loff_t *pos)
{
	ssize_t n = -ENODATA;

	mutex_lock(&lock);
	if (text)
		n = simple_write_to_buffer(text, text_len, pos, from, count);
	mutex_unlock(&lock);
	return n ?: -ENOSPC;
}

static const struct file_operations text_fops = {
	.owner = THIS_MODULE,
	.read = text_read,
	.write = text_write,
};

static int __init client_init(void)
{
	dir = debugfs_create_dir("goheap_user_client", NULL);
	debugfs_create_file("pin", 0200, dir, NULL, &pin_fops);
	debugfs_create_file("text", 0600, dir, NULL, &text_fops);
	return 0;
}
module_init(client_init);

static void __exit client_exit(void)
{
	debugfs_remove(dir);
	unpin();
}
module_exit(client_exit);

MODULE_DESCRIPTION("Shares an object of a process's heap with it");
MODULE_LICENSE("GPL");
