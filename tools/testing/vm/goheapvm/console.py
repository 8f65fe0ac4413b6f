# SPDX-License-Identifier: GPL-2.0-only
"""
Reads a guest's console and says what must not be there.

Two kinds of lines are looked for. The kernel's own reports (a warning, an
oops, lockdep, KASAN, ...) fail a run wherever they are. goheap's reports of its
users' mistakes, and stack dumps, are what some tests are made to provoke: they
are allowed between "goheap-expect: begin" and "goheap-expect: end", and
nowhere else.

Reports of KCSAN are judged as a whole, since the strict rules find hundreds of
races in the kernel itself: one is ours if a function of our modules is in one of
its two stacks, unless the kernel's function in the race looks at tasks that do
anything at all. Others are let pass.
"""

import re
from dataclasses import dataclass

EXPECT_BEGIN = "goheap-expect: begin"
EXPECT_END = "goheap-expect: end"
# In such a window calls are made that may sleep, where they may not.
EXPECT_SLEEP = EXPECT_BEGIN + " sleep"
SLEEP = re.compile(r"BUG: sleeping function called from invalid context")

# What the kernel says when something is broken.
FORBIDDEN = (
    ("warning", r"\bWARNING: "),
    ("bug", r"\bBUG: |\bBUG \S+ \(|kernel BUG at|------------\[ cut here \]"),
    ("oops", r"\bOops: |\bOops\b.*\[#\d+\]"),
    ("panic", r"Kernel panic"),
    ("fault", r"general protection fault|[Uu]nable to handle|double fault:|"
              r"stack segment: |invalid opcode: |divide error: |traps: PANIC"),
    ("segmentation fault of the first process", r"Attempted to kill init"),
    ("lockdep", r"possible (circular|recursive|irq lock inversion)|inconsistent lock state|"
                r"lock order inversion|bad unlock balance|"
                r"suspicious RCU usage|suspicious usage|held lock freed|"
                r"lock held when returning to user|Invalid wait context|"
                r"Nested lock was not taken|DEBUG_LOCKS_WARN_ON|"
                r"MAX_(LOCKDEP|STACK_TRACE|LOCK_DEPTH)\w* too low|"
                r"trying to register non-static key|locks? (still )?held"),
    ("atomic sleep", r"sleeping function called|scheduling while atomic|"
                     r"atomic copy in user|using (smp_processor_id|__this_cpu_\w+)\(\) in preemptible|"
                     r"Voluntary context switch within RCU|"
                     r"preemption (imbalance|leaked)|huh, entered|with irqs disabled"),
    ("sanitizer", r"\bKASAN: |\bUBSAN: |\bKMSAN: |\bKFENCE: "),
    ("leak", r"unreferenced object 0x|kmemleak: \d+ new suspected|"
             r"kmemleak: Kernel memory leak detector disabled|"
             r"Objects remaining in|still has objects"),
    ("stall", r"rcu.*(detected|self-detected) stall|rcu.*stalls? on CPUs|"
              r"rcu.*kthread (starved|timer wakeup)|blocked for more than \d+ seconds|"
              r"soft lockup|hard LOCKUP|hung_task:|workqueue lockup"),
    ("memory", r"[Bb]ad page (state|map|table)|bad pmd|bad pud|bad pgd|Bad rss-counter|"
               r"page_table_check|nonzero (mapcount|_refcount)|corrupted page|"
               r"list_(add|del) corruption|Slab corruption|Redzone|Poison overwritten|"
               r"Object already free|invalid free|vmalloc: .*bad|Trying to vfree|"
               r"stack guard page was hit|stack-protector|corrupted stack end|"
               r"refcount_t: |usercopy: Kernel memory|unexpected.*non-present"),
    ("objects", r"ODEBUG: "),
    ("out of memory", r"Out of memory: |invoked oom-killer|oom-kill:"),
    ("timekeeping", r"irq \d+: nobody cared|unregister_netdevice: waiting"),
    ("names", r"sysfs: cannot create duplicate|debugfs: .*already (present|exists)|"
              r"kobject_add_internal failed"),
    ("module", r"Unknown symbol|disagrees about version of symbol|version magic"),
    ("tests", r"goheap-vm: .*failed to (un)?load"),
)

# A test may make these; anybody else must not.
EXPECTABLE = (
    ("goheap report", r"(^|\] ?)goheap: (bad free|cache leak|unload leak|refused): "),
    ("stack dump", r"\bCall [Tt]race:"),
    ("allocation failure", r"page allocation failure|vmalloc error: |vmap allocation for size"),
)

# Lines that look bad and are not: what stock kernels say while they boot.
HARMLESS = (
    r"WARNING: Unprivileged eBPF is enabled",
    r"WARNING: Spectre v2",
    r"Spectre V2 : WARNING",
    r"\bno locks held by ",
)

