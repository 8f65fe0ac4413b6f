# SPDX-License-Identifier: GPL-2.0-only
"""Boots a kernel with an initramfs under a time limit and brings back what it said."""

import os
import re
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

from . import initramfs
from .util import Failure, cache_dir, fresh_dir, locked, locked_file, run, say
from .watch import Watch

KVM_TRIAL_SECONDS = 10
BOOT_TRIES = 3
UP = "goheap-vm: up"


@dataclass
class Options:
    """How to boot; the defaults are those of the tests."""
    timeout: int = 300
    append: str = ""
    cpus: int = 4
    memory: int = 4096
    nodes: int = 2
    bare: int = 0
    icount: bool = False
    accel: str = "auto"
    qemu_args: tuple = ()
    live: bool = False
    news: str = ""


@dataclass
class Result:
    """What is known after the guest is gone."""
    out: Path
    seconds: float = 0.0
    ended: str = ""
    status: int = None
    problems: list = field(default_factory=list)

    @property
    def console(self):
        return self.out / "console.log"

    @property
    def results(self):
        """The self tests' own output, apart from the console."""
        hostfs = self.out / "out/results.log"
        return hostfs if hostfs.exists() else self.out / "results.log"


def boot(kernel, run_script, files, out, options):
    """Run a shell script in a guest; its /out comes back as out/out."""
    out = Path(out).resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    with locked_file(f"{out}.lock", out):
        return boot_locked(kernel, run_script, files, fresh_dir(out), options)


def boot_locked(kernel, run_script, files, out, options):
    (out / "out").mkdir()
    image = out / "initramfs.cpio"
    initramfs.build(image, run_script, files)
    command = command_line(kernel, image, out, options)
    (out / "command").write_text(" ".join(command) + "\n")
    end = time.monotonic() + options.timeout
    for tries_left in reversed(range(BOOT_TRIES)):
        result = Result(out)
        allowed = end - time.monotonic()
        watch = Watch(allowed, options.news, options.live)
        terminal = kernel.arch != "um" and options.accel != "kvm"
        result.ended = watch.run(command, result.console, terminal)
        result.seconds = watch.seconds
        if not emulator_failed(result, allowed) or not tries_left:
            break
        result.console.rename(out / f"emulator-failed.{tries_left}.log")
        say(f"the emulator failed the guest; {tries_left} more tries")
    image.unlink()
    unpack_out(out, result)
    judge_end(result)
    return result


def emulator_failed(result, allowed):
    """
    Whether the guest died of its emulation. With a thread a processor, QEMU sometimes
    lets one run into the breakpoint of a jump label that was removed already, at
    boot or when the kernel switches a feature. That says nothing about us. Nor
    does a kernel that dies or hangs before anything of ours runs.
    """
    text = result.console.read_text(errors="replace")
    return result.seconds < allowed and (UP not in text or "Oops: int3" in text)


# ---- command lines ----------------------------------------------------------

def command_line(kernel, image, out, options):
    if kernel.arch == "um":
        return uml_command(kernel, image, out, options)
    return qemu_command(kernel, image, out, options)


def uml_command(kernel, image, out, options):
    # Its processes take turns, several for each page fault. To wake a processor that
    # sleeps for each turn makes it many times slower, most of all in a virtual machine.
    processors = sorted(os.sched_getaffinity(0))
    processor = processors[os.getpid() % len(processors)]
    pinned, several = ["taskset", "--cpu-list", str(processor)], []
    if kernel.has("SMP"):
        # With more, one that spins keeps the one from running that holds the lock.
        cpus = min(options.cpus, len(processors))
        pinned, several = [], [f"ncpus={cpus}", "seccomp=on", *PATIENCE.split()]
    return [*pinned, str(kernel.image), *several,
            f"mem={options.memory}M", f"initrd={image}", f"hostfs={out}/out",
            "con=null", "con0=null,fd:1", "loglevel=7", "panic=-1", *options.append.split()]


