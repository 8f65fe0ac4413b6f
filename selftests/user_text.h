/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel tells of heaps in files.
 */
#ifndef _USER_TEXT_H
#define _USER_TEXT_H

#include "user_test.h"

/* Until the next call. */
static inline const char *contents(const char *name)
{
	static char text[65536];
	FILE *f = fopen(name, "r");
	size_t len = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	text[len] = '\0';
	if (f)
		fclose(f);
	return text;
}

static inline const char *read_fdinfo(int fd)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", fd);
	return contents(name);
}

static inline __u64 fdinfo_value(int fd, const char *field)
{
	const char *at = strstr(read_fdinfo(fd), field);

	return at ? strtoull(at + strlen(field), NULL, 0) : ~0ULL;
}

static inline bool fdinfo_has(int fd, const char *line)
{
	return strstr(read_fdinfo(fd), line);
}

#endif /* _USER_TEXT_H */
