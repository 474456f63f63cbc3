"""What one would write with sentence-transformers to train the two models (training.py).

In: the pairs and a `Course`. Out: nothing but the course's curve; the models are forgotten. Batches of 32, a
warm-up of a tenth and a rate are chosen, all else is the trainers' default: every layer and the word embeddings
learn, with dropout and AdamW, and a batch is padded to its longest text.
"""

import pickle
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import torch
from course import Course, Data, right_first
from datasets import Dataset
from sentence_transformers import (
    CrossEncoder,
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.cross_encoder import CrossEncoderTrainer, CrossEncoderTrainingArguments
from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from transformers import TrainerCallback

from chatbot.carried import resolve

BATCH = 32


def encoder(data: Data, course: Course, folder: Path) -> None:
    chance, prefix = random.Random(data.settings.seed), data.room.route.prefix
    of_answer: dict[str, list[str]] = {}
    for pair in data.kept:
        of_answer.setdefault(pair.answer_id, []).append(data.form(pair.question))
    rows = []
    for pair in data.kept:
        question = data.form(pair.question)
        others = [text for text in of_answer[pair.answer_id] if text != question]
        positives = [chance.choice(others)] if others else []
        rows += [(question, text) for text in (*positives, data.form(pair.answer))]
    model = SentenceTransformer(str(resolve(data.room.route.encoder)), device="cpu")
    model.max_seq_length = data.room.route.max_tokens

    def quality() -> float:
        model.eval()
        return data.found(
            lambda texts: model.encode(
                [prefix + text for text in texts], normalize_embeddings=True, show_progress_bar=False
            )
        )

    course.start(quality())
    SentenceTransformerTrainer(
        model=model,
        args=SentenceTransformerTrainingArguments(**_usual(data, course, folder), batch_sampler="no_duplicates"),
        train_dataset=_dataset(
            {"anchor": [prefix + left for left, _ in rows], "positive": [prefix + right for _, right in rows]}
        ),
        loss=MultipleNegativesRankingLoss(model),
        callbacks=[_callback(course, model, quality)],
    ).train()


def reranker(data: Data, course: Course, folder: Path) -> None:
    lists, judged = pickle.loads((folder / "lists.pickle").read_bytes())
    prefix, negatives = data.room.route.prefix, data.settings.rerank.negatives
    torch.manual_seed(data.settings.seed)
    limit = 2 * data.room.route.max_tokens
    model = CrossEncoder(str(folder / "encoder"), num_labels=1, max_length=limit, device="cpu")

    def score(questions: list[str], texts: list[str]) -> Any:
        read = [(prefix + left, prefix + right) for left, right in zip(questions, texts, strict=True)]
        return model.predict(read, show_progress_bar=False)

    def quality() -> float:
        model.eval()
        return right_first(judged, score)

    course.start(quality())
    rows = [
        (prefix + one.question, prefix + text, i == one.right) for one in lists for i, text in enumerate(one.texts)
    ]
    CrossEncoderTrainer(
        model=model,
        args=CrossEncoderTrainingArguments(**_usual(data, course, folder)),
        train_dataset=_dataset(
            {
                "question": [row[0] for row in rows],
                "text": [row[1] for row in rows],
                "label": [float(row[2]) for row in rows],
            }
        ),
        loss=BinaryCrossEntropyLoss(model, pos_weight=torch.tensor(float(negatives))),
        callbacks=[_callback(course, model, quality)],
    ).train()


def _dataset(columns: dict[str, list[Any]]) -> Any:
    """With a fingerprint given, since hashing the table fails with some versions of pyarrow."""
    return Dataset(pyarrow.table(columns), fingerprint="demo")


def _usual(data: Data, course: Course, folder: Path) -> dict[str, Any]:
    return {
        "output_dir": str(folder / "plain"),
        "max_steps": course.steps,
        "per_device_train_batch_size": BATCH,
        "learning_rate": course.rate,
        "warmup_steps": 0.1,  # of the steps
        "seed": data.settings.seed,
        "use_cpu": True,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }


def _callback(course: Course, model: Any, quality: Callable[[], float]) -> Any:
    """Counts the tokens that the model learns from, and looks at quality every so often."""
    padding = model.tokenizer.pad_token_id

    def count(_module: Any, given: tuple[torch.Tensor, ...]) -> None:
        if torch.is_grad_enabled():
            course.tokens += int((given[0] != padding).sum())

    (words,) = (part for name, part in model.named_modules() if name.endswith("word_embeddings"))
    words.register_forward_pre_hook(count)

    class Look(TrainerCallback):
        def on_step_end(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
            if state.global_step % course.every == 0:
                course.look(state.global_step, quality)
                model.train()

        def on_train_begin(self, _args: Any, _state: Any, _control: Any, **_: Any) -> None:
            course.begun = [time.perf_counter(), time.process_time()]

    return Look()
