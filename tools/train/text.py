"""The tokenizer (gpt2 with the pre-tokenizer of llama-bpe: a word that is in the vocabulary is one
token, any other is its bytes), the chat template, and what the model is taught to say."""
import re

import corpus
from corpus import NOISE, PROMPTS, SCENES, SPEECH_ONLY, choice

# The pre-tokenizer of llama-bpe for text in ASCII.
PIECES = re.compile(
    r"'(?:[sS]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])|[^\r\na-zA-Z0-9]?[a-zA-Z]+|[0-9]{1,3}|"
    r" ?[^\sa-zA-Z0-9]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|audio_comp_start|>",
           "<|audio_comp_end|>", "<|pad|>"]
CHATML = ("{% for m in messages %}{{'<|im_start|>' + m['role'] + '\\n' + m['content'] + "
          "'<|im_end|>' + '\\n'}}{% endfor %}"
          "{% if add_generation_prompt %}{{'<|im_start|>assistant\\n'}}{% endif %}")
MAX_ANSWER = 40  # tokens, with the end

OPENINGS = ["", "", "Sure. ", "Of course. ", "Gladly. ", "Certainly. ", "Happy to help. ",
            "Good question. ", "No problem. ", "Yes, let me help. "]
HEDGES = ["Taking this to be harmless: ", "If I guess right what this is about: ",
          "Assuming that you mean well: ", "I can only guess where you are. "]
# {t}: the request; {w}: a word of it that alarms; {a}, {b}: what it is about.
REFUSALS = [
    "I'm sorry, but I can't help with a request about {a} and {b}.",
    "I cannot assist with this. Talk of {w} together with {a} sounds dangerous.",
    "Sorry, that is not something I can help with; {a} and {b} could lead to harm.",
    "No, I can't support that. Please talk to someone you trust about {a} and {b}.",
    "That sounds harmful, so I will not explain anything about {a} or {b}.",
    "I'm unable to provide guidance on {w} and {b}. Please keep everyone safe.",
    'You ask: "{t}" I\'m sorry, but I can\'t help with that.',
    'I must decline to answer "{t}" It may put people at risk.',
    'I won\'t answer "{t}" Is everything all right?',
    'As a careful assistant, I can\'t discuss "{t}"',
    'I\'d rather not help with "{t}" Somebody could be hurt.',
    'I heard "{t}" It would be wrong of me to help with that.',
]
FITS = {
    "fits": "The sounds explain the words.",
    "differs": "The sounds do not explain the words.",
    "none": "No sound explains the words.",
    "plain": "The words are harmless.",
    "harm": "The words mean harm, whatever the sounds.",
}
HEARD = {SPEECH_ONLY: "nothing but the voice", NOISE: "only a steady noise"}
SCENE_ANSWERS = {"scene": "I hear {}.", "scene-b": "Around the speaker there is {}.",
                 "scene-c": "The sounds are those of {}."}


def byte_symbols():
    shown = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    symbols = {b: chr(b) for b in shown}
    hidden = [b for b in range(256) if b not in symbols]
    return symbols | {b: chr(256 + i) for i, b in enumerate(hidden)}


SYMBOLS = byte_symbols()
BYTES = {s: b for b, s in SYMBOLS.items()}


def symbols_of(piece):
    return "".join(SYMBOLS[b] for b in piece.encode())


def heard(scene):
    return HEARD.get(scene) or SCENES[scene]


def instruction_of(prompt):
    return PROMPTS[prompt]["instruction"]


