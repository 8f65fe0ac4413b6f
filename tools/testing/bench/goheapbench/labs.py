# SPDX-License-Identifier: GPL-2.0-only
"""
The labs: ways to run a guest, each good for one kind of figure.

icount counts instructions: one processor, whose clock advances by a nanosecond
an instruction. step counts them too, on two processors, by a trap after each. um is
native time on one processor. vm is emulation on four processors, of which only ratios
mean something; kvm is real time on as many, where there is KVM.
"""

import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from goheapvm import console, guest, kernels
from goheapvm.modules import Workspace
from goheapvm.util import Failure

from .results import Guest, parse

# Neither zeroing nor the price of mitigations is what allocators differ in.
PLAIN = "init_on_alloc=0 mitigations=off"
DEFAULTS = ""
TIMEOUT = 900
# Processors of the host that may be in use before times suffer.
BUSY = 0.3

SCRIPT = """\
D=/sys/kernel/debug/goheap_bench
insmod /lib/goheap/goheap.ko || exit
insmod /lib/goheap/goheap_bench.ko || exit
uname -r > /out/release
status=0
for group in {groups}; do
	echo "bench: $group" > /dev/kmsg
	echo "$group {options}" > $D/run || {{ status=1; echo "bench: $group failed"; }}
	cat $D/result > /out/$group.result || exit
done
rmmod goheap_bench && rmmod goheap || exit
exit $status
"""


@dataclass(frozen=True)
class Lab:
    """How a guest is run, and what is measured in it."""
    kernels: tuple
    groups: tuple
    unit: str
    note: str
    alone: bool                         # time is measured: nothing else may run
    rounds: int                         # counts repeat, times need more of them
    options: dict = field(default_factory=dict)

    def command_options(self):
        """As options of tools/testing/vm/vm boot."""
        words = {"cpus": "--smp", "nodes": "--nodes", "accel": "--accel"}
        shown = [f"{words[key]} {value}" for key, value in self.options.items() if key in words]
        return " ".join(["--icount"] * self.options.get("icount", False) + shown)


LABS = {
    "icount": Lab(("stock", "7.2"),
                  ("pair", "batch", "bulk", "sizes", "cold", "hardirq", "sweep", "memory"),
                  "instructions", "instructions an object pair (alloc and free), exact", False, 3,
                  {"icount": True, "cpus": 1, "nodes": 1}),
    "step": Lab(("stock", "7.2"), ("sections", "sites", "shared"),
                "instructions", "instructions, by a trap after each", False, 1,
                {"cpus": 2, "nodes": 1, "accel": "tcg"}),
    "um": Lab(("um",), ("pair", "batch", "bulk", "sizes"),
              "ns", "native nanoseconds an object pair (alloc and free)", True, 5,
              {"cpus": 1, "nodes": 1}),
    "vm": Lab(("stock", "7.2"), ("parallel", "exchange"),
              "ns", "emulated wall time an object pair, of all CPUs together; "
              "only ratios mean something", True, 5,
              {"cpus": 4, "nodes": 2, "accel": "tcg"}),
    "kvm": Lab(("stock",), ("pair", "batch", "bulk", "sizes", "parallel", "exchange", "memory"),
               "ns", "nanoseconds an object pair under KVM; wall time of all CPUs together "
               "where there are several", True, 5,
               {"cpus": 4, "nodes": 1, "accel": "kvm"}),
}


@dataclass(frozen=True)
class Job:
    """One guest to boot."""
    lab: str
    kernel: str
    groups: tuple
    parameters: str = PLAIN
    scale: int = 100

    @property
    def name(self):
        return f"{self.lab}-{self.kernel}" + ("" if self.parameters else "-defaults")


def plan(labs, names, quick):
    """The guests of a run, on the kernels named; quick leaves out kernels and operations."""
    scale = 10 if quick else 100
    jobs = []
    for lab in labs:
        chosen = [name for name in names or LABS[lab].kernels if (name == "um") == (lab == "um")]
        for kernel in chosen[:1 if quick else None]:
            jobs.append(Job(lab, kernel, LABS[lab].groups, PLAIN, scale))
            if lab == "icount" and kernel == "stock" and not quick:
                jobs.append(Job(lab, kernel, ("pair", "batch", "bulk"), DEFAULTS, scale))
    return jobs


def unusable(lab):
    """Why a lab cannot run here, or None."""
    if lab == "kvm" and not guest.kvm_works(kernels.get("stock")):
        return "guests do not run under KVM here"
    return None


