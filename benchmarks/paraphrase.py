"""Many distinct questions as customers of the demo company might type them, and their vectors.

In:  the questions of data/demo/pairs_en.csv, a seed and a number.
Out: texts (openings, goods, days, cities, order numbers, slips of the finger), and their vectors from the carried
     MiniLM as it comes, kept in a folder in blocks, so that a run that was stopped goes on from there.

Encoding takes three to six milliseconds a text on one core. Where that is too long, `composed` makes further
vectors out of those: a message of two questions, whose vector, a mean over tokens, is nearly the mean of theirs.
"""

import json
import random
import re
import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

from chatbot.carried import MINILM, resolve
from chatbot.corpus import read_pairs
from chatbot.domain import Vectors
from chatbot.engine import FLOAT32, PackedBert, PackedEncoder, Words
from chatbot.graph import export
from chatbot.learn.noise import slip

DEMO = Path(__file__).parent.parent / "data" / "demo"
BLOCK = 5_000  # texts a file
LONGEST = 60  # characters of a question that is varied
MAX_TOKENS = 64
GOODS = re.split(
    ",",
    "phone,laptop,tablet,headphones,speaker,camera,drone,smartwatch,TV,monitor,router,keyboard,mouse,printer,"
    "charger,power bank,fridge,freezer,washing machine,dryer,dishwasher,kettle,toaster,blender,vacuum cleaner,"
    "air fryer,hair dryer,microphone,webcam,console,projector,e-reader,earbuds,screen protector,memory card,"
    "hard drive",
)
OPENINGS = re.split(
    ",",
    "hi,hello,hey,good morning,good evening,please,sorry,excuse me,dear team,ok,quick question,again,listen,"
    "one more thing,help,hi there,so,well,urgent,hm",
)
ENDINGS = re.split(
    ",",
    "about my {goods},for the {goods},I mean the {goods} from {day},since {day},before {day},order {number},"
    "no. {number},I live in {city},sent to {city},on {day} in {city},thanks,it is a gift for my {person},"
    "my {person} asks,bought {count} of them,with the {goods},pls",
)
SLOTS = {
    "goods": GOODS,
    "day": re.split(
        ",", "Monday,Tuesday,Wednesday,Thursday,Friday,Saturday,Sunday,yesterday,May,June,Easter,last week"
    ),
    "city": re.split(
        ",", "Leeds,Austin,Oslo,Perth,Dublin,Madrid,Lagos,Boston,Cardiff,Turin,Lyon,Denver,Hull,York"
    ),
    "person": ["mother", "father", "wife", "husband", "son", "daughter", "boss", "neighbour", "friend", "aunt"],
    "count": ["two", "three", "four", "five", "six", "ten", "twelve", "twenty"],
}
NAMED = re.compile(rf"\b({'|'.join(map(re.escape, GOODS))})\b")


def paraphrases(seed: int) -> Iterator[str]:
    """Distinct texts without end."""
    chance, seen = random.Random(seed), set[str]()
    questions = [pair.question for pair in read_pairs([DEMO / "pairs_en.csv"]).pairs]
    short = [text for text in questions if len(text) <= LONGEST]
    while True:
        text = NAMED.sub(lambda _: chance.choice(GOODS), chance.choice(short))
        if chance.random() < 0.4:
            text = f"{chance.choice(OPENINGS)}, {text}"
        if chance.random() < 0.7:
            slots = {name: chance.choice(values) for name, values in SLOTS.items()}
            text = f"{text} {chance.choice(ENDINGS).format(number=chance.randrange(100, 1000), **slots)}"
        if chance.random() < 0.3:
            text = slip(text, chance)
        if text not in seen:
            seen.add(text)
            yield text


def encoder(folder: Path) -> PackedEncoder:
    """The carried MiniLM; its graph is written into `folder` once."""
    base, kept = resolve(MINILM), folder / "graphs"
    if not (kept / f"{FLOAT32}.onnx").exists():
        kept.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(base / "model.safetensors", kept / "model.safetensors")
        export(kept / "model.safetensors", json.loads((base / "config.json").read_text("utf-8")))
    bert = PackedBert.load(kept / f"{FLOAT32}.onnx", Words.load(base), threads=1)
    return PackedEncoder(bert, "", MAX_TOKENS, MINILM, remembered=1)


def encode(folder: Path, count: int, seed: int) -> Vectors:
    """float32 [count, 384]: the vectors of the first `count` paraphrases. Blocks that are there are not encoded
    again, so that `folder` must be of this seed."""
    texts, model, blocks = paraphrases(seed), encoder(folder), []
    for number in tqdm(range(-(-count // BLOCK)), "encoding blocks"):
        block, path = list(islice(texts, BLOCK)), folder / f"{number:05}.npy"
        if not path.exists():
            partial = path.with_suffix(".partial.npy")
            np.save(partial, np.concatenate([model.encode(block[at : at + 250]) for at in range(0, BLOCK, 250)]))
            partial.rename(path)
        blocks.append(np.load(path))
    return np.concatenate(blocks)[:count]


def composed(vectors: Vectors, count: int, seed: int) -> Vectors:
    """float32 [count, dim]: means of two vectors that were drawn, of unit length, no two drawn twice."""
    chance = np.random.default_rng(seed)
    drawn = np.unique(np.sort(chance.integers(len(vectors), size=(2 * count + 100, 2)), axis=1), axis=0)
    drawn = chance.permutation(drawn[drawn[:, 0] != drawn[:, 1]])[:count]
    means = vectors[drawn[:, 0]] + vectors[drawn[:, 1]]
    return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), np.float32)
