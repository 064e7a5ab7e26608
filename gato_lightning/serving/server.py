"""A policy server: robots and simulators elsewhere send observations and get actions, by openpi's protocol.

A connection is a session with a lane of its own in the agent. On connecting, it gets one message about the model; then each
message is an observation, answered by {"actions": ..., "server_timing": {"infer_ms": ...}}, or {"reset": ...}, see `Reset`.
What is wrong with a message is answered by one line of text, and the session goes on.
"""

import asyncio
import hmac
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from minari.serialization import serialize_space
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from gato_lightning.acting.agent import ActingSettings, Agent
from gato_lightning.acting.gato_agent import GatoAgent
from gato_lightning.common.settings import PositiveFloat, PositiveInt, Range, check_settings
from gato_lightning.errors import UserError, said, unknown
from gato_lightning.sequences.tasks import ControlTask
from gato_lightning.serving.batching import ModelThread
from gato_lightning.serving.protocol import (
    RESET,
    Reset,
    action_chunk,
    pack,
    read_demonstration,
    read_observation,
    read_space,
    unpack,
)
from gato_lightning.tokens.episode import plain_space

_TRY_AGAIN_LATER, _POLICY_VIOLATION = 1013, 1008  # WebSocket close codes


@dataclass(frozen=True)
class ServerSettings:
    """Where a server listens, and what it bears.

    Args:
        host: address to listen at; by default only this machine can connect.
        port: 0 to 65535; 0: any that is free.
        max_clients: most connections at once, 1 or more; each has a lane in the model's cache.
        max_message_mb: largest message that is read, in units of 2**20 bytes, above 0.
        idle_s: seconds, above 0, after which a connection is closed that sends nothing.
        token: what clients have to send as `Authorization: Api-Key TOKEN`; None: nothing.

    Raises:
        UserError: a value out of its range, or an empty token.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Range(least=0, most=65535)] = 8000
    max_clients: PositiveInt = 32
    max_message_mb: PositiveFloat = 16.0
    idle_s: PositiveFloat = 300.0
    token: str | None = None

    def __post_init__(self) -> None:
        check_settings(vars(self), type(self))
        if self.token == "":
            raise UserError("token: empty, expected at least one character")


class PolicyServer:
    """Serves one model to many clients.

    Args:
        agent: the model and its tasks; nobody else may use it meanwhile.
        settings: where to listen, and limits.
        task: the task of connections that ask for none; None: each has to ask.
        acting: how to act.
        name: of the model, for the clients.

    Raises:
        UserError: an unknown task.
    """

    def __init__(
        self,
        agent: GatoAgent,
        settings: ServerSettings = ServerSettings(),
        task: str | None = None,
        acting: ActingSettings = ActingSettings(),
        name: str = "",
    ) -> None:
        if task is not None and task not in agent.tasks:
            raise unknown("task", task, agent.tasks)
        self._settings, self._gato, self._task = settings, agent, task
        self._known = dict(agent.tasks)
        self._agent = Agent(agent.model, settings.max_clients, acting, seed=0)
        self._free = list(range(settings.max_clients))  # lanes without a connection
        self._metadata = {"model": name, "task": task, "tasks": {key: _spaces(one) for key, one in agent.tasks.items()}}

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """Listens until the context is left, and then closes all connections.

        Yields:
            The port.

        Raises:
            UserError: the address cannot be had.
        """
        device = self._gato.model.embedding.table.weight.device.type
        async with ModelThread(self._agent, device) as self._model:
            try:
                server: Server = await serve(
                    self._handle,
                    self._settings.host,
                    self._settings.port,
                    process_request=self._admit,
                    origins=[None],  # robots, not pages in somebody's browser
                    compression=None,
                    max_size=int(self._settings.max_message_mb * 2**20),
                    max_queue=1,
                )
            except OSError as error:
                raise UserError(f"cannot listen at {self._settings.host}:{self._settings.port}: {error.strerror}") from error
            async with server:
                yield next(iter(server.sockets)).getsockname()[1]

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answers what is no client: a question for health, a wrong token, one too many."""
        if request.path == "/healthz":
            return connection.respond(HTTPStatus.OK, "OK\n")
        expected = f"Api-Key {self._settings.token}".encode()
        given = "".join(request.headers.get_all("Authorization")).encode(errors="replace")
        if self._settings.token is not None and not hmac.compare_digest(given, expected):
            return connection.respond(HTTPStatus.UNAUTHORIZED, "expected the header 'Authorization: Api-Key TOKEN'\n")
        if not self._free:
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, f"{self._settings.max_clients} clients are connected\n")
        return None

    async def _handle(self, connection: ServerConnection) -> None:
        """Serves a connection to its end."""
        if not self._free:  # another client came between its request and now
            await connection.close(_TRY_AGAIN_LATER, f"{self._settings.max_clients} clients are connected")
            return
        session = _Session(self._free.pop(), self._known, self._gato, self._agent, self._model)
        try:
            if self._task is not None:
                await session.begin(Reset(task=self._task))
            await connection.send(pack(self._metadata))
            while True:
                async with asyncio.timeout(self._settings.idle_s):
                    message = await connection.recv()
                try:
                    answer: bytes | str = pack(await session.answer(message))
                except UserError as error:
                    answer = said(error)
                await connection.send(answer)
        except TimeoutError:
            await connection.close(_POLICY_VIOLATION, f"nothing came for {self._settings.idle_s:g} s")
        except ConnectionClosed:
            pass
        finally:
            await session.end()
            self._free.append(session.lane)


