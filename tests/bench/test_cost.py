#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The pure parts of the cost model and of the sweep's benchmarks: formula and simulation against
figures worked out by hand, against each other, and the readers of what scanners print."""
import math
import os
import struct
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "support")]
import bench_sweep_fleet as fleets  # noqa: E402
import cost_model as model  # noqa: E402
import cost_sim as sim  # noqa: E402
import sweep_peers as peers  # noqa: E402
import sweeping  # noqa: E402
from cost_model import Costs, Fleet  # noqa: E402

FREE = Costs(start_s=0, start_host_s=0, batch_s=0, host_s=0, lane_s=0, drain_s=0)
ONE = Fleet(2, rate=20_000, families=1, protocols=1, one_way=True)


class Formula(unittest.TestCase):
    def test_beats_of_a_volley(self):
        # Six at the edges; one after 256 packets where 5 ms are over by then: 15 fit within 4096.
        self.assertEqual(model.beats_of_volley(4096, 20_000), 6 + 15)
        # At 200,000 a second 5 ms are 1000 packets; beyond 409,600 there is one after 2048.
        self.assertEqual(model.beats_of_volley(4096, 200_000), 6 + 4)
        self.assertEqual(model.beats_of_volley(4096, 1e9), 6 + 1)
        # At 100 a second one after 250 ms, which is 25 packets.
        self.assertEqual(model.beats_of_volley(500, 100), 6 + 19)

    def test_ports_of_a_volley(self):
        self.assertEqual(model.ports_of_volley(1e6), 4096)
        self.assertEqual(model.ports_of_volley(8192), 2048)
        self.assertEqual(model.ports_of_volley(100), 512)

    def test_one_pair_by_hand(self):
        # 65,535 ports in 16 volleys of 21 beats, two control flows each: 66,207 packets, twice.
        price = model.predict(ONE, FREE)
        self.assertAlmostEqual(price.seconds, 2 * (65_535 + 16 * 21 * 2) / 20_000)
        self.assertEqual((price.packets, price.beats), (131_070, 2 * 16 * 21 * 2))
        self.assertEqual(price.entries, 2 * (104 + 16 * 21) + 1)

    def test_the_second_between_attempts(self):
        fast = Fleet(2, rate=1e6, families=1, protocols=1, one_way=True)
        once = model.bundle(fast, FREE)[2]
        self.assertLess(once, 0.1)
        self.assertAlmostEqual(model.predict(fast, FREE).seconds, once + 1.0)

    def test_rounds(self):
        for hosts, rounds in ((2, 1), (3, 2), (12, 11), (1000, 999)):
            self.assertEqual(Fleet(hosts).rounds, rounds)
        price = model.predict(Fleet(12))
        self.assertEqual(price.packets, 132 * 4 * 65_535 * 2)

    def test_a_shared_path_is_shared(self):
        alone = model.predict(Fleet(10, rate=1e9, capacity=200_000), FREE)
        self.assertAlmostEqual(alone.seconds, (alone.packets + alone.beats) / 200_000)

    def test_rolling_asks_all_in_the_end(self):
        for parts in (2, 64):
            part = Fleet(10, rolling=parts)
            self.assertGreaterEqual(parts * (part.ports - 4 * part.allowed), 4 * part.denied)
            self.assertLess(model.predict(part).packets, model.predict(Fleet(10)).packets / parts * 1.2)

    def test_sets_take_no_more_than_their_records(self):
        everything = Fleet(2, allowed=104, open=65_431, families=1, protocols=1, rate=1e9)
        # SEND, RAW, EXPECTED of 12 KiB each; NIC and HOST of two passes, EGRESS and ANSWER.
        self.assertEqual(model.records_of_sets(everything), 9 * 128)
        # 104 ports in ranges lie in three chunks at most.
        self.assertLess(model.records_of_sets(ONE), 128 + 128 + 3 + 6 * 3)

    def test_entries_go(self):
        short, long = Fleet(12, entry_s=1), Fleet(12, entry_s=1e9)
        self.assertLess(model.predict(short).alive, model.predict(long).alive)
        self.assertEqual(model.predict(long).alive, model.predict(long).entries)

    def test_more_of_anything_costs_more(self):
        base = model.predict(Fleet(10))
        for more in (Fleet(11), Fleet(10, passes=3), Fleet(10, rate=10_000), Fleet(10, repeats=0.5),
                     Fleet(10, capacity=50_000)):
            self.assertGreater(model.predict(more).seconds, base.seconds, more)
        for line in model.rows([Fleet(n) for n in (10, 10_000)]):
            self.assertLess(len(line), 100)


class Simulation(unittest.TestCase):
    def test_it_agrees_with_the_formula(self):
        for fleet in (ONE, Fleet(2), Fleet(10), Fleet(2, rate=1e6), Fleet(2, rate=1000, denied=500),
                      Fleet(12, rate=1e7, capacity=300_000)):
            paper, played = model.predict(fleet), sim.play(fleet, rounds=2)
            self.assertAlmostEqual(played.seconds / paper.seconds, 1, delta=0.05, msg=fleet)
            self.assertEqual(played.packets, paper.packets)
            self.assertEqual((played.repeats, played.left), (0, 0))

    def test_a_bucket(self):
        bucket = sim.Bucket(sim.Path(policer=1000, burst=100))
        self.assertEqual(bucket.share(0.0, 100), 1.0)
        self.assertEqual(bucket.share(0.0, 100), 0.0)
        self.assertAlmostEqual(bucket.share(0.05, 100), 0.5)
        self.assertEqual(bucket.share(1.05, 1000), 1.0)  # 50 and what came in meanwhile
        self.assertLessEqual(bucket.share(9.0, 100_000), (100 + 7950) / 100_000)

    def test_a_policer_is_found(self):
        """Undeclared: at most twice the time at its rate; nothing is left without a good end."""
        for rate in (1000, 2000, 20_000):
            fast = Fleet(2, rate=250_000, families=1, protocols=1, one_way=True)
            played = sim.play(fast, sim.Path(policer=rate))
            self.assertEqual(played.left, 0)
            self.assertGreater(played.repeats, 0)
            self.assertLess(played.sending / 2, 2 * 65_536 / rate)
            self.assertGreater(played.sending / 2, 0.9 * 65_535 / rate)

    def test_a_declared_policer_loses_nothing(self):
        played = sim.play(ONE, sim.Path(policer=20_000))
        self.assertEqual((played.repeats, played.left), (0, 0))

    def test_loss_by_chance_does_not_slow_it_down_for_good(self):
        for loss in (0.01, 0.3):
            played = sim.play(Fleet(2, rate=250_000, families=1, protocols=1, one_way=True),
                              sim.Path(loss=loss))
            self.assertLess(played.seconds, 10)
            self.assertEqual(played.left, 0)

    def test_the_same_seed_plays_the_same(self):
        path = sim.Path(policer=5000, loss=0.02)
        self.assertEqual(sim.play(ONE, path, seed=3), sim.play(ONE, path, seed=3))


class Readers(unittest.TestCase):
    def test_ranges(self):
        for text in ("", "1", "1-3", "1-3,5", "22,80,443,8000-8100"):
            self.assertEqual(sweeping.ranges(sweeping.numbers(text)), text)
        self.assertEqual(sweeping.entries({1, 2, 80}, "udp"), "udp/1-2, udp/80")

    def test_verdicts_of_a_report(self):
        flow = {"from": "a", "to": "b", "family": "ipv4", "protocol": "tcp"}
        report = {"findings": [{**flow, "verdict": "leak", "ports": "5-6"}],
                  "notes": [], "inconclusive": [{**flow, "ports": "9", "reason": "x"}],
                  "pairs": [{**flow, "tested": "1-7", "delivered": "1,5", "inconclusive": 1}]}
        self.assertEqual(sweeping.verdicts(report, ("a", "b", "ipv4", "tcp"), set(range(1, 11))), {
            "leak": {5, 6}, "inconclusive": {9}, "holds": {1, 2, 3, 4, 7}, "delivered": {1},
            "absent": {8, 10}})
        self.assertEqual(sweeping.verdicts(report, ("b", "a", "ipv4", "tcp"), {1}), {"absent": {1}})

    def test_scanners(self):
        xml = ('<nmaprun><host><ports><extraports state="open|filtered" count="2"><extrareasons '
               'reason="no-response" count="2" ports="7-8"/></extraports><port portid="22"><state '
               'state="open"/></port><port portid="23"><state state="closed"/></port><port '
               'portid="24"><state state="open|filtered"/></port></ports></host></nmaprun>')
        self.assertEqual(peers.nmap_ports(xml), ({22}, {7, 8, 24}))
        self.assertEqual(peers.nmap_ports(xml[:50]), (set(), set()))
        self.assertEqual(peers.masscan_ports("#masscan\nopen tcp 80 10.9.2.2 17\n# end\n"), {80})
        scan = peers.Scan(1.0, 5, {22, 99}, set(), True)
        self.assertEqual((scan.found({22, 80}), scan.false({22, 80})), (1, 2))

    def test_pacing_is_read_from_a_capture(self):
        even = [n / 1000 for n in range(2000)]
        rate, longest = fleets.bursts(even, 1000)
        self.assertAlmostEqual(rate, 1000, places=3)
        self.assertLess(longest, 1.1)
        in_tens = [n // 10 / 100 for n in range(2000)]
        self.assertAlmostEqual(fleets.bursts(in_tens, 1000)[1], 10, places=3)
        pause = even + [t + 60 for t in even]  # two volleys with a minute between
        self.assertAlmostEqual(fleets.bursts(pause, 1000)[0], 1000, places=3)
        self.assertEqual(fleets.bursts([], 1000), (0.0, 0.0))

    def test_a_capture_file(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(struct.pack("=IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 64, 1))
            for seconds, nanos in ((1, 0), (1, 500_000_000)):
                file.write(struct.pack("=IIII", seconds, nanos, 4, 60) + bytes(4))
            file.flush()
            self.assertEqual(fleets.capture_times(file.name), [1.0, 1.5])


class Infinite(unittest.TestCase):
    def test_durations(self):
        self.assertEqual([model.duration(s) for s in (1.26, 600, 7200, 90 * 3600)],
                         ["1.3 s", "10.0 min", "2.0 h", "3.8 d"])
        self.assertTrue(math.isinf(ONE.capacity))


if __name__ == "__main__":
    unittest.main()