class Runner:
    """Builds the modules of each kernel once, and boots guests with them."""

    def __init__(self, repo, out, say):
        self.repo = repo
        self.out = out
        self.say = say
        self.workspaces = {}
        self.failures = 0

    def run(self, jobs):
        """
        What the guests measured. Those that count run beside each other; those that
        take time run alone. One that fails does not keep the others from running.
        """
        for job in jobs:
            self.workspace(job.kernel)
        counting = [job for job in jobs if not LABS[job.lab].alone]
        with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
            done = dict(zip(counting, pool.map(self.attempt, counting)))
        for job in jobs:
            if job not in done:
                done[job] = self.attempt(job)
        return [done[job] for job in jobs if done[job]]

    def workspace(self, name):
        if name not in self.workspaces:
            workspace = Workspace(self.repo, kernels.get(name), self.out / "modules", "bench")
            guest.require_qemu(workspace.kernel)
            workspace.build()
            self.workspaces[name] = workspace
        return self.workspaces[name]

    def attempt(self, job):
        try:
            return self.boot(job)
        except (Failure, OSError) as failure:
            self.complain(job, str(failure))
            return None

    def complain(self, job, text):
        self.failures += 1
        self.say(f"{job.name}: FAILED: {text}")

    def boot(self, job):
        lab = LABS[job.lab]
        workspace = self.workspaces[job.kernel]
        self.say(f"{job.name}: {' '.join(job.groups)}")
        others = busy_processors() if lab.alone else 0.0
        if others > BUSY:
            self.say(f"{job.name}: something else keeps {others:.1f} processors busy: "
                     "times will be rough")
        script = SCRIPT.format(groups=" ".join(job.groups),
                               options=f"rounds={lab.rounds} scale={job.scale}")
        result = guest.boot(workspace.kernel, script, workspace.guest_modules(),
                            self.out / "guests" / job.name,
                            guest.Options(timeout=TIMEOUT, append=job.parameters, **lab.options))
        self.judge(job, result)
        self.say(f"{job.name}: {result.seconds:.0f} s")
        found = self.collect(job, workspace, result)
        found.others = others
        return found

    def collect(self, job, workspace, result):
        found = Guest(job.lab, job.kernel, job.parameters, seconds=round(result.seconds, 1),
                      quick=job.scale < 100, command=repeat(job))
        found.release = (result.out / "out/release").read_text().strip()
        # Kernels that are built here are kept by version and hash of the configuration.
        found.build = workspace.kernel.kdir.name.removeprefix("linux-headers-")
        found.compiler = compiler_of(workspace.src / "goheap.ko")
        for group in job.groups:
            measured = parse((result.out / f"out/{group}.result").read_text())
            if not measured:
                raise Failure(f"{group} measured nothing")
            found.measurements += measured
        return found

    def judge(self, job, result):
        """
        Figures of a guest that the kernel complained in are none. If the module could
        not measure one of its peers, it says so, and the others' figures stand.
        """
        problems = result.problems + [str(found) for found in console.check_file(result.console)]
        if problems:
            raise Failure("\n  ".join([f"see {result.console}", *problems[:5]]))
        if result.status != 0:
            said = re.findall(r"goheap_bench: .*|insmod: .*|bench: .* failed",
                              result.console.read_text(errors="replace"))
            words = "\n  ".join(said[:5] or [f"exit status {result.status}"])
            if not (result.out / f"out/{job.groups[-1]}.result").exists():
                raise Failure(words)
            self.complain(job, words)


def busy_processors(seconds=1.0):
    """How many of the host's processors are in use just now."""
    def idle():
        words = Path("/proc/stat").read_text().split()
        return (int(words[4]) + int(words[5])) / os.sysconf("SC_CLK_TCK")

    cpus, before, start = os.cpu_count() or 1, idle(), time.monotonic()
    time.sleep(seconds)
    return round(max(0.0, cpus - (idle() - before) / (time.monotonic() - start)), 1)


def compiler_of(module):
    """The compiler that a module names in its .comment section."""
    found = re.search(rb"(GCC: \([^)]*\) [\d.]+|clang version [\d.]+)", module.read_bytes())
    return re.sub(r"GCC: \([^)]*\)", "gcc", found[0].decode()) if found else "unknown compiler"


def repeat(job):
    """A command that takes the figures of one group again."""
    append = f'--append "{job.parameters}" ' if job.parameters else ""
    return (f"tools/testing/vm/vm boot {job.kernel} --bench {LABS[job.lab].command_options()} {append}"
            "--run 'cd /lib/goheap && insmod goheap.ko && insmod goheap_bench.ko && "
            f"cd /sys/kernel/debug/goheap_bench && echo {job.groups[0]} > run && cat result'")
