"""The training loop of both models: steps with a progress bar, a diary, checkpoints, and an early end.

In: a model, a stream of batches, what a batch costs (a loss with gradient), and a `Plan`. The model is changed in
place. A `Watch` says how the training is followed; with none, nothing is written and every step is taken.

    diary          loss, rate and held-out share of each step for TensorBoard, in a folder
    checkpoints    about every half minute, whole or not at all: what was killed goes on where it stopped. Weights,
                   optimiser and the stream's place come back exactly; what frozen layers make of a text is
                   computed again, in other batches, so that last digits may differ
    check          a held-out share: the best weights win, and training ends after `patience` checks without a gain

Word embeddings and all but the upper layers stay as they are: a few thousand pairs teach them nothing.
"""

import hashlib
import importlib.util
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any, Protocol, TypeVar

import torch
from tqdm import tqdm

from chatbot.errors import BotError, UserError

log = logging.getLogger(__name__)
WARM_UP = 0.1  # of the steps
PACE = 25  # steps between two moments at which a training can be left and taken up again
SECONDS = 30.0  # between two checkpoints, at least
LORA_SCALE = 2  # peft's alpha over its rank

Best = tuple[float, int, dict[str, torch.Tensor] | None]  # held-out share, step, weights
NO_BEST: Best = (0.0, 0, None)
Batch_co = TypeVar("Batch_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Plan:
    """`layers` from the top learn; with `lora_rank`, adapters of that rank in their place."""

    steps: int
    rate: float
    layers: int
    lora_rank: int = 0


@dataclass(frozen=True, slots=True)
class Watch:
    """How a training is followed, and by which name. `check` is asked every `every` steps."""

    label: str
    diary: Path | None = None
    checkpoints: Path | None = None
    key: str = ""  # of everything that the result depends on: another key, another training
    check: Callable[[], float] | None = None
    every: int = 0
    patience: int = 0

    def named(self, part: str) -> "Watch":
        return replace(self, label=f"{self.label}: {part}")


class Stream(Protocol[Batch_co]):
    """Endless batches whose place can be kept at every PACE-th one."""

    def __next__(self) -> Batch_co: ...

    @property
    def place(self) -> Any:
        """Plain numbers that `return_to` understands."""
        ...

    def return_to(self, place: Any) -> None: ...


def fit(
    model: Any, stream: Stream[Batch_co], cost: Callable[[Batch_co], torch.Tensor], plan: Plan, watch: Watch
) -> None:
    """Train `model` in place. Raises UserError where an option needs a package that is not installed."""
    with adapted(model, plan), _diary(watch) as note:
        optimizer, schedule = optimiser(model, plan)
        done, best = 0, NO_BEST
        file = None if watch.checkpoints is None else watch.checkpoints / f"{_name(watch, plan)}.pt"
        if file is not None and file.exists():
            done, best = _resume(file, model, optimizer, schedule, stream, plan, watch.label)
        saved = monotonic()
        bar = tqdm(range(done, plan.steps), desc=watch.label, unit="step", initial=done, total=plan.steps)
        for step in bar:
            if file is not None and step % PACE == 0 and monotonic() - saved > SECONDS:
                _save(file, step, best, model, optimizer, schedule, stream)
                saved = monotonic()
            loss = cost(next(stream))
            _update(loss, model, optimizer, schedule)
            note("loss", loss, step)
            note("rate", schedule.get_last_lr()[0], step)
            if watch.check is not None and watch.every and (step + 1) % watch.every == 0:
                share = watch.check()
                note("held out", share, step)
                bar.set_postfix(held_out=f"{share:.3f}")
                if share > best[0] or best[2] is None:
                    best = (share, step, _trained(model))
                elif step - best[1] >= watch.patience * watch.every:
                    break
        if best[2] is not None:
            _put(model, best[2])
        if file is not None and done < plan.steps:
            _save(file, plan.steps, best, model, None, None, None)


def optimiser(model: Any, plan: Plan) -> tuple[torch.optim.Optimizer, Any]:
    """AdamW with a short warm-up and a linear way down, over what learns."""
    if not plan.lora_rank:
        stay = frozen_layers(model, plan.layers)
        model.requires_grad_(True)  # a copy of a tuned model brings along what was frozen there
        parts = (model.base_model.embeddings, *model.base_model.encoder.layer[:stay]) if stay else ()
        for part in parts:
            part.requires_grad_(False)
        model.get_input_embeddings().weight.requires_grad_(False)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=plan.rate, fused=True)
    warm_up = WARM_UP if WARM_UP * plan.steps > 1 else 0.0  # of one step or less, OneCycleLR divides by zero
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        plan.rate,
        total_steps=plan.steps,
        pct_start=warm_up,
        anneal_strategy="linear",
        cycle_momentum=False,
    )
    return optimizer, schedule


