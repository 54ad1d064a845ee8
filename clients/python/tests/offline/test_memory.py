"""What programs are given after all that can happen."""

import unittest
from datetime import timedelta

from vega_client import Answer, DiesTooSoon, NotAllowed, NoToken, Token, Unreachable, VegaError
from vega_client.memory import Memory
from vega_client.replies import Found
from vega_client.token import in_ist

NOW = 1_796_000_000.0
END = NOW + 3600


def found(generation: int, value: str = "", until: float = END) -> Found:
    return Found(Token(value or f"t{generation}", generation, in_ist(until)), f'"{generation}"')


def with_token(generation: int = 3) -> Memory:
    return Memory("PRIMARY").landed(found(generation), NOW)


class MemoryOfASource(unittest.TestCase):
    def gives(self, memory: Memory, generation: int | None, now: float = NOW) -> None:
        given = memory.look(now)
        if generation is None:
            self.assertIsInstance(given, VegaError)
        else:
            assert isinstance(given, Token), given
            self.assertEqual(given.generation, generation)

    def test_at_first_nothing_is_known(self) -> None:
        self.assertIsNone(Memory("PRIMARY").look(NOW))
        self.assertIsNone(Memory("PRIMARY").failed(Unreachable("gone")).look(NOW), "the next attempt may succeed")

    def test_generations_never_go_back(self) -> None:
        for order, wanted in [([3, 2], 3), ([2, 3], 3), ([3, 3], 3), ([1, 5, 4, 2], 5)]:
            with self.subTest(order):
                memory = Memory("PRIMARY")
                for generation in order:
                    memory = memory.landed(found(generation), NOW)
                self.gives(memory, wanted)

    def test_not_even_after_a_loss(self) -> None:
        memory = with_token(3).withdrawn()
        older = memory.landed(found(2), NOW)
        self.gives(older, None)
        self.assertEqual(older.look(NOW).code, "older_generation")  # type: ignore[union-attr]
        self.gives(memory.landed(found(3), NOW), 3)
        self.gives(memory.landed(found(4), NOW), 4)

    def test_a_generation_can_get_another_value(self) -> None:
        memory = with_token(3).landed(found(3, "other"), NOW)
        self.assertEqual(memory.look(NOW).value, "other")  # type: ignore[union-attr]

    def test_what_is_dead_comes_never_again(self) -> None:
        memory = with_token(3).rejected(3)
        for generation, wanted in [(3, None), (2, None), (4, 4)]:
            with self.subTest(generation):
                self.gives(memory.landed(found(generation), NOW), wanted)
        self.assertIs(memory.known_verdict(3), Answer.DEAD)
        self.gives(with_token(4).rejected(3), 4)

    def test_tokens_die_by_the_clock_and_stay_dead(self) -> None:
        memory = with_token()
        self.gives(memory, 3, END - 0.001)
        self.gives(memory, None, END)
        after = memory.expired(END)
        self.gives(after, None, NOW)
        self.assertEqual(after.look(NOW).code, "expired")  # type: ignore[union-attr]
        self.assertIs(memory.expired(END - 0.001), memory)
        self.gives(Memory("PRIMARY").landed(found(3, until=NOW), NOW), None)

    def test_min_valid_refuses_what_dies_sooner(self) -> None:
        for left, refused in [(timedelta(hours=1, seconds=1), True), (timedelta(hours=1), False), (timedelta(0), False)]:
            with self.subTest(left):
                self.assertEqual(isinstance(with_token().look(NOW, left), DiesTooSoon), refused)

    def test_a_server_that_is_gone_takes_nothing_away(self) -> None:
        gone = with_token().failed(Unreachable("gone"))
        self.gives(gone, 3)
        self.assertIsInstance(gone.expired(END).look(END), Unreachable)
        self.assertIn("died at", str(gone.expired(END).look(END)))

    def test_a_refusal_takes_the_token_away(self) -> None:
        for error in (NotAllowed("revoked"), NoToken("sign in", code="human_needed")):
            with self.subTest(error):
                self.assertIsInstance(with_token().refused(error).look(NOW), type(error))

    def test_each_program_gets_an_error_of_its_own(self) -> None:
        memory = with_token().refused(NoToken("sign in", code="human_needed", retry_at=in_ist(END)))
        first, second = memory.look(NOW), memory.look(NOW)
        self.assertIsNot(first, second)
        assert isinstance(second, NoToken)
        self.assertEqual((second.words, second.code, second.retry_at), ("sign in", "human_needed", in_ist(END)))

    def test_every_change_of_what_is_given_makes_older_questions_void(self) -> None:
        memory = with_token()
        changes = {
            "landed": memory.landed(found(4), NOW),
            "withdrawn": memory.withdrawn(),
            "refused": memory.refused(NoToken("no")),
            "rejected": memory.rejected(3),
            "an older one rejected": memory.rejected(2),
            "expired": memory.expired(END),
        }
        for name, after in changes.items():
            with self.subTest(name):
                self.assertGreater(after.version, memory.version)
        for name, after in {"kept": memory.kept(), "failed": memory.failed(Unreachable("x"))}.items():
            with self.subTest(name):
                self.assertEqual(after.version, memory.version)
