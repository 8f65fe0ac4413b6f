// SPDX-License-Identifier: GPL-2.0-only
/*
 * NMIs that allocate and free, sent from CPU to CPU through the local APIC
 * while threads on the same CPUs use the same span classes.
 *
 * An NMI comes between any two instructions, those with interrupts off
 * included, so it finds slots busy and locks held. An allocation may then give
 * NULL, and a free may be put off; nothing else may happen.
 */
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/percpu.h>
#include <linux/sizes.h>
#include <linux/smp.h>

#include "stress.h"

#if defined(CONFIG_X86_64) && !defined(CONFIG_UML) && defined(CONFIG_SMP)
#include <asm/apic.h>
#include <asm/msr.h>
#include <asm/nmi.h>

#define NMI_OBJS	16

/**
 * struct nmi_cpu - what a CPU's NMIs have
 * @pending: one was sent, and is to be claimed
 * @apicid: where to send it
 * @rng: random numbers
 * @runs: how often they came
 * @got: objects they were given
 * @objs: their objects
 */
struct nmi_cpu {
	atomic_t pending;
	u32 apicid;
	struct st_rng rng;
	unsigned long runs;
	unsigned long got;
	struct st_obj objs[NMI_OBJS];
};

static DEFINE_PER_CPU(struct nmi_cpu, nmi_cpus);
static struct goheap_cache *nmi_cache;
static bool nmi_x2apic;
static bool nmi_stop;

static void nmi_step(struct st_obj *objs, struct st_rng *rng, gfp_t gfp,
		     unsigned long *got)
{
	/* Classes with spans of one object, of a few, and of many. */
	static const u32 sizes[] = { 48, 48, 1024, SZ_8K, SZ_32K };
	struct st_obj *o = &objs[st_below(rng, NMI_OBJS)];

	if (o->p) {
		st_obj_free(o);
		return;
	}
	o->kind = st_below(rng, 3) ? ST_PLAIN : ST_CACHE;
	o->cache = nmi_cache;
	o->size = o->kind == ST_CACHE ? goheap_cache_size(nmi_cache) :
					sizes[st_below(rng, ARRAY_SIZE(sizes))];
	*got += st_obj_new(o, rng, gfp);
}

static int nmi_handler(unsigned int cmd, struct pt_regs *regs)
{
	struct nmi_cpu *nc = this_cpu_ptr(&nmi_cpus);
	unsigned int n;

	if (!atomic_read(&nc->pending))
		return NMI_DONE;
	nc->runs++;
	for (n = 1 + st_below(&nc->rng, 4); n; n--)
		nmi_step(nc->objs, &nc->rng, GFP_ATOMIC | __GFP_NOWARN,
			 &nc->got);
	atomic_set(&nc->pending, 0);
	return NMI_HANDLED;
}

static void nmi_worker(struct st_worker *w)
{
	struct st_obj objs[NMI_OBJS] = { };
	unsigned long got = 0;

	while (!READ_ONCE(nmi_stop)) {
		nmi_step(objs, &w->rng, GFP_KERNEL, &got);
		cond_resched();
	}
	st_mix_end(objs, NMI_OBJS);
}

/* ---- sending ------------------------------------------------------------ */

/* The 64-bit readers have other names from kernel to kernel; this has not. */
static u32 nmi_rdmsr(u32 msr)
{
	u32 lo, hi;

	rdmsr(msr, lo, hi);
	(void)hi;
	return lo;
}

static void nmi_read_apicid(void *arg)
{
	struct nmi_cpu *nc = this_cpu_ptr(&nmi_cpus);

	if (nmi_x2apic)
		nc->apicid = nmi_rdmsr(APIC_BASE_MSR + (APIC_ID >> 4));
	else
		nc->apicid = native_apic_mem_read(APIC_ID) >> 24;
}

static void nmi_send(u32 apicid)
{
	unsigned long flags;

	local_irq_save(flags);
	if (nmi_x2apic) {
		wrmsr(APIC_BASE_MSR + (APIC_ICR >> 4), APIC_DM_NMI, apicid);
	} else {
		while (native_apic_mem_read(APIC_ICR) & APIC_ICR_BUSY)
			cpu_relax();
		native_apic_mem_write(APIC_ICR2, apicid << 24);
		native_apic_mem_write(APIC_ICR, APIC_DM_NMI);
	}
	local_irq_restore(flags);
}

static void nmi_send_all(void *arg)
{
	unsigned long end = st_enough();
	unsigned int i, n = st_iters(4000);
	struct nmi_cpu *nc;
	int cpu;

	for (i = 0; i < n && time_before(jiffies, end); i++) {
		for_each_online_cpu(cpu) {
			nc = per_cpu_ptr(&nmi_cpus, cpu);
			/* One at a time: the APIC would merge them. */
			if (atomic_read(&nc->pending))
				continue;
			atomic_set(&nc->pending, 1);
			nmi_send(nc->apicid);
		}
		usleep_range(20, 200);
	}
	WRITE_ONCE(nmi_stop, true);
}

static bool nmi_settled(void)
{
	bool settled = true;
	int cpu;

	for_each_online_cpu(cpu)
		settled &= !atomic_read(&per_cpu_ptr(&nmi_cpus, cpu)->pending);
	return settled;
}

static void nmi_end(void)
{
	unsigned long runs = 0, got = 0;
	unsigned int try;
	int cpu;

	for (try = 0; try < 100 && !nmi_settled(); try++)
		msleep(20);
	for_each_possible_cpu(cpu) {
		struct nmi_cpu *nc = per_cpu_ptr(&nmi_cpus, cpu);

		runs += nc->runs;
		got += nc->got;
		st_mix_end(nc->objs, NMI_OBJS);
	}
	st_check(got, "NMIs allocate (%lu objects in %lu NMIs)", got, runs);
}

static void nmi_begin(void)
{
	int cpu;

	nmi_x2apic = nmi_rdmsr(MSR_IA32_APICBASE) & X2APIC_ENABLE;
	on_each_cpu(nmi_read_apicid, NULL, 1);
	for_each_possible_cpu(cpu) {
		struct nmi_cpu *nc = per_cpu_ptr(&nmi_cpus, cpu);

		st_rng_init(&nc->rng, 2000 + cpu);
		nc->runs = 0;
		nc->got = 0;
	}
	nmi_stop = false;
}

static void nmi_run(void)
{
	int err;

	nmi_begin();
	err = register_nmi_handler(NMI_LOCAL, nmi_handler, 0, "goheap_stress");
	if (err) {
		st_bad("no NMI handler: %d", err);
		return;
	}
	cpus_read_lock();
	st_run(num_online_cpus(), ST_BOUND, nmi_worker, NULL, nmi_send_all);
	nmi_end();
	cpus_read_unlock();
	unregister_nmi_handler(NMI_LOCAL, "goheap_stress");
}

/**
 * stress_nmi() - NMIs allocate and free while threads do
 */
void stress_nmi(void)
{
	struct st_base base;

	st_base_take(&base);
	nmi_cache = goheap_cache_create("stress-nmi", 320, 0, 0, NULL);
	if (IS_ERR(nmi_cache)) {
		st_bad("the scenario could not be set up");
		return;
	}
	nmi_run();
	goheap_cache_destroy(nmi_cache);
	st_base_check(&base);
}

#else

/**
 * stress_nmi() - NMIs allocate and free while threads do
 */
void stress_nmi(void)
{
	st_skip("no way to send NMIs on this machine");
}

#endif
