// SPDX-License-Identifier: GPL-2.0-only
/*
 * gen_sizeclasses: print the size class tables as a C header.
 *
 * Runs on the build host. Many classes waste little in each object, but have
 * many partly filled spans. So sizes are an eighth of their power of two apart,
 * which wastes at most an eighth of an object, except of the smallest ones.
 * Spans are as short as possible with a tail of at most an eighth, and sizes
 * are then stretched to use what the tail leaves over.
 *
 * Sizes are always computed for 8 KiB pages, so that a size has the same class
 * everywhere; span lengths are printed for every page size that a kernel may
 * have. Before anything is printed the tables are checked against the sums
 * below and against brute force. A mismatch prints nothing and fails the build.
 */
#include <stdio.h>
#include <stdlib.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define PAGE		8192u
#define MIN_SHIFT	13
#define MAX_SHIFT	16
#define MAX_SMALL	32768u
#define MAX_CLASSES	80

/* Lookup in steps of 8 bytes up to STEP8_MAX, of 128 bytes from BASE128 on. */
#define STEP8_MAX	1016u
#define BASE128		1024u
#define NUM8		(STEP8_MAX / 8 + 2)
#define NUM128		((MAX_SMALL - BASE128) / 128 + 1)

/* What the tables must come to. */
#define NUM_CLASSES	68u
#define SUM_SIZES	372768u
#define SUM_NPAGES	168u
#define SUM_CLASS8	2972u
#define SUM_CLASS128	14342u
#define MAX_OBJS	1024u
#define MAX_NPAGES	10u

static unsigned int class_size[MAX_CLASSES];
static unsigned int class_npages[MAX_CLASSES];
static unsigned int num_classes;
static unsigned int class8[NUM8];
static unsigned int class128[NUM128];

static void expect(const char *what, unsigned long long got,
		   unsigned long long want)
{
	if (got == want)
		return;
	fprintf(stderr, "gen_sizeclasses: %s is %llu, must be %llu\n",
		what, got, want);
	exit(1);
}

/* Spacing between sizes that are just above @size. */
static unsigned int align_from(unsigned int size, unsigned int align)
{
	if (size & (size - 1))
		return align;
	if (size >= 2048)
		return 256;
	if (size >= 128)
		return size / 8;
	return size >= 32 ? 16 : align;
}

/* Shortest span, in pages of @page bytes, that wastes at most an eighth. */
static unsigned int span_npages(unsigned int size, unsigned int page)
{
	unsigned int span = page;

	while (span % size > span / 8)
		span += page;
	return span / page;
}

static void make_classes(void)
{
	unsigned int size, align = 8, i, n = 1;

	for (size = align; size <= MAX_SMALL; size += align) {
		unsigned int npages = span_npages(size, PAGE);
		unsigned int prev = n - 1;

		align = align_from(size, align);
		/* As many objects in as many pages: the larger size wins. */
		if (prev && class_npages[prev] == npages &&
		    npages * PAGE / class_size[prev] == npages * PAGE / size) {
			class_size[prev] = size;
			continue;
		}
		if (n == MAX_CLASSES)
			expect("number of classes", n, NUM_CLASSES);
		class_npages[n] = npages;
		class_size[n++] = size;
	}
	num_classes = n;

	/* Share a span's tail among its objects, in steps of 128 bytes. */
	for (i = 1; i < n; i++) {
		unsigned int span = class_npages[i] * PAGE;
		unsigned int fair = span / (span / class_size[i]) / 128 * 128;

		if (class_size[i] < fair)
			class_size[i] = fair;
	}
}

static void make_lookup(void)
{
	unsigned int i, class = 1;

	for (i = 1; i < NUM8; i++) {
		while (class_size[class] < i * 8)
			class++;
		class8[i] = class;
	}
	class = 1;
	for (i = 0; i < NUM128; i++) {
		while (class_size[class] < BASE128 + i * 128)
			class++;
		class128[i] = class;
	}
}

