"""A server with the shipped model, asked through real connections."""

import asyncio
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import gymnasium
import msgpack
import numpy as np
import pytest
from gymnasium import spaces
from minari.serialization import deserialize_space, serialize_space
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from gato_lightning.acting.agent import ActingSettings
from gato_lightning.acting.gato_agent import GatoAgent
from gato_lightning.errors import UserError
from gato_lightning.serving.protocol import pack, unpack
from gato_lightning.serving.server import PolicyServer, ServerSettings

GREEDY = ActingSettings(temperature=0.0)
POLE = np.zeros(4, np.float32)


@pytest.fixture(scope="module")
def gato() -> GatoAgent:
    return GatoAgent.from_pretrained("gato-small")


@contextmanager
def serving(gato: GatoAgent, task: str | None = "cartpole", **settings) -> Iterator[int]:
    """The port of a server that runs in a thread."""
    server = PolicyServer(gato, ServerSettings(port=0, **settings), task, GREEDY, "gato-small")
    found: list[int] = []
    ready = threading.Event()

    async def run() -> None:
        async with server.listening() as port:
            found.append(port)
            ready.set()
            await asyncio.to_thread(done.wait)

    done = threading.Event()
    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    try:
        assert ready.wait(20)
        yield found[0]
    finally:
        done.set()
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def port(gato) -> Iterator[int]:
    with serving(gato, max_message_mb=1.0) as found:
        yield found


class Client:
    """A connection, with openpi's turns."""

    def __init__(self, port: int, **headers: str) -> None:
        self.connection: ClientConnection = connect(
            f"ws://127.0.0.1:{port}", compression=None, additional_headers=headers, max_size=None
        )
        self.metadata = unpack(self.connection.recv())

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        self.connection.close()

    def ask(self, message: dict | bytes | str) -> dict | str:
        """The answer to a message: a dictionary, or what is wrong."""
        self.connection.send(pack(message) if isinstance(message, dict) else message)
        answer = self.connection.recv(timeout=20)
        return answer if isinstance(answer, str) else unpack(answer)

    def act(self, **observation):
        """The action for an observation."""
        return self.ask(observation)["actions"][0]


def wait_for_lanes(server_port: int, clients: int) -> list[Client]:
    """So many clients at once, as soon as earlier ones have been forgotten."""
    found: list[Client] = []
    for _ in range(200):
        try:
            found.append(Client(server_port))
        except InvalidStatus:
            time.sleep(0.02)
        if len(found) == clients:
            break
    return found


def test_a_client_balances_a_pole(port):
    env = gymnasium.make("CartPole-v1")
    observation, _ = env.reset(seed=5)
    with Client(port) as client:
        assert client.metadata["task"] == "cartpole"
        described = client.metadata["tasks"]["cartpole"]
        assert deserialize_space(described["observation_space"]) == env.observation_space
        assert client.ask({"reset": {"seed": 5}}) == {"task": "cartpole", "seed": 5}
        for _ in range(60):
            observation, _, terminated, _, _ = env.step(client.act(observation=observation))
            assert not terminated
        assert client.ask({"observation": observation})["server_timing"]["infer_ms"] > 0


def test_it_answers_as_the_agent_does(port):
    env = gymnasium.make("CartPole-v1")
    observation, _ = env.reset(seed=3)
    local = GatoAgent.from_pretrained("gato-small")  # the server has the other one to itself
    local.reset("cartpole", seed=7, acting=GREEDY)
    with Client(port) as client:
        client.ask({"reset": {"seed": 7}})
        for _ in range(30):
            action = local.select_action(observation)
            assert client.act(observation=observation) == action
            observation, *_ = env.step(action)


def test_clients_play_different_tasks_side_by_side(gato, port):
    with Client(port) as pole, Client(port) as arm, Client(port) as maze:
        arm.ask({"reset": {"task": "metaworld-reach"}})
        maze.ask({"reset": {"task": "babyai-goto-obj"}})
        image = gato.tasks["babyai-goto-obj"].tokenizer.observation_space
        seen = {**image.sample(), "mission": "go to the red ball"}
        for _ in range(3):
            assert pole.act(observation=POLE) in (0, 1)
            assert arm.act(observation=np.zeros(39)).shape == (4,)
            assert maze.act(**seen) in gato.tasks["babyai-goto-obj"].tokenizer.action_space