def frozen_layers(model: Any, layers: int) -> int:
    """How many layers, from the bottom, stay as they are where `layers` learn."""
    return max(len(model.base_model.encoder.layer) - layers, 0)


@contextmanager
def adapted(model: Any, plan: Plan) -> Iterator[None]:
    """While inside, low-rank adapters learn in the place of the layers' weights (Hu et al. 2021,
    https://arxiv.org/abs/2106.09685); afterwards they are part of these weights. A head learns whole."""
    if not plan.lora_rank:
        yield
        return
    if importlib.util.find_spec("peft") is None:
        raise UserError("lora_rank needs the package peft: pip install 'chatbot[lora]'")
    from peft import LoraConfig, get_peft_model

    layers = range(frozen_layers(model, plan.layers), len(model.base_model.encoder.layer))
    head = [module for name, module in model.named_children() if name == "classifier"]
    config = LoraConfig(
        r=plan.lora_rank,
        lora_alpha=LORA_SCALE * plan.lora_rank,
        target_modules=["query", "key", "value", "dense"],
        layers_to_transform=list(layers),
        layers_pattern="layer",
    )
    wrapped = get_peft_model(model, config)
    for module in head:
        module.requires_grad_(True)
    try:
        yield
    finally:
        wrapped.merge_and_unload()


@contextmanager
def _diary(watch: Watch) -> Iterator[Callable[[str, Any, int], None]]:
    """A function that notes a number of a step; where no diary is kept, one that does nothing."""
    if watch.diary is None:
        yield lambda _name, _value, _step: None
        return
    needs_tensorboard()
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(watch.diary / _file_name(watch.label))) as writer:
        yield lambda name, value, step: writer.add_scalar(name, float(value), step)


def needs_tensorboard() -> None:
    """Raises UserError where it is not installed."""
    if importlib.util.find_spec("tensorboard") is None:
        raise UserError("--log needs the package tensorboard: pip install 'chatbot[logs]'")


def _update(loss: torch.Tensor, model: Any, optimizer: torch.optim.Optimizer, schedule: Any) -> None:
    """One update, gradients clipped to length 1."""
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    schedule.step()


def _trained(model: Any) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in model.named_parameters() if weight.requires_grad}


def _put(model: Any, weights: dict[str, torch.Tensor]) -> None:
    own = dict(model.named_parameters())
    with torch.no_grad():
        for name, weight in weights.items():
            own[name].copy_(weight)


def _save(file: Path, step: int, best: Best, model: Any, optimizer: Any, schedule: Any, stream: Any) -> None:
    """Write beside and rename; without an optimiser, the training is over and only its weights are kept."""
    going_on = optimizer is not None
    state = {
        "step": step,
        "weights": _trained(model),
        "best": best if going_on else None,
        "optimizer": optimizer.state_dict() if going_on else None,
        "schedule": schedule.state_dict() if going_on else None,
        "place": stream.place if going_on else None,
    }
    partial = file.with_suffix(".partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.save(state, partial)
        partial.replace(file)
    except (OSError, RuntimeError) as cause:  # torch raises the latter where there is no room
        log.warning("no checkpoint could be written to %s (%s); training goes on without", file, cause)


def _resume(
    file: Path, model: Any, optimizer: Any, schedule: Any, stream: Any, plan: Plan, label: str
) -> tuple[int, Best]:
    try:
        state = torch.load(file, weights_only=True)
    except Exception as cause:  # whatever a damaged file makes torch raise
        raise BotError(f"the checkpoint {file} cannot be read ({cause}); delete it and train again") from cause
    _put(model, state["weights"])
    if state["optimizer"] is not None:
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        stream.return_to(state["place"])
    log.info("%s: going on at step %d of %d", label, state["step"], plan.steps)
    return state["step"], state["best"] if state["best"] is not None else NO_BEST


def _name(watch: Watch, plan: Plan) -> str:
    return f"{_file_name(watch.label)}-{hashlib.sha256(f'{watch.key} {plan}'.encode()).hexdigest()[:16]}"


def _file_name(label: str) -> str:
    return "".join(character if character.isalnum() else "-" for character in label)
