"""docs/reliability.md: what results/faults.json found, as a table. faults.py and tables.py call `write`."""

import json
from pathlib import Path
from typing import Any

from speed_page import table

ROOT = Path(__file__).parent.parent
FILE = Path(__file__).parent / "results" / "faults.json"
LONGEST = 260  # characters of an error
PAGE = """# What happens when something breaks

Each fault is done to real processes, files and databases by `python benchmarks/faults.py`, which writes
`benchmarks/results/faults.json` (with date, machine and command) and this page of it. *Acknowledged* counts what
a caller was told was done: a message with its 201, a published pair, a damaged file that was named; *found* how
much of that was there afterwards. *Wrong* counts whatever should not be: a message twice or in another order, a
half-written bot in use, an unclear error, a process that ended. *Worked again* is the time until the service
answered as before, with its start where it had been killed. The bot is small, and other work ran on the same two
cores: read the times as such.

{table}

How errors read (of a request, its status and body; of a command, its line):

{errors}

## What is promised

- **A message whose 201 arrived is kept**: it was on disk before it was sent, on SQLite and on PostgreSQL.
- **A write with an `Idempotency-Key` whose answer arrived is not done twice**: the answer is kept before its end
  is sent. One that was cut off by a crash is refused with 409 for up to five minutes, then it may be done again;
  if the crash came between the message and the note of its key, it is there twice after that.
- **A bot is the old one or the new one, whole.** What a killed writer leaves is swept away by the next one.
- **A full disk or an absent database is told, not hidden**: 503 with `Retry-After` from the API, one line and exit
  code 1 from a command. Nothing half-written is used, and no restart is needed afterwards.
- **Damage is noticed at load**, which names the file and the command. `chatbot rollback` goes to the newest
  earlier version that is whole; versions that edits made share the models' files, so that damage to those is in
  all of them.
- **The clock may jump**: a conversation keeps its order, versions keep theirs, and rate limits begin anew.
- **Two services of one folder** do not lose each other's edits: the later one is refused (503, `changed`) until it
  has loaded the change, within some two seconds.
- **SIGTERM** lets what was begun be answered, within `CHATBOT_SERVE__DRAIN` seconds, and ends with exit code 0.

## What is not

- A pair that was published is live even where the note of who did it could not be kept: the answer is 503, the
  same request again 422, since the pair is there.
- Vectors of more than 64 MB (some ten thousand pairs) are mapped from their files. If such a file is cut short or
  changed in place while a service runs, the service ends (SIGBUS) or answers by what is there. Replace folders, as
  `chatbot restore` does; never write into one.
- Damage that comes after the load is noticed at the next load.
- A request that reaches the service in the moment in which it closes an idle connection is reset unread, and
  nothing of it is done: send it again.
- SIGTERM before the service is ready ends it at once, with the signal's exit code. On a machine with several times
  the load that its cores can take, one of ten ends took more than a minute, and nobody knows yet why.

## 出了故障会怎样（中文摘要）

上表由 `python benchmarks/faults.py` 在真实的进程、文件和数据库上测得。

- **收到 201 的消息一定已经落盘**：随时 `kill -9`，SQLite 和 PostgreSQL 都不丢消息；带 `Idempotency-Key`
  且已收到应答的请求，重发不会重复执行。被崩溃打断的请求在五分钟内重发会得到 409，之后可以再次执行。
- **机器人要么是旧版，要么是新版**，不会是混合体；中断留下的半成品由下一次写入清理。
- **磁盘写满、数据库断开**：接口返回 503 和 `Retry-After`，命令行给出一行说明、退出码 1；恢复后无需重启。
- **文件损坏**在加载时发现，错误信息写明文件和修复命令；`chatbot rollback` 回到最近的完好版本。
  编辑产生的各个版本共用模型文件，模型文件损坏时这些版本都受影响。
- **时钟跳变**不影响对话和版本的先后次序；**两个服务同时发布**不会互相覆盖，
  后到的一方收到 503（`changed`）后重试即可。
- **SIGTERM**：已经开始的请求都会得到回答，退出码 0。
- **尚不保证**：超过 64 MB 的向量文件是内存映射的，服务运行时被就地截断会使进程退出；
  请整体替换文件夹，不要就地改写。
"""


def write() -> None:
    (ROOT / "docs" / "reliability.md").write_text(page(), "utf-8")


def page() -> str:
    found = json.loads(FILE.read_text("utf-8"))["faults"]
    rows = [_row(name, fault) for name, fault in found.items()]
    head = ["fault", "rounds", "acknowledged", "found", "lost", "wrong", "worked again, s"]
    errors = [f"- {name}: `{line}`" for name, fault in found.items() for line in _lines(fault)]
    return PAGE.format(table=table(head, rows), errors="\n".join(errors))


def _row(name: str, fault: dict[str, Any]) -> list[str]:
    seconds = fault["seconds_until_it_worked"]
    span = f"{min(seconds):.1f} to {max(seconds):.1f}" if seconds else "–"
    counts = [fault["rounds"], fault["acknowledged"], fault["found"], len(fault["lost"]), len(fault["wrong"])]
    return [name, *map(str, counts), span]


def _lines(fault: dict[str, Any]) -> list[str]:
    """The first errors, each in one line."""
    return [
        error.replace("`", "'").replace("\n", " ")[:LONGEST] for error in list(dict.fromkeys(fault["errors"]))[:2]
    ]
