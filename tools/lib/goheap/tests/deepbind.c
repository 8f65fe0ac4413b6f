// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * deepbind: a library that users_test loads with RTLD_DEEPBIND. It frees what others
 * allocated, and the other way round.
 */
#include <stdlib.h>
#include <string.h>

void *deepbind_exchange(void *p);

void *deepbind_exchange(void *p)
{
	char *q = malloc(200);

	free(p);
	return q ? strcpy(q, "mine") : NULL;
}
