#include "bench/design.h"

struct design_pair design_pair(long i, int n_pairs, int pair)
{
    static const int a[DESIGN_N_EMOTIONS] = {0, 0, 0, 1, 1};
    static const int b[DESIGN_N_EMOTIONS] = {0, 1, 2, 0, 1};
    int e = (int)((i * n_pairs + pair) % DESIGN_N_EMOTIONS);
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