# Reports of lockdep about user-mode Linux itself, by what they complain of and a function
# of their trace: it frees memory on a CPU that is not online yet, and flushes the TLB by
# the list of a task's areas, without the lock of these.
RCU_REPORT = re.compile(r"WARNING: suspicious RCU usage")
OF_UML = (
    ("Callback enqueued on offline CPU!!", " os_start_secondary+"),
    ("lib/maple_tree.c:", " flush_tlb_mm+"),
)
TRACE = re.compile(r"\bCall Trace:")
# Their traces have less than this.
RCU_LINES = 80

# The last that a kernel says. A CPU that idles on may still balance tasks then, to CPUs
# that are gone, and a warning about that concerns no module.
DOWN = re.compile(r"(^|\] ?)reboot: Power down$")

# KCSAN: the first line, a function of one of our modules, and the last line.
RACE = re.compile(r"\bBUG: KCSAN: (.*)")
OURS = re.compile(r"\w \[(goheap\w*|\w+_kunit)[] ]")
RACE_END = re.compile(r"(^|\] ?)={60,}$")
# Verbose reports of two deep stacks have less than this.
RACE_LINES = 200
# Functions of the kernel that look at a task while this runs. What they race with may
# have been called by anybody, so also by us.
BYSTANDERS = {
    "kthread_is_per_cpu": "the load balancer reads the flags of a task that enters or leaves "
                          "a memalloc scope",
    "kthread_data": "the tick reads the flags of the worker that it interrupts, which may "
                    "enter or leave a memalloc scope",
    "hrtimer_wakeup": "wakes a task that goes to sleep with a timer, and tells it so",
}

FORBIDDEN_RE = [(what, re.compile(pattern)) for what, pattern in FORBIDDEN]
EXPECTABLE_RE = [(what, re.compile(pattern)) for what, pattern in EXPECTABLE]
HARMLESS_RE = re.compile("|".join(HARMLESS))


@dataclass(frozen=True)
class Finding:
    """A line that should not be on the console."""
    line: int
    what: str
    text: str

    def __str__(self):
        return f"line {self.line}: {self.what}: {self.text}"


def first_match(patterns, text):
    return next((what for what, pattern in patterns if pattern.search(text)), None)


class Races:
    """Finds the reports of KCSAN in which one of our modules has a part."""

    def __init__(self, findings):
        self.findings = findings
        self.finding = None
        self.ours = False
        self.exempt = False

    def read(self, number, text):
        """True if the line begins a report; it is judged when the report has ended."""
        begins = RACE.search(text)
        if self.finding and (begins or RACE_END.search(text)
                             or number > self.finding.line + RACE_LINES):
            self.end()
        if begins:
            self.finding = Finding(number, "data race", text)
            self.exempt = any(word in BYSTANDERS for word in begins[1].split())
        if self.finding and OURS.search(text) and not self.exempt:
            self.ours = True
        return bool(begins)

    def end(self):
        if self.finding and self.ours:
            self.findings.append(self.finding)
        self.finding = None
        self.ours = False


def lines_of_uml(lines):
    """The numbers of the lines of reports about user-mode Linux, to their traces."""
    numbers = set()
    begins = [i for i, line in enumerate(lines) if RCU_REPORT.search(line)]
    for begin, following in zip(begins, begins[1:] + [len(lines)]):
        report = lines[begin:min(following, begin + RCU_LINES)]
        trace = next((i for i, line in enumerate(report) if TRACE.search(line)), None)
        if trace is not None and any(any(what in line for line in report[:trace])
                                     and any(function in line for line in report[trace:])
                                     for what, function in OF_UML):
            numbers.update(range(begin + 1, begin + trace + 2))
    return numbers


def check(lines):
    """All findings in an iterable of console lines."""
    lines = list(lines)
    of_uml = lines_of_uml(lines)
    findings = []
    races = Races(findings)
    window = 0
    for number, line in enumerate(lines, 1):
        text = line.rstrip("\r\n")
        if number in of_uml:
            continue
        if DOWN.search(text):
            break
        if races.read(number, text):
            continue
        if EXPECT_BEGIN in text:
            if window:
                findings.append(Finding(number, "window begun in a window", text))
            window = number
            asleep = EXPECT_SLEEP in text
        elif EXPECT_END in text:
            if not window:
                findings.append(Finding(number, "window ended without begin", text))
            window = 0
        else:
            what = judge(text, bool(window))
            if what and not (window and asleep and SLEEP.search(text)):
                findings.append(Finding(number, what, text))
    if window:
        findings.append(Finding(window, "window never ended", EXPECT_BEGIN))
    races.end()
    return sorted(findings, key=lambda finding: finding.line)


def judge(text, in_window):
    """What is wrong with a line, or None."""
    if HARMLESS_RE.search(text):
        return None
    what = first_match(FORBIDDEN_RE, text)
    if not what and not in_window:
        what = first_match(EXPECTABLE_RE, text)
    return what


def check_file(path):
    with open(path, errors="replace") as f:
        return check(f)
