/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's harness for self tests, whose time limits here are those of a
 * guest that is emulated: the build says by how much a kernel is slower.
 */
#ifndef _USER_HARNESS_H
#define _USER_HARNESS_H

#include "kselftest_harness.h"

#ifndef TIME_FACTOR
#define TIME_FACTOR	1
#endif

/* Macros of the harness expand these where a test is defined. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	(30 * TIME_FACTOR)

#undef TEST_F_TIMEOUT
#define TEST_F_TIMEOUT(fixture_name, test_name, timeout) \
	__TEST_F_IMPL(fixture_name, test_name, -1, (timeout) * TIME_FACTOR)

#endif /* _USER_HARNESS_H */
