"""One thread runs the model; observations that arrive while it does are acted on together, in its next pass."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch

from gato_lightning.acting.agent import Agent
from gato_lightning.model.precision import arithmetic

T = TypeVar("T")


class ModelThread:
    """Acts for many clients. Used from one event loop, as an asynchronous context.

    Args:
        agent: with a lane for each client.
        device: where its model is: `cpu` or `cuda`.
    """

    def __init__(self, agent: Agent, device: str) -> None:
        self._agent, self._device = agent, device
        self._thread = ThreadPoolExecutor(1, "model")
        self._waiting: dict[int, tuple[Any, asyncio.Future[Any]]] = {}  # by lane: an observation, and where its action goes
        self._arrived = asyncio.Event()

    async def __aenter__(self) -> "ModelThread":
        self._passes = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *error: object) -> None:
        self._passes.cancel()
        self._thread.shutdown(wait=True)

    async def call(self, function: Callable[..., T], *args: Any) -> T:
        """Calls a function between two passes, in the model's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *args)

    async def act(self, lane: int, observation: Any) -> Any:
        """The action for the next observation of a lane; or why there is none, see `Agent.act`."""
        action = asyncio.get_running_loop().create_future()
        self._waiting[lane] = (observation, action)
        self._arrived.set()
        return await action

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            waiting, self._waiting = self._waiting, {}
            try:
                actions = await self.call(self._act, {lane: observation for lane, (observation, _) in waiting.items()})
            except Exception as error:
                for _, future in waiting.values():
                    if not future.done():
                        future.set_exception(error)
                continue
            for lane, (_, future) in waiting.items():
                if not future.done():
                    future.set_result(actions[lane])

    def _act(self, observations: dict[int, Any]) -> dict[int, Any]:
        with torch.inference_mode(), arithmetic(self._device):
            return self._agent.act(observations)
