"""The demo shop's orders, as a table that its bot looks into:

    python data/demo/orders.py index/demo/orders.sqlite

In: the path of a SQLite file. Out: 200 made-up orders in it, the same each time: number (KW, seven digits and a
check digit by Luhn), status in both languages, and a tracking number from dispatch on. `python app.py` does this
for the demo bot. The first order is KW-10000016.
"""

import random
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

COUNT = 200
FIRST = 1_000_001  # the seven digits of the first order
STEP = 37
SEED = 7
STATUSES = {  # in the shop's own words: answer order_status_meaning
    "Paid": "已付款",
    "Packing": "打包中",
    "Dispatched": "已发货",
    "Delivered": "已送达",
    "Closed": "已关闭",
}
TRACKED = {"Dispatched", "Delivered"}


def orders() -> Iterator[tuple[str, str, str, str]]:
    """Number, status in English and in Chinese, tracking number or an empty text."""
    chance = random.Random(SEED)
    for digits in range(FIRST, FIRST + COUNT * STEP, STEP):
        status = chance.choice(list(STATUSES))
        tracking = f"SP{chance.randrange(10**9, 10**10)}" if status in TRACKED else ""
        yield f"KW-{digits}{check_digit(str(digits))}", status, STATUSES[status], tracking


def check_digit(digits: str) -> int:
    """Luhn's (ISO/IEC 7812-1): every second digit doubled, from the right."""
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[::-2])
    return -(sum(doubled) + sum(map(int, digits[-2::-2]))) % 10


def write(path: Path) -> None:
    """Make the table, whole or not at all; one that is there is replaced."""
    fresh = path.with_name(f".{path.name}")
    fresh.unlink(missing_ok=True)
    with closing(sqlite3.connect(fresh)) as database, database:
        database.execute(
            "CREATE TABLE orders (number TEXT PRIMARY KEY, status_en TEXT, status_zh TEXT, tracking TEXT)"
        )
        database.executemany("INSERT INTO orders VALUES (?, ?, ?, ?)", orders())
    fresh.replace(path)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
    print(f"{COUNT} orders are in {sys.argv[1]}")