def test_a_new_task_comes_with_its_demonstrations(gato, port):
    observed, acted = spaces.Dict({"where": spaces.Box(-1, 1, (2,)), "say": spaces.Text(9)}), spaces.MultiDiscrete([3, 2])
    shown = {"observations": {"where": np.zeros((4, 2)), "say": ["go"] * 4}, "actions": np.ones((4, 2), np.int64)}
    described = {"observation_space": serialize_space(observed), "action_space": serialize_space(acted)}
    with Client(port) as client:
        asked = {"task": "own", "demonstrations": [shown], "timesteps": 2, **described}
        assert client.ask({"reset": asked}) == {"task": "own", "seed": 1}
        for _ in range(5):
            assert client.act(where=np.zeros(2), say="go") in acted
        assert client.ask({"reset": {}})["seed"] == 2
        assert client.act(where=np.zeros(2), say="go") in acted
        wrong = {**shown, "actions": np.full((4, 2), 7)}
        assert "value 7 is not in MultiDiscrete" in client.ask({"reset": {**asked, "demonstrations": [wrong]}})
        assert client.act(where=np.zeros(2), say="go") in acted  # the episode goes on
    for client in wait_for_lanes(port, 32):
        client.connection.close()
    assert not [name for name, task in gato.tasks.items() if task.domain == "own"]


def test_demonstrations_of_a_known_task_take_the_place_of_its_own(port):
    shown = {"observations": np.zeros((4, 4)), "actions": np.ones(4, np.int64), "rewards": np.ones(4)}
    with Client(port) as client:
        assert client.ask({"reset": {"task": "cartpole", "demonstrations": [shown]}})["task"] == "cartpole"
        assert client.act(observation=POLE) in (0, 1)


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ("hello", "a text message, expected a binary one"),
        (b"\xc1", "expected a msgpack dictionary"),
        ({}, "message: observation is missing"),
        ({"observation": np.zeros(3)}, r"expected numbers of shape \(4,\)"),
        ({"observation": np.full(4, np.nan)}, "observation, timestep 0: NaN at element 0"),
        ({"observation": POLE, "prompt": "go"}, "unknown key of message 'prompt'"),
        ({"reset": {"task": "cartpool"}}, "unknown task 'cartpool'; did you mean cartpole"),
        ({"reset": {"observation_space": "{}"}}, "needs observation_space, action_space and demonstrations"),
        ({"reset": {"demonstrations": [{}]}}, r"demonstrations\[0\]: observations is missing"),
        ({"reset": {"demonstrations": [{"observations": np.zeros((0, 4)), "actions": np.zeros(0)}]}}, "without timesteps"),
    ],
    ids=range(10),
)
def test_a_wrong_message_costs_one_line_and_the_session_goes_on(port, message, why):
    with Client(port) as client, Client(port) as other:
        answer = client.ask(message)
        assert isinstance(answer, str)
        assert "\n" not in answer
        with pytest.raises(UserError, match=why):
            raise UserError(answer)
        assert client.act(observation=POLE) in (0, 1)
        assert other.act(observation=POLE) in (0, 1)


def test_a_session_without_a_task_has_to_ask_for_one(gato):
    with serving(gato, task=None, max_clients=2) as port, Client(port) as client:
        assert "no episode has begun" in client.ask({"observation": POLE})
        assert "task is missing" in client.ask({"reset": {}})
        client.ask({"reset": {"task": "cartpole"}})
        assert client.act(observation=POLE) in (0, 1)


def test_a_message_that_is_too_large_ends_its_connection_alone(port):
    with Client(port) as other:
        client = Client(port)
        client.connection.send(bytes(2 << 20))
        with pytest.raises(ConnectionClosed) as closed:
            client.connection.recv(timeout=20)
        assert closed.value.rcvd.code == 1009
        assert other.act(observation=POLE) in (0, 1)


def test_only_so_many_clients_are_served_and_silent_ones_leave(gato):
    with serving(gato, max_clients=2, idle_s=1.0) as port:
        silent, busy = Client(port), Client(port)
        with pytest.raises(InvalidStatus, match="503"):
            Client(port)
        for _ in range(6):
            busy.act(observation=POLE)
            time.sleep(0.25)
        with pytest.raises(ConnectionClosed, match="nothing came for 1 s"):
            silent.connection.recv(timeout=5)
        (third,) = wait_for_lanes(port, 1)
        assert third.act(observation=POLE) in (0, 1)


