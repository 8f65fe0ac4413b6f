// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * own_calls: glibc's own calls of malloc() go to glibc's own allocator.
 *
 * In a child, fork() runs code of glibc before it runs ours, while the window is
 * still the one that the parent uses. That code clears other threads' values of
 * pthread_setspecific() and resets the locks of all streams. If calloc() and
 * malloc() had put those into the window, the parent would lose them.
 *
 * malloc() could find out in each call, from its return address, whether glibc is
 * the caller. But glibc calls malloc() through a table, as all libraries do, so it is
 * enough to change the table's entries once, before the heap is opened. Programs
 * free what strdup() and the like return; that works because free() decides by the
 * address.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libc.h"
#include "own_calls.h"
#include "types.h"

/**
 * struct library - where glibc is
 * @base: what its addresses are relative to
 * @relro: the part that became read-only after relocation
 * @dynamic: its dynamic section, which says where the others are
 * @symbols: its symbol table
 * @strings: the names in @symbols
 */
struct library {
	uintptr_t base;
	const Elf64_Phdr *relro;
	const Elf64_Dyn *dynamic;
	const Elf64_Sym *symbols;
	const char *strings;
};

static bool holds(const struct library *lib, const Elf64_Phdr *ph, uintptr_t at)
{
	return at - lib->base - ph->p_vaddr < ph->p_memsz;
}

static int find_library(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct library *lib = arg;
	bool found = false;
	unsigned int i;

	(void)size;
	*lib = (struct library){ .base = info->dlpi_addr };
	for (i = 0; i < info->dlpi_phnum; i++) {
		const Elf64_Phdr *ph = &info->dlpi_phdr[i];

		if (ph->p_type == PT_LOAD)
			found |= holds(lib, ph, (uintptr_t)__libc_malloc);
		else if (ph->p_type == PT_GNU_RELRO)
			lib->relro = ph;
		else if (ph->p_type == PT_DYNAMIC)
			lib->dynamic = (void *)(lib->base + ph->p_vaddr);
	}
	return found && lib->dynamic;
}

static uintptr_t dynamic(const struct library *lib, Elf64_Sxword tag)
{
	const Elf64_Dyn *d = lib->dynamic;

	while (d->d_tag != DT_NULL && d->d_tag != tag)
		d++;
	return d->d_tag == DT_NULL ? 0 : d->d_un.d_val;
}

/* On most machines the loader has turned the entries into addresses. */
static const void *table(const struct library *lib, Elf64_Sxword tag)
{
	uintptr_t at = dynamic(lib, tag);

	return at && at < lib->base ? (void *)(lib->base + at) : (void *)at;
}

static bool set_entry(const struct library *lib, uintptr_t at, void *fn)
{
	bool relro = lib->relro && holds(lib, lib->relro, at);
	size_t page = sysconf(_SC_PAGESIZE);
	void *start = (void *)(at & -page);

	if (relro && mprotect(start, page, PROT_READ | PROT_WRITE))
		return false;
	__atomic_store_n((void **)at, fn, __ATOMIC_RELEASE);
	return !relro || !mprotect(start, page, PROT_READ);
}

/* Returns the number of entries for malloc() and calloc(), or -1. */
static int set_entries(const struct library *lib, const Elf64_Rela *rela,
		       size_t bytes)
{
	const Elf64_Rela *end = rela + bytes / sizeof(*rela);
	int n = 0;

	for (; rela < end; rela++) {
		const char *name = lib->strings +
			lib->symbols[ELF64_R_SYM(rela->r_info)].st_name;
		void *fn = NULL;

		if (!strcmp(name, "malloc"))
			fn = __libc_malloc;
		else if (!strcmp(name, "calloc"))
			fn = __libc_calloc;
		if (fn && !set_entry(lib, lib->base + rela->r_offset, fn))
			return -1;
		n += !!fn;
	}
	return n;
}

/**
 * lg_own_calls() - have glibc call its own malloc() and calloc()
 *
 * Return: 0, or -1 with errno.
 */
int lg_own_calls(void)
{
	struct library lib;
	int plain, lazy;

	errno = ENOTSUP;
	if (!dl_iterate_phdr(find_library, &lib))
		return -1;
	lib.symbols = table(&lib, DT_SYMTAB);
	lib.strings = table(&lib, DT_STRTAB);
	if (!lib.symbols || !lib.strings || dynamic(&lib, DT_RELASZ) == 0)
		return -1;

	plain = set_entries(&lib, table(&lib, DT_RELA),
			    dynamic(&lib, DT_RELASZ));
	lazy = set_entries(&lib, table(&lib, DT_JMPREL),
			   dynamic(&lib, DT_PLTRELSZ));
	if (plain < 0 || lazy < 0)
		return -1;
	errno = ENOTSUP;
	return plain + lazy >= 2 ? 0 : -1;
}