static void check_spans(void)
{
	unsigned int i;

	for (i = 1; i < num_classes; i++) {
		unsigned int span = class_npages[i] * PAGE;

		if (class_npages[i] > MAX_NPAGES)
			expect("npages of a class", class_npages[i],
			       MAX_NPAGES);
		if (span / class_size[i] > MAX_OBJS)
			expect("objects of a span", span / class_size[i],
			       MAX_OBJS);
		if (span % class_size[i] > span / 16)
			expect("tail of a span", span % class_size[i],
			       span / 16);
		if (class_size[i] <= class_size[i - 1])
			expect("size after the one before", class_size[i],
			       class_size[i - 1] + 1);
	}
}

/* Every small size finds the smallest class that holds it. */
static void check_lookup(void)
{
	unsigned int size, class = 1;

	for (size = 1; size <= MAX_SMALL; size++) {
		if (size > class_size[class])
			class++;
		expect("class of a size", size <= STEP8_MAX ?
		       class8[(size + 7) / 8] :
		       class128[(size - BASE128 + 127) / 128], class);
	}
}

static unsigned long long sum(const unsigned int *v, unsigned int n)
{
	unsigned long long total = 0;

	while (n--)
		total += v[n];
	return total;
}

static void check_sums(void)
{
	expect("number of classes", num_classes, NUM_CLASSES);
	expect("sum of sizes", sum(class_size, num_classes), SUM_SIZES);
	expect("sum of npages", sum(class_npages, num_classes), SUM_NPAGES);
	expect("last size", class_size[num_classes - 1], MAX_SMALL);
	expect("sum of the 8-byte steps", sum(class8, NUM8), SUM_CLASS8);
	expect("sum of the 128-byte steps", sum(class128, NUM128),
	       SUM_CLASS128);
}

static void print_table(const char *type, const char *name,
			const unsigned int *v, unsigned int n)
{
	unsigned int i;

	printf("\nconst %s %s[%u] = {", type, name, n);
	for (i = 0; i < n; i++)
		printf("%s%uu,", i % 6 ? " " : "\n\t", v[i]);
	printf("\n};\nGH_EXPORT_FOR_TESTS(%s);\n", name);
}

/* Span lengths depend on the page; sizes and lookup do not. */
static void print_spans(unsigned int shift)
{
	unsigned int npages[MAX_CLASSES] = { 0 }, nelems[MAX_CLASSES] = { 0 };
	unsigned int i;

	for (i = 1; i < num_classes; i++) {
		npages[i] = shift == MIN_SHIFT ? class_npages[i] :
			    span_npages(class_size[i], 1u << shift);
		nelems[i] = (npages[i] << shift) / class_size[i];
	}
	printf("\n#%s GH_PAGE_SHIFT == %u\n",
	       shift == MIN_SHIFT ? "if" : "elif", shift);
	printf("#define GH_SUM_NPAGES %lluu\n", sum(npages, num_classes));
	print_table("u8", "gh_class_npages", npages, num_classes);
	print_table("u16", "gh_class_nelems", nelems, num_classes);
}

static void print_header(void)
{
	unsigned int shift;

	printf("/* SPDX-License-Identifier: GPL-2.0-only */\n"
	       "/* Generated by gen_sizeclasses; included by sizeclass.c. */\n"
	       "#define GH_TABLE_CLASSES %uu\n#define GH_TABLE_MAX_SMALL %uu\n"
	       "#define GH_SUM_SIZES %lluu\n",
	       num_classes, class_size[num_classes - 1],
	       sum(class_size, num_classes));
	print_table("u16", "gh_class_size", class_size, num_classes);
	print_table("u8", "gh_class8", class8, NUM8);
	print_table("u8", "gh_class128", class128, NUM128);
	for (shift = MIN_SHIFT; shift <= MAX_SHIFT; shift++)
		print_spans(shift);
	printf("\n#else\n#error no size classes for this page size\n#endif\n");
}

int main(void)
{
	make_classes();
	make_lookup();
	check_sums();
	check_spans();
	check_lookup();
	print_header();
	return fflush(stdout) || ferror(stdout);
}
