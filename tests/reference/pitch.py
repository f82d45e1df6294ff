"""Prints the numbers in tests/unit/test_pitch.c: pitch.py SPEECH.flac..

The files are what voice_render gives of the test's sentence, one a voice of data/voices.yaml.
Needs praat-parselmouth and numpy (made with 0.4.7 and 2.4).
"""
import sys

import numpy as np
import parselmouth

for path in sys.argv[1:]:
    track = parselmouth.Sound(path).to_pitch_ac(time_step=0.01, pitch_floor=60, pitch_ceiling=500)
    hz = track.selected_array["frequency"]
    semitones = 12 * np.log2(hz[hz > 0])
    spread = np.percentile(semitones, 90) - np.percentile(semitones, 10)
    print(f"{path}: mean {2 ** (semitones.mean() / 12):.2f} Hz, range {spread:.2f} st")