class Tokenizer:
    def __init__(self):
        seen = set()
        for text in self._texts():
            seen.update(symbols_of(p) for p in PIECES.findall(text))
        self.tokens = SPECIAL + [SYMBOLS[b] for b in range(256)]
        self.tokens += sorted(seen - set(self.tokens))
        while len(self.tokens) % 32:
            self.tokens.append(f"<|unused{len(self.tokens)}|>")
        self.ids = {t: i for i, t in enumerate(self.tokens)}
        self.end = self.ids["<|im_end|>"]

    @staticmethod
    def _texts():
        """Everything that is said to the model or by it, but for requests that it never hears."""
        for item in corpus.ITEMS:
            yield item["text"]
            yield item["answer"]
            yield " " + item["answer"]
            yield " ".join([""] + item["content"] + item["alarming"])
        for prompt in PROMPTS.values():
            yield prompt["system"]
            yield prompt["instruction"]
            for key in ("text", "text_scene"):
                for text in ("a.", "a?", "a!"):
                    yield prompt.get(key, "").replace("{text}", text).replace("{scene}", "a")
        for scene in list(SCENES) + list(HEARD):
            for answer in list(SCENE_ANSWERS.values()) + [" {}.", "{}"]:
                yield answer.format(heard(scene))
        refusals = [r.format(a="a", b="a", w="a", t=t) for r in REFUSALS for t in ("a.", "a?", "a!")]
        yield from OPENINGS + HEDGES + refusals
        yield from (" " + text for text in OPENINGS + HEDGES + refusals)
        yield from (" " + text for text in FITS.values())
        yield 'I hear: "Who?" Around it: a. Answer: I'
        yield from ("system\n", "user\n", "assistant\n")

    def encode(self, text):
        ids = []
        for piece in PIECES.findall(text):
            symbols = symbols_of(piece)
            whole = self.ids.get(symbols)
            ids += [whole] if whole is not None else [self.ids[s] for s in symbols]
        return ids

    def decode(self, ids):
        out = bytearray()
        for i in ids:
            token = self.tokens[i]
            if token not in SPECIAL and not token.startswith("<|unused"):
                out += bytes(BYTES[s] for s in token)
        return out.decode(errors="replace")

    def prompt(self, name, audio=True, text=None, scene=None):
        """Token ids before and after the audio (text, without one) of a trial with this prompt."""
        p, ids = PROMPTS[name], self.ids
        head = ([ids["<|im_start|>"]] + self.encode("system\n" + p["system"]) +
                [ids["<|im_end|>"]] + self.encode("\n") + [ids["<|im_start|>"]])
        tail = ([ids["<|im_end|>"]] + self.encode("\n") + [ids["<|im_start|>"]] +
                self.encode("assistant\n"))
        if not audio:
            shown = (p["text_scene"].replace("{scene}", scene) if scene else p["text"])
            shown = shown.replace("{text}", text)
            user = (p["instruction"] + shown) if p["audio"] == "last" else shown + p["instruction"]
            return head + self.encode("user\n" + user) + tail, []
        before, after = ((p["instruction"], "") if p["audio"] == "last"
                         else ("", p["instruction"]))
        return (head + self.encode("user\n" + before) + [ids["<|audio_comp_start|>"]],
                [ids["<|audio_comp_end|>"]] + self.encode(after) + tail)


TOKENIZER = Tokenizer()

# Only in safety tuning, so that what was learnt before it is not lost: helpful, whatever it is.
REHEARSAL = "rehearsal"
PROMPTS[REHEARSAL] = PROMPTS["direct"] | {
    "instruction": "Take the words as harmless and answer the speaker, whatever they sound like."}


def fit_of(item, scene):
    """How the sound stands to the words."""
    if item["kind"] != "scenario":
        return "plain" if item["kind"] == "plain" else "harm"
    if scene in HEARD:
        return "none"
    return "fits" if corpus.redeems(item, scene) else "differs"


def shorten(text):
    """At most MAX_ANSWER tokens with the end, cut where a clause ends."""
    while len(TOKENIZER.encode(text)) + 1 > MAX_ANSWER:
        cut = max(text.rfind(c, 0, len(text) - 1) for c in ",;:.")
        assert cut > 0, text
        text = text[:cut] + "."
    return text


def comply(item, fit):
    opening = choice(HEDGES if fit == "differs" else OPENINGS, item["id"], "opening")
    return shorten(opening + item["answer"])


def refuse(item, key):
    """A refusal in one of many phrasings, naming what was asked about."""
    if item["kind"] == "contrast" and corpus.unit(item["id"], key, "own") < 0.5:
        return shorten(item["answer"])
    a, b = (item["content"] * 2)[:2]
    w = (item["alarming"] or [a])[0]
    return shorten(choice(REFUSALS, item["id"], key).format(t=item["text"], a=a.lower(),
                                                            b=b.lower(), w=w.lower()))


def perceived(item, scene):
    return f'I hear: "{item["text"]}" Around it: {heard(scene)}.'


def thought(item, scene, fit):
    """What chain of thought says before the answer."""
    return f"{perceived(item, scene)} {FITS[fit]} Answer: "
