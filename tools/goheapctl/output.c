// SPDX-License-Identifier: GPL-2.0-only
/*
 * output: how goheapctl prints.
 */
#include <ctype.h>
#include <stdio.h>

#include "output.h"
#include "scan.h"

bool json;

const char *text_of(__u64 value, char *buf, size_t room)
{
	if (value == UNKNOWN)
		return "-";
	snprintf(buf, room, "%llu", value);
	return buf;
}

/* Bytes as people read them: at most four digits and a unit. */
const char *bytes_of(__u64 value, char *buf, size_t room)
{
	static const char units[] = "BKMGT";
	unsigned int unit = 0;

	if (value == UNKNOWN)
		return "-";
	while (value >= 10000 && units[unit + 1]) {
		value = (value + 512) / 1024;
		unit++;
	}
	snprintf(buf, room, "%llu%c", value, units[unit]);
	return buf;
}

/* Bytes of the character of UTF-8 at @s, which is not ASCII; 0 if it is none. */
static int utf8_length(const char *s)
{
	static const unsigned int least[] = { 0x80, 0x800, 0x10000 };
	unsigned char c = *s;
	int i, n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
	unsigned int value = c & (0x7f >> n);

	if (c < 0xc2 || c > 0xf4)
		return 0;
	for (i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (s[i] & 0x3f);
	}
	if (value < least[n - 2] || value > 0x10ffff ||
	    (value >= 0xd800 && value <= 0xdfff))
		return 0;
	return n;
}

/* Bytes above ASCII; returns how many were taken. What is no UTF-8 is U+FFFD. */
static int json_high(const char *s)
{
	int n = utf8_length(s);

	if (n)
		printf("%.*s", n, s);
	else
		fputs("\\ufffd", stdout);
	return n ? n : 1;
}

void json_string(const char *s)
{
	putchar('"');
	while (*s) {
		unsigned char c = *s;

		if (c > '~' + 1) {
			s += json_high(s);
			continue;
		}
		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < ' ' || c > '~')
			printf("\\u%04x", c);
		else
			putchar(c);
		s++;
	}
	putchar('"');
}

void json_values(const __u64 *values, const char *const *names,
		 size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		printf("%s\"%s\": ", i ? ", " : "", names[i]);
		if (values[i] == UNKNOWN)
			fputs("null", stdout);
		else
			printf("%llu", values[i]);
	}
}

void print_name(const char *s)
{
	if (!*s)
		putchar('-');
	for (; *s; s++)
		putchar(isprint((unsigned char)*s) ? *s : '?');
	putchar('\n');
}
