#include "bench/design.h"

static struct design_pair five_pairs(long i, int e)
{
    static const int a[DESIGN_N_EMOTIONS] = {0, 0, 0, 1, 1};
    static const int b[DESIGN_N_EMOTIONS] = {0, 1, 2, 0, 1};
    long t = i % 3;
    long k = i / 3;
    long u = k % 3;
    long v = k / 3 % 3;
    return (struct design_pair){
        .emotion = e,
        .rate = (int)((t + a[e] * u + b[e] * v) % DESIGN_N_RATES),
        .snr = (int)((2 * t + u + e) % DESIGN_N_SNRS),
        .voices = {(int)((k + e) % DESIGN_N_VOICES), (int)((k + k / 4 + e) % DESIGN_N_VOICES)},
    };
}

static struct design_pair running_pairs(long p)
{
    int e = (int)(p % DESIGN_N_EMOTIONS);
    long q = p / DESIGN_N_EMOTIONS;
    return (struct design_pair){
        .emotion = e,
        .rate = (int)((q + e) % DESIGN_N_RATES),
        .snr = (int)((q / 3 + 2 * (q % 3) + e) % DESIGN_N_SNRS),
        .voices = {(int)((q + e) % DESIGN_N_VOICES),
                   (int)((q + q / 12 + 2L * e) % DESIGN_N_VOICES)},
    };
}

struct design_pair design_pair(long i, int n_pairs, int pair)
{
    return n_pairs == DESIGN_N_EMOTIONS ? five_pairs(i, pair) : running_pairs(i * n_pairs + pair);
}

int design_take(long j, int n_pairs, int pair, int n_takes)
{
    /* Five pairs step by one an item, or five takes would each stay with one emotion. */
    long step = n_pairs == DESIGN_N_EMOTIONS ? 1 : n_pairs;
    return (int)((j * step + pair) % n_takes);
}
