# SPDX-License-Identifier: GPL-2.0-only
"""Tests ask for a guest, and QEMU must make just that."""

import unittest
from unittest import mock

from goheapvm import guest, machines, modules
from goheapvm.machines import Machine
from goheapvm.util import Failure

LIST = """
load.sh		60
machine cpus=16 nodes=4 bare=1		# many
mcache_kunit	300
stress_irq	90	stress.sh irq
machine mem=1024 cpus=2
stress_irq	90	stress.sh irq
machine
last.sh		10
"""


class Reading(unittest.TestCase):
    def test_default(self):
        self.assertEqual(machines.parse([]), machines.DEFAULT)
        self.assertEqual(str(machines.DEFAULT), "")
        self.assertTrue(machines.parse(["cpus=4", "mem=4096"]).is_default)

    def test_words_come_back(self):
        for text in ("cpus=16 nodes=4 bare=1", "mem=1024", "cpus=2 mem=2048"):
            self.assertEqual(str(machines.parse(text.split())), text)

    def test_nonsense_is_refused(self):
        for text in ("cpu=16", "cpus", "cpus=", "cpus=-1", "mem=1g", "cpus=0", "nodes=0",
                     "nodes=2 bare=2"):
            with self.assertRaises(Failure, msg=text):
                machines.parse(text.split())

    def test_tests_of_a_list(self):
        tests = modules.parse_tests(LIST)
        many, small = Machine(cpus=16, nodes=4, bare=1), Machine(cpus=2, mem=1024)
        self.assertEqual([(test.name, test.machine) for test in tests],
                         [("load.sh", machines.DEFAULT), ("mcache_kunit", many),
                          ("stress_irq", many), ("stress_irq", small),
                          ("last.sh", machines.DEFAULT)])
        self.assertEqual([test.name for test in tests if test.is_kunit], ["mcache_kunit"])
        self.assertEqual(str(tests[2]), "stress_irq 90 stress.sh irq")

    def test_directories(self):
        self.assertEqual(machines.DEFAULT.directory("check"), "check")
        self.assertEqual(Machine(cpus=16, nodes=4, bare=1).directory("check"),
                         "check-cpus16-nodes4-bare1")

    def test_what_suits_user_mode_linux(self):
        self.assertTrue(Machine(mem=1024).suits("um"))
        self.assertFalse(Machine(mem=1024, cpus=2).suits("um"))
        self.assertFalse(Machine(mem=1024, cpus=2).suits("um-debug"))
        self.assertTrue(Machine(cpus=16).suits("7.2"))


class Topology(unittest.TestCase):
    def numa(self, **properties):
        args = guest.topology_args(guest.Options(**Machine(**properties).options()))
        return args[:4], [word for word in args if word.startswith(("node,", "memory-"))]

    def test_default(self):
        self.assertEqual(self.numa(),
                         (["-m", "4096M", "-smp", "4,sockets=2,cores=2"],
                          ["memory-backend-ram,id=m0,size=2048M", "node,nodeid=0,cpus=0-1,memdev=m0",
                           "memory-backend-ram,id=m1,size=2048M", "node,nodeid=1,cpus=2-3,memdev=m1"]))

    def test_one_node(self):
        self.assertEqual(self.numa(nodes=1, mem=1024, cpus=2),
                         (["-m", "1024M", "-smp", "2,sockets=1,cores=2"], []))

    def test_bare_nodes_have_processors_only(self):
        first, nodes = self.numa(cpus=16, nodes=4, bare=1)
        self.assertEqual(first, ["-m", "4096M", "-smp", "16,sockets=4,cores=4"])
        self.assertEqual(nodes[-1], "node,nodeid=3,cpus=12-15")
        sizes = [int(word.split("size=")[1][:-1]) for word in nodes if "size=" in word]
        self.assertEqual((len(sizes), sum(sizes)), (3, 4096))

    def test_fewer_processors_than_nodes(self):
        self.assertEqual(self.numa(cpus=1)[1], [])


class UserModeLinux(unittest.TestCase):
    def command(self, smp, processors):
        kernel = mock.Mock(image="linux", **{"has.return_value": smp})
        with mock.patch("os.sched_getaffinity", return_value=processors):
            return guest.uml_command(kernel, "image", "out", guest.Options())

    def test_with_one_cpu_it_stays_on_a_processor(self):
        command = self.command(False, {3, 5})
        self.assertEqual(command[:2], ["taskset", "--cpu-list"])
        self.assertIn(command[2], ("3", "5"))

    def test_with_several_it_has_no_more_than_there_are(self):
        for processors, ncpus in ({3, 5}, 2), (set(range(16)), 4):
            command = self.command(True, processors)
            self.assertEqual(command[0], "linux")
            self.assertIn(f"ncpus={ncpus}", command)


if __name__ == "__main__":
    unittest.main()
