// SPDX-License-Identifier: GPL-2.0-only OR MIT
// The header is good C++, and links as C.
#include <goheap.h>

int main()
{
	goheap *h = goheap_open(nullptr, GOHEAP_PRIVATE);

	if (!h)
		return 1;
	void *p = goheap_malloc(h, 100);
	bool good = goheap_deref(h, goheap_ref(h, p)) == p;
	goheap_free(h, p);
	goheap_close(h);
	return good ? 0 : 1;
}
