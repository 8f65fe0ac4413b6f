/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * output: how goheapctl prints, and how it fails.
 */
#ifndef _GOHEAPCTL_OUTPUT_H
#define _GOHEAPCTL_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

/* JSON instead of text. */
extern bool json;

const char *text_of(__u64 value, char *buf, size_t room);
const char *bytes_of(__u64 value, char *buf, size_t room);
void json_string(const char *s);
void json_values(const __u64 *values, const char *const *names, size_t n);
void print_name(const char *s);

#endif /* _GOHEAPCTL_OUTPUT_H */