class _Session:
    """What a connection plays.

    Args:
        lane: its lane.
        known: the tasks of all clients, by name.
        gato: makes a task of demonstrations.
        agent: acts.
        model: the thread in which they do.
    """

    def __init__(self, lane: int, known: Mapping[str, ControlTask], gato: GatoAgent, agent: Agent, model: ModelThread) -> None:
        self.lane, self._known, self._gato, self._agent, self._model = lane, known, gato, agent, model
        self._task: ControlTask | None = None
        self._episodes = 0
        self._own = f"client-{lane}"  # under which the agent keeps the demonstrations of this client

    async def answer(self, message: bytes | str) -> dict[str, Any]:
        """Does what a message asks for.

        Raises:
            UserError: it cannot be done; the session is as it was.
        """
        if isinstance(message, str):
            raise UserError("a text message, expected a binary one: a msgpack dictionary")
        begin, content = time.perf_counter(), unpack(message)
        if set(content) == {RESET}:
            return await self.begin(Reset.read(content[RESET]))
        if self._task is None:
            raise UserError(f"no episode has begun; send {{'{RESET}': {{'task': NAME}}}} first")
        action = await self._model.act(self.lane, read_observation(self._task.tokenizer.observation_space, content))
        if isinstance(action, Exception):
            raise UserError(said(action)) from action
        return {"actions": action_chunk(action), "server_timing": {"infer_ms": 1e3 * (time.perf_counter() - begin)}}

    async def begin(self, asked: Reset) -> dict[str, Any]:
        """Begins an episode."""
        task = await self._model.call(self._find, asked)
        seed = self._episodes if asked.seed is None else asked.seed
        await self._model.call(self._agent.reset, self.lane, task, seed)
        self._task = task
        self._episodes += 1
        return {"task": asked.task or task.name, "seed": seed}

    async def end(self) -> None:
        """Forgets what the client has sent."""
        await self._model.call(self._gato.remove_task, self._own)

    def _find(self, asked: Reset) -> ControlTask:
        """The task that is asked for; with demonstrations, one of the client's own."""
        shown = asked.demonstrations
        described = [text for text in (asked.observation_space, asked.action_space) if text is not None]
        if described and not (shown and len(described) == 2):
            raise UserError(f"{RESET}: a new task needs observation_space, action_space and demonstrations")
        if described:
            observed, acted = map(read_space, described, ("observation_space", "action_space"))
        else:
            if asked.task is not None and asked.task not in self._known:
                raise unknown("task", asked.task[:100], self._known)
            known = self._task if asked.task is None else self._known[asked.task]
            if known is None:
                raise UserError(f"{RESET}: task is missing; expected one of {', '.join(self._known)}")
            if not shown:
                return known
            observed, acted = known.tokenizer.observation_space, known.tokenizer.action_space
        episodes = [read_demonstration(observed, acted, one, number) for number, one in enumerate(shown)]
        try:
            self._gato.add_task(self._own, observed, acted, episodes, asked.timesteps)
        except (ValueError, TypeError, ArithmeticError) as error:
            raise UserError(f"{RESET}: {said(error)}") from error
        return self._gato.tasks[self._own]


def _spaces(task: ControlTask) -> dict[str, str]:
    """The spaces of a task as JSON, which Minari reads."""
    found = {"observation_space": task.tokenizer.observation_space, "action_space": task.tokenizer.action_space}
    return {key: serialize_space(plain_space(space)) for key, space in found.items()}
