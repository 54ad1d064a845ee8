"""The wait of the asyncio twin."""

import asyncio
import unittest

from vega_client.aio.within import within


class Within(unittest.IsolatedAsyncioTestCase):
    def setUp(self) -> None:
        self.ended: list[str] = []

    async def work(self, seconds: float) -> str:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        return "done"

    async def test_what_comes_in_time(self) -> None:
        self.assertEqual(await within(5, self.work(0)), "done")

        async def fails() -> None:
            raise EOFError

        with self.assertRaises(EOFError):
            await within(5, fails())

    async def test_what_does_not(self) -> None:
        with self.assertRaises(TimeoutError):
            await within(0.01, self.work(60))
        await asyncio.sleep(0)
        self.assertEqual(self.ended, ["cancelled"])

    async def test_a_cancellation_is_never_lost(self) -> None:
        for turns in range(6):
            work = asyncio.get_running_loop().create_future()

            async def take(work: "asyncio.Future[str]" = work) -> str:
                return await work

            waiting = asyncio.create_task(within(60, take()))
            await asyncio.sleep(0.01)
            work.set_result("done")
            for _ in range(turns):
                await asyncio.sleep(0)
            if waiting.cancel():
                with self.assertRaises(asyncio.CancelledError):
                    await waiting
