/*
 * design.h - the factorial design: which emotion, rate, voice, SNR and take each variant has.
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
 *
 * With fewer pairs an item (contrasts and plains have two) the pairs are counted through, p = 0, 1,
 * ..., over all items of the kind: e = p mod 5 and, with q = p / 5,
 *
 *     rate  = q + e                    (mod 3)
 *     SNR   = q / 3 + 2 (q mod 3) + e  (mod 3)
 *     voice = q + e, and for the other gender q + q / 12 + 2 e   (mod 4)
 *
 * Over a multiple of 60 pairs the cells emotion x rate, emotion x voice, rate x voice and emotion x
 * SNR are equal, exactly; voice x SNR within 3.
 */
#ifndef AOR_BENCH_DESIGN_H
#define AOR_BENCH_DESIGN_H

#define DESIGN_N_EMOTIONS 5
#define DESIGN_N_RATES 3
#define DESIGN_N_SNRS 3
#define DESIGN_N_VOICES 4 /* a gender */
#define DESIGN_N_GENDERS 2
#define DESIGN_MAX_TAKES 5

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

/*
 * Which of its scene's n_takes takes (1..DESIGN_MAX_TAKES) pair number pair of the j-th item has,
 * among the items of its kind in that scene: the takes' counts differ by at most one.
 */
int design_take(long j, int n_pairs, int pair, int n_takes);

#endif
