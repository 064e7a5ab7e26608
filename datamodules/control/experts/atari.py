"""Scripts that play Atari games by reading the console's memory; one short class per game.

`act` is called once per step with the 128 bytes and returns the name of an action. The meanings of the bytes are from Anand et
al. 2019, "Unsupervised State Representation Learning in Atari", and OCAtari (Delfosse et al. 2023). Offsets between things,
and how far to look ahead, were chosen by trying a few values on the score.
"""

from typing import Protocol

import gymnasium

Memory = list[int]  # 128 bytes


class Script(Protocol):
    """Plays one episode."""

    def act(self, memory: Memory) -> str:
        """Returns the name of the next action, such as `UPRIGHTFIRE`."""


def actions_by_name(env: gymnasium.Env) -> dict[str, int]:
    """Returns the numbers of a game's actions by name."""
    meanings: list[str] = env.unwrapped.get_action_meanings()  # type: ignore[attr-defined]
    return {name: number for number, name in enumerate(meanings)}


def stick(right: float = 0.0, down: float = 0.0, tolerance: float = 0.0, fire: bool = False) -> str:
    """Returns the joystick action towards a place at a distance right and below; within the tolerance, the stick rests."""
    vertical = "DOWN" if down > tolerance else "UP" if down < -tolerance else ""
    horizontal = "RIGHT" if right > tolerance else "LEFT" if right < -tolerance else ""
    return vertical + horizontal + ("FIRE" if fire else "") or "NOOP"


def moved(now: int, before: int, most: int) -> int:
    """Returns how far a thing moved; 0 if it jumped, because then it is a new thing."""
    return now - before if abs(now - before) < most else 0


class Pong:
    """Moves the paddle to the ball's position in one step; RIGHT is up."""

    last_y = 0

    def act(self, memory: Memory) -> str:
        paddle, ball_x, ball_y = memory[51], memory[49], memory[54]
        ahead = ball_y + moved(ball_y, self.last_y, 20)
        self.last_y = ball_y
        if ball_x < 50:  # out of play, or on the opponent's side
            return "FIRE"
        return stick(right=paddle + 8 - ahead, tolerance=7)


class Breakout:
    """Moves the paddle to where the ball will come down, taking the walls into account."""

    LEFT, RIGHT, PADDLE_Y = 57, 200, 180

    def __init__(self) -> None:
        self.last_x = self.last_y = 0

    def act(self, memory: Memory) -> str:
        paddle, x, y = memory[72], memory[99], memory[101]
        speed_x, speed_y = moved(x, self.last_x, 40), moved(y, self.last_y, 40)
        self.last_x, self.last_y = x, y
        if y == 0:
            return "FIRE"  # serves
        target = float(x)
        if speed_y > 0:
            width = self.RIGHT - self.LEFT
            straight = (x - self.LEFT + speed_x * max(0, self.PADDLE_Y - y) / speed_y) % (2 * width)
            target = self.LEFT + min(straight, 2 * width - straight)
        return stick(right=target - paddle - 8, tolerance=6)


class Freeway:
    """Walks straight across the road."""

    def act(self, memory: Memory) -> str:
        return "UP"


class Boxing:
    """Moves to arm's length at the same height, and punches every other step."""

    NEAR, FAR = 20, 28  # arm's length
    step = 0

    def act(self, memory: Memory) -> str:
        self.step += 1
        right, down = memory[33] - memory[32], memory[35] - memory[34]
        beside = abs(right)
        advance = right if beside > self.FAR else -right if beside < self.NEAR else 0
        down -= 8 if down > 0 else -8  # a fist is above or below the head
        fire = self.step % 2 == 0 and beside <= self.FAR + 4 and abs(down) < 8
        return stick(right=advance, down=down if abs(down) > 2 else 0, fire=fire)


class Gopher:
    """Stays above the gopher and uses the shovel every other step, which hits the gopher or fills a hole."""

    step = 0

    def act(self, memory: Memory) -> str:
        self.step += 1
        right = memory[41] - memory[31] + 4
        return stick(right=right, tolerance=4, fire=self.step % 2 == 0 and abs(right) < 12)


class Assault:
    """Fires upwards every other step, as fast as the trigger can be released."""

    step = 0

    def act(self, memory: Memory) -> str:
        self.step += 1
        return "UP" if self.step % 2 else "NOOP"


class Enduro:
    """Drives at full speed."""

    def act(self, memory: Memory) -> str:
        return "FIRE"


class RoadRunner:
    """Runs along the upper edge of the road."""

    def act(self, memory: Memory) -> str:
        return "UPLEFT"


class SpaceInvaders:
    """Stays under the nearest column of invaders and fires; evades bombs."""

    REACH, BOMB_BELOW = 8, 40
    LEFTMOST, RIGHTMOST = 42, 112

    def act(self, memory: Memory) -> str:
        cannon = memory[28] + 3
        for bomb_y, bomb_x in ((memory[81], memory[83] - 2), (memory[82], memory[84] - 2)):
            if self.BOMB_BELOW < bomb_y < 96 and abs(bomb_x - cannon) < self.REACH:
                away = 1 if bomb_x < cannon else -1
                away = 1 if cannon < self.LEFTMOST else -1 if cannon > self.RIGHTMOST else away
                return stick(right=away, fire=True)
        alive = memory[18] | memory[19] | memory[20] | memory[21] | memory[22] | memory[23]  # one bit per column
        columns = [column for column in range(6) if alive >> column & 1]
        places = [memory[26] + 3 + 16 * (max(columns) - column) - cannon for column in columns]
        return stick(right=min(places, key=abs, default=0), tolerance=3, fire=True)


SCRIPTS: dict[str, type[Script]] = {
    "Assault": Assault,
    "Boxing": Boxing,
    "Breakout": Breakout,
    "Enduro": Enduro,
    "Freeway": Freeway,
    "Gopher": Gopher,
    "Pong": Pong,
    "RoadRunner": RoadRunner,
    "SpaceInvaders": SpaceInvaders,
}