# Under emulation on a busy host, a processor of the guest may stand still for
# tens of seconds through no fault of the kernel's, and a case of a KUnit suite,
# which insmod waits for, may take minutes. Real hangs still show: 300 s is what
# KUnit itself allows a case.
PATIENCE = ("watchdog_thresh=60 rcupdate.rcu_cpu_stall_timeout=150 workqueue.watchdog_thresh=150 "
            "sysctl.kernel.hung_task_timeout_secs=300")


def qemu_command(kernel, image, out, options):
    append = ("console=ttyS0,115200 loglevel=7 panic=-1 oops=panic printk.devkmsg=on "
              "sysrq_always_enabled "
              + PATIENCE + " " + options.append)
    return ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
            "-no-reboot", "-cpu", "max", *accel_args(kernel, options), *topology_args(options),
            "-kernel", str(kernel.image), "-initrd", str(image), "-append", append.strip(),
            "-serial", "mon:stdio", "-serial", f"file:{out}/results.log",
            "-serial", f"file:{out}/out.tar.gz", *options.qemu_args]


def topology_args(options):
    """
    The guest's processors, dealt out evenly over NUMA nodes, and its memory, over all
    but the last ones, which are bare.
    """
    nodes = max(1, min(options.nodes, options.cpus))
    filled = max(1, nodes - options.bare)
    smp = str(options.cpus)
    if options.cpus % nodes == 0:
        # Processors of one socket in different nodes make the kernel warn.
        smp += f",sockets={nodes},cores={options.cpus // nodes}"
    args = ["-m", f"{options.memory}M", "-smp", smp]
    if nodes == 1:
        return args
    for node in range(nodes):
        first = node * options.cpus // nodes
        last = (node + 1) * options.cpus // nodes - 1
        numa = f"node,nodeid={node},cpus={first}-{last}"
        if node < filled:
            size = (node + 1) * options.memory // filled - node * options.memory // filled
            args += ["-object", f"memory-backend-ram,id=m{node},size={size}M"]
            numa += f",memdev=m{node}"
        args += ["-numa", numa]
    return args


def accel_args(kernel, options):
    if options.icount:
        return ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off"]
    if options.accel == "kvm" or (options.accel == "auto" and kvm_works(kernel)):
        return ["-accel", "kvm"]
    return ["-accel", "tcg,thread=multi"]


def kvm_works(kernel):
    """
    Whether a guest really runs under KVM. On some hosts /dev/kvm opens, a
    machine is created, and its processors never execute anything; only trying
    tells. The answer holds until the host boots again.
    """
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    memo = cache_dir() / f"kvm-{boot_id}"
    with locked("kvm"):
        if not memo.exists():
            memo.write_text("yes" if kvm_trial(kernel) else "no")
    return memo.read_text() == "yes"


def kvm_trial(kernel):
    say("trying whether a guest runs under KVM")
    options = Options(timeout=KVM_TRIAL_SECONDS, accel="kvm", cpus=1, memory=512)
    result = boot(kernel, "true\n", [], cache_dir() / "kvm-trial", options)
    shutil.rmtree(result.out)
    say("KVM works" if result.status == 0 else "KVM does not work here; using emulation")
    return result.status == 0


# ---- afterwards --------------------------------------------------------------

def unpack_out(out, result):
    archive = out / "out.tar.gz"
    if archive.exists() and archive.stat().st_size:
        try:
            run(["tar", "-xzf", archive, "-C", out / "out"])
        except Failure as error:
            result.problems.append(f"the guest's /out did not arrive whole: {error}")
    archive.unlink(missing_ok=True)


def judge_end(result):
    text = result.console.read_text(errors="replace")
    done = re.search(r"goheap-vm: done (\d+)", text)
    if done:
        result.status = int(done[1])
    if result.ended:
        result.problems.append(f"the guest {result.ended}")
    elif not done:
        result.problems.append("the guest died before it was done")


def require_qemu(kernel):
    if kernel.arch != "um" and not shutil.which("qemu-system-x86_64"):
        raise Failure("qemu-system-x86_64 is missing; run tools/setup")
