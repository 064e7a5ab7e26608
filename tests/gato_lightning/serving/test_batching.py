"""Requests that arrive while the model runs are done together in its next pass."""

import asyncio
import threading

import pytest

from gato_lightning.serving.batching import ModelThread


class Recorder:
    """Stands for an agent whose passes take as long as the test wants."""

    def __init__(self) -> None:
        self.passes: list[list[int]] = []
        self.may_go_on = threading.Event()

    def act(self, observations: dict) -> dict:
        self.passes.append(sorted(observations))
        assert self.may_go_on.wait(10)
        if None in observations.values():
            raise RuntimeError("a fault of the model")
        return {lane: -value for lane, value in observations.items()}


def test_what_arrives_during_a_pass_is_one_pass():
    async def run() -> list[int]:
        async with ModelThread(agent, "cpu") as model:
            first = asyncio.create_task(model.act(0, 10))
            while not agent.passes:
                await asyncio.sleep(0.001)
            others = [asyncio.create_task(model.act(lane, 10 + lane)) for lane in (3, 1, 2)]
            await asyncio.sleep(0.01)
            agent.may_go_on.set()
            return await asyncio.gather(first, *others)

    agent = Recorder()
    assert asyncio.run(run()) == [-10, -13, -11, -12]
    assert agent.passes == [[0], [1, 2, 3]]


def test_a_fault_of_the_model_reaches_those_of_its_pass_and_no_one_after():
    async def run() -> None:
        async with ModelThread(agent, "cpu") as model:
            with pytest.raises(RuntimeError, match="a fault"):
                await model.act(0, None)
            assert await model.act(0, 5) == -5

    agent = Recorder()
    agent.may_go_on.set()
    asyncio.run(run())


def test_calls_run_in_the_threads_turn():
    async def run() -> str:
        async with ModelThread(Recorder(), "cpu") as model:
            return await model.call(lambda: threading.current_thread().name)

    assert asyncio.run(run()).startswith("model")
