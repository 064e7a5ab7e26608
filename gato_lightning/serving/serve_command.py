"""`python run.py serve --pretrained gato-small --task cartpole`: a policy server, until Ctrl-C or SIGTERM."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import torch

from gato_lightning.acting.agent import ActingSettings
from gato_lightning.acting.gato_agent import GatoAgent
from gato_lightning.common.settings import PositiveFloat, PositiveInt, Range
from gato_lightning.errors import UserError


def serve(
    pretrained: str = "gato-small",
    task: str | None = None,
    host: str = "127.0.0.1",
    port: Annotated[int, Range(least=0, most=65535)] = 8000,
    max_clients: PositiveInt = 32,
    max_message_mb: PositiveFloat = 16.0,
    idle_s: PositiveFloat = 300.0,
    token_file: str | None = None,
    **acting: Any,
) -> None:
    """Serves a model to robots and simulators, by openpi's protocol; see docs/serving.md.

    Args:
        pretrained: a shipped name, a folder, a checkpoint, or a repository on the Hugging Face hub.
        task: the task of clients that ask for none; by default each has to ask.
        host: address to listen at; by default only this machine can connect.
        port: 0 to 65535; 0: any that is free.
        max_clients: most connections at once, 1 or more.
        max_message_mb: largest message that is read, in units of 2**20 bytes, above 0.
        idle_s: seconds, above 0, after which a connection is closed that sends nothing.
        token_file: a file with the token that clients have to send; by default none is asked for.
        acting: as of `ActingSettings`.
    """
    try:
        from gato_lightning.serving.server import PolicyServer, ServerSettings
    except ModuleNotFoundError as error:
        raise UserError("serving needs the extra serve: pip install -e '.[serve]'") from error
    token = None if token_file is None else _read_token(Path(token_file))
    settings = ServerSettings(host, port, max_clients, max_message_mb, idle_s, token)
    agent = GatoAgent.from_pretrained(pretrained)
    agent.model.to("cuda" if torch.cuda.is_available() else "cpu")
    server = PolicyServer(agent, settings, task, ActingSettings(**acting), pretrained)
    if host not in ("127.0.0.1", "localhost", "::1") and token is None:
        print("note: others can connect, and no token is asked for (--token_file)", file=sys.stderr)

    async def run() -> None:
        stopped = asyncio.Event()
        for one in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(one, stopped.set)
        async with server.listening() as found:
            print(f"{pretrained} listens at ws://{host}:{found}, for {max_clients} clients; Ctrl-C ends it", flush=True)
            await stopped.wait()

    asyncio.run(run())


def _read_token(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as a token ({error})") from error
