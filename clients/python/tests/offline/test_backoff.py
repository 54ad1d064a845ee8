"""Lengths of waits."""

import unittest

from vega_client.backoff import Backoff, default_chance


class Waits(unittest.TestCase):
    def test_they_double_up_to_five_seconds_and_begin_anew(self) -> None:
        backoff = Backoff(lambda: 1.0)
        waits = [backoff.after_failure() for _ in range(8)]
        self.assertEqual(waits, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])
        backoff.worked()
        self.assertEqual(backoff.after_failure(), 0.1)
        for _ in range(10_000):
            self.assertLessEqual(backoff.after_failure(), 5.0)

    def test_they_are_random_from_nothing_on(self) -> None:
        self.assertEqual(Backoff(lambda: 0.0).after_failure(), 0.0)
        self.assertEqual(Backoff(lambda: 0.5).after_failure(), 0.05)
        self.assertEqual(Backoff(lambda: 0.5).after_stream(), 0.5)
        self.assertEqual(Backoff(lambda: 1.0).after_stream(), 1.0)

    def test_what_the_server_asks_for_is_waited_and_some_more(self) -> None:
        for asked_for, wanted in [(3.0, 3.1), (-5.0, 0.1), (1e9, 60.1)]:
            with self.subTest(asked_for):
                self.assertAlmostEqual(Backoff(lambda: 1.0).after_failure(asked_for), wanted)

    def test_five_thousand_programs_do_not_come_at_once(self) -> None:
        waits = sorted(Backoff(default_chance).after_stream() for _ in range(5000))
        in_one_tenth = max(sum(at <= wait < at + 0.1 for wait in waits) for at in (n / 20 for n in range(20)))
        self.assertLess(in_one_tenth, 750)
