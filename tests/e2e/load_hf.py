"""load_hf.py export|bench DIR: load DIR by its card alone; every sample must decode to its hash."""
import hashlib
import io
import sys

import soundfile
from datasets import Audio, load_dataset

kind, path = sys.argv[1:]
wanted = {"export": {"dev", "test"}, "bench": {"full"}}[kind]
configs = {"export": ["matched", "speech"], "bench": ["default"]}[kind]
default = load_dataset(path)
for config in configs:
    data = load_dataset(path, config).cast_column("audio", Audio(decode=False))
    assert set(data) == wanted, data
    for split in data:
        assert kind == "bench" or set(data[split]["split"]) == {split}
        for row in data[split]:
            audio = row["audio"]
            source = io.BytesIO(audio["bytes"]) if audio["bytes"] else audio["path"]
            pcm, rate = soundfile.read(source, dtype="int16")
            assert rate == 16000, row["id"]
            assert hashlib.sha256(pcm.tobytes()).hexdigest() == row["sha256"], row["id"]
    assert sum(len(data[s]) for s in data) == sum(len(default[s]) for s in default)
