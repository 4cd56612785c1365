# SPDX-License-Identifier: Apache-2.0
"""Load, in sizes for every day; scripts/load has the full ones, with figures. Counts are asserted, times never."""

import unittest

import load_support
from harness import SLOW

SMALL = SLOW > 1  # under sanitizers


class Load(unittest.TestCase):
    def test_many_streams_stay_without_an_error(self):
        """More watches than 16 connections have places for: none may wait for one until its answer is UNKNOWN."""
        streams = 300 if SMALL else 1200
        for connections in (1, 20):
            with self.subTest(connections=connections):
                f = load_support.many_streams(connections, streams=streams, objects=2, hold_s=0)
                self.assertEqual((f["synced"], f["open"]), (streams, streams), f)
                self.assertEqual((f["errors"], f["gaps"], f["unknown"]), (0, 0, 0), f)

    def test_one_stream_of_many_objects(self):
        pods = 2000 if SMALL else 10000
        f = load_support.one_stream(pods)
        self.assertEqual((f["synced"], f["updates"], f["errors"], f["unknown"]), (1, pods, 0, 0), f)
        if not SMALL:
            self.assertLess(f["bytes_per_pod"], 2048, f)

    def test_cycles_leave_nothing(self):
        for random in (False, True):
            with self.subTest(random=random):
                count = 1000 if SMALL else 5000
                f = load_support.cycles(count, random)
                self.assertEqual((f["cycles"], f["errors"]), (count, 0), f)
                self.assertEqual((f["left"]["connections"], f["left"]["threads"]), (0, 0), f)
                self.assertLessEqual(f["left"]["all_threads"], 16, f)
                self.assertLessEqual(f["left"]["fds"], 2, f)  # connections to the API server come and go
                if not SMALL:
                    self.assertLess(f["left"]["heap"], 256 << 10, f)
                    self.assertLess(f["left"]["rss"], 4 << 20, f)

    def test_readers_that_stall_cost_a_slot_an_object(self):
        f = load_support.stalled_readers(20, streams=40, objects=1000, rounds=2, bursts_per_s=4, groups=4)
        self.assertEqual((f["errors"], f["gaps"]), (0, 0), f)
        self.assertGreater(f["stalled_coalesced"], 0, f)
        self.assertEqual((f["readers_told"], f["stalled_told"]), (f["wanted"]["readers"], f["wanted"]["stalled"]), f)
        if not SMALL:
            self.assertLess(f["grown_bytes"], 8 << 20, f)

    def test_a_client_that_is_killed_leaves_no_watch(self):
        f = load_support.client_gone(20 if SMALL else 100)
        self.assertEqual(f["watches"], f["streams"], f)

    def test_an_api_server_that_restarts_is_not_run_over(self):
        streams = 60 if SMALL else 200
        f = load_support.restart(streams, down_ms=2000)
        self.assertEqual((f["errors"], f["gaps"], f["unknown"]), (0, 0, 0), f)
        self.assertEqual(f["informers"], streams * len(load_support.KINDS), f)
        self.assertLessEqual(f["connects"], 64, f)


if __name__ == "__main__":
    unittest.main()