def test_a_token_is_asked_for(gato):
    with serving(gato, token="sésame", max_clients=2) as port:
        for headers in ({}, {"Authorization": "Api-Key other"}, {"Authorization": "sésame"}):
            with pytest.raises(InvalidStatus, match="401"):
                Client(port, **headers)
        assert urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz").read() == b"OK\n"


def test_a_page_in_a_browser_is_no_client(port):
    with pytest.raises(InvalidStatus, match="403"):
        Client(port, Origin="https://example.org")


def test_a_client_that_vanishes_frees_its_lane(gato):
    with serving(gato, max_clients=1) as port:
        for _ in range(3):
            (client,) = wait_for_lanes(port, 1)
            client.connection.send(pack({"observation": POLE}))
            client.connection.socket.close()


def test_the_address_must_be_free(gato, port):
    server = PolicyServer(gato, ServerSettings(port=port))

    async def run() -> None:
        async with server.listening():
            pass

    with pytest.raises(UserError, match=f"cannot listen at 127.0.0.1:{port}"):
        asyncio.run(run())


def test_an_unknown_task_and_an_empty_token_are_told(gato):
    with pytest.raises(UserError, match="did you mean cartpole"):
        PolicyServer(gato, task="cartpool")
    with pytest.raises(UserError, match="token: empty"):
        ServerSettings(token="")


def junk(rng: np.random.Generator, depth: int = 3) -> object:
    """Anything that msgpack can hold, often with the protocol's own keys."""
    kind = int(rng.integers(0, 10 if depth else 7))
    if kind == 7:
        return [junk(rng, depth - 1) for _ in range(rng.integers(0, 4))]
    if kind > 7:
        keys = ["observation", "reset", "task", "seed", "demonstrations", "observations", "actions", "rewards", "timesteps"]
        keys += ["observation_space", "action_space", b"__ndarray__", b"__npgeneric__", b"data", b"dtype", b"shape", "x"]
        return {keys[rng.integers(len(keys))]: junk(rng, depth - 1) for _ in range(rng.integers(0, 5))}
    shape = tuple(rng.integers(0, 5, rng.integers(0, 3)))
    texts = ["cartpole", "taxi", "<f4", "O", "M8[s]", "S0", "", "é" * 50, '{"type": "Box"}']
    texts += ['{"type": "Discrete", "n": 2, "start": 0}']
    return [
        None,
        float(rng.choice([0.0, np.nan, np.inf, -1e300])),
        int(rng.choice([0, 1, -1, 2**63 - 1, -(2**63)])),
        texts[rng.integers(len(texts))],
        rng.bytes(rng.integers(0, 20)),
        rng.standard_normal(shape).astype(rng.choice(["f4", "f8", "i2", "u1", "?"])),
        np.float32(rng.standard_normal()),
    ][kind]


def malformed(rng: np.random.Generator) -> bytes | str:
    """A random message: bytes, a damaged right one, a dictionary of anything, a reset of anything, or a text."""
    right = pack({"observation": rng.standard_normal(4)})
    sort = int(rng.integers(0, 6))
    if sort == 0:
        return rng.bytes(rng.integers(0, 60))
    if sort == 1:
        damaged = bytearray(right)
        damaged[rng.integers(len(damaged))] = rng.integers(256)
        return bytes(damaged[: rng.integers(1, len(damaged) + 1)] if rng.random() < 0.5 else damaged)
    if sort == 2:
        return pack({"observation": junk(rng)})
    if sort == 3:
        names = ["task", "seed", "demonstrations", "observation_space", "action_space", "timesteps"]
        return pack({"reset": {name: junk(rng) for name in names if rng.random() < 0.4}})
    if sort == 4:
        one = {"observations": junk(rng), "actions": junk(rng)}
        return pack({"reset": {"task": "cartpole", "demonstrations": [one]}})
    return msgpack.packb("x" * int(rng.integers(9))) if rng.random() < 0.5 else "text"


def test_a_thousand_malformed_messages_are_answered_and_nothing_falls(port):
    """Each gets an answer, and the connection, another one and the server go on."""
    rng = np.random.default_rng(0)
    wrong = 0
    with Client(port) as client, Client(port) as other:
        for _ in range(1000):
            answer = client.ask(malformed(rng))
            if isinstance(answer, str):
                wrong += 1
                assert "\n" not in answer
                assert len(answer) < 1000
        client.ask({"reset": {"task": "cartpole"}})
        assert client.act(observation=POLE) in (0, 1)
        assert other.act(observation=POLE) in (0, 1)
    assert wrong > 800
