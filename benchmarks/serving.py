"""Serving: requests a second, and how long a client waits for an action, with 1, 8 and 32 clients that ask as fast as they can.

The server and its model run in one process on one thread, the clients in another; each plays one long episode, from the
prompt over the filling context to what is computed anew when it is full. `python -m benchmarks.serving 10` asks for 10 minutes
and prints, minute by minute, the memory of the server's process.
"""

import asyncio
import multiprocessing
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import psutil
import torch
from websockets.asyncio.client import connect

from benchmarks import work
from benchmarks.acting import SIZES
from benchmarks.harness import Row
from gato_lightning.acting.gato_agent import GatoAgent
from gato_lightning.model.gato import Gato
from gato_lightning.serving.protocol import pack, unpack
from gato_lightning.serving.server import PolicyServer, ServerSettings
from gato_lightning.tokens.episode import Episode

CLIENTS = (1, 8, 32)
TASK = "made up"


def made_up_agent() -> GatoAgent:
    """A model of width 256 without training, and a task of 39 observation tokens and 4 action tokens."""
    torch.manual_seed(0)
    rng, tokens = np.random.default_rng(0), work.tokenizer(work.control_space())
    agent = GatoAgent(Gato(SIZES[0].config(patch_stride=4)).eval(), work.text_tokenizer(), {})
    shown = Episode(work.control_values(rng, 60), rng.uniform(-1, 1, (60, 4)), np.zeros(60, np.float32), TASK)
    agent.add_task(TASK, work.control_space(), tokens.action_space, [shown])
    return agent


async def _ask(port: int, seconds: float, dimensions: int, seed: int) -> list[float]:
    """Asks for actions, one after the other, and returns the seconds that each took."""
    rng, taken = np.random.default_rng(seed), list[float]()
    async with connect(f"ws://127.0.0.1:{port}", compression=None, max_size=None, ping_timeout=None) as connection:
        await connection.recv()
        await connection.send(pack({"reset": {"seed": seed}}))
        await connection.recv()
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            begin = time.perf_counter()
            await connection.send(pack({"observation": rng.standard_normal(dimensions)}))
            unpack(bytes(await connection.recv()))
            taken.append(time.perf_counter() - begin)
    return taken


def _clients(pipe: Connection) -> None:
    """The process of the clients: does what comes through the pipe, until that is closed."""

    async def together(port: int, clients: int, seconds: float, dimensions: int) -> list[list[float]]:
        return await asyncio.gather(*(_ask(port, seconds, dimensions, seed) for seed in range(clients)))

    while asked := pipe.recv():
        pipe.send(asyncio.run(together(*asked)))


@contextmanager
def client_process() -> Iterator[Connection]:
    """A process of clients: takes (port, clients, seconds, numbers of an observation), gives the seconds of each request."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_clients, args=(there,))
    process.start()
    try:
        yield here
    finally:
        here.send(None)
        process.join()


def measure(title: str, agent: GatoAgent, task: str, dimensions: int, seconds: float) -> list[Row]:
    """Rows of one model."""

    async def run() -> list[Row]:
        result = []
        server = PolicyServer(agent, ServerSettings(port=0, max_clients=max(CLIENTS)), task)
        async with server.listening() as port:
            for clients in CLIENTS:
                pipe.send((port, clients, seconds, dimensions))
                taken = [one for each in await asyncio.to_thread(pipe.recv) for one in each]
                result.append(_row(title, clients, taken, seconds))
        return result

    with client_process() as pipe:
        return asyncio.run(run())


def _row(title: str, clients: int, taken: list[float], seconds: float) -> Row:
    typical, rare = np.percentile(taken, [50, 99])
    waits = {"50th percentile, ms": f"{1e3 * typical:.1f}", "99th percentile, ms": f"{1e3 * rare:.1f}"}
    extra = {"requests/s": f"{len(taken) / seconds:.0f}", **waits, "requests": str(len(taken))}
    return Row("Serving", title, f"{clients} client{'s' * (clients > 1)}", extra=extra)


def run(full: bool) -> list[Row]:
    """A model of width 256 with a context of 1024, and the shipped one."""
    torch.set_num_threads(1)
    seconds = 60.0 if full else 15.0
    result = measure("width 256, 6 layers, context 1024, 1 thread", made_up_agent(), TASK, 39, seconds)
    return result + measure("gato-small, CartPole, 1 thread", GatoAgent.from_pretrained("gato-small"), "cartpole", 4, seconds)


async def soak(minutes: int, clients: int = 8) -> None:
    """Lets clients come, ask for a minute and go, and prints the memory of this process in between."""
    process = psutil.Process()
    server = PolicyServer(GatoAgent.from_pretrained("gato-small"), ServerSettings(port=0, max_clients=clients), "cartpole")
    total = 0
    with client_process() as pipe:
        async with server.listening() as port:
            for minute in range(minutes):
                pipe.send((port, clients, 60.0, 4))
                answers: Any = await asyncio.to_thread(pipe.recv)
                total += sum(map(len, answers))
                print(f"minute {minute + 1}: {total} requests, {process.memory_info().rss / 2**20:.1f} MiB", flush=True)
                await asyncio.sleep(1)  # for the server to see that they are gone


if __name__ == "__main__":
    torch.set_num_threads(1)
    asyncio.run(soak(int(sys.argv[1])))
