/*
 * design.h - the factorial design: which emotion, rate, voice and SNR each variant has.
 *
 * Scenarios are counted through i = 0, 1, ... over all categories and taken in blocks of three:
 * t = i mod 3 stands within the block k = i / 3, and u = k mod 3, v = (k / 3) mod 3 are digits of
 * the block. With five emotions e = 0..4 and the distinct vectors (a, b) = (0,0) (0,1) (0,2) (1,0)
 * (1,1):
 *
 *     rate  = t + a[e] u + b[e] v          (mod 3)
 *     SNR   = 2 t + u + e                  (mod 3)
 *     voice = k + e, and for the other gender k + k / 4 + e   (mod 4)
 *
 * Each block holds every (emotion, rate) once, so over a multiple of three scenarios the 30 cells
 * gender x emotion x rate are equal, exactly. Two emotions' rates differ by (a - a') u + (b - b')
 * v, which takes every value equally often over nine blocks, as (a, b) are distinct. In a cell
 * (emotion, rate) the SNR is 2 rate + (a + 1) u + b v + e: each level once in three successive
 * blocks, as a + 1 is never 0 mod 3; and each voice once in four.
 */
#ifndef AOR_BENCH_DESIGN_H
#define AOR_BENCH_DESIGN_H

#define DESIGN_N_EMOTIONS 5
#define DESIGN_N_RATES 3
#define DESIGN_N_SNRS 3
#define DESIGN_N_VOICES 4 /* a gender */
#define DESIGN_N_GENDERS 2

struct design_pair {
    int emotion;                  /* 0..4 */
    int rate;                     /* 0..2 */
    int snr;                      /* 0..2 */
    int voices[DESIGN_N_GENDERS]; /* 0..3 within the gender */
};

/*
 * Pair number pair of the i-th item of its kind, i >= 0. With five pairs an item has every emotion
 * once; with fewer, the emotions go on from item to item.
 */
struct design_pair design_pair(long i, int n_pairs, int pair);

#endif
