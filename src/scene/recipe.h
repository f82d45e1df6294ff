/*
 * recipe.h - a scene's parts as scene.c reads them and scene_render.c plays them.
 */
#ifndef AOR_SCENE_RECIPE_H
#define AOR_SCENE_RECIPE_H

#include <stddef.h>

#include "scene/beds.h"

/* Clips of which one is drawn: for an event each time, for a layer once. */
struct clip_choice {
    size_t *clips; /* [n], indices into the bank's clips; owned */
    size_t n;
};

enum layer_kind { LAYER_NOISE, LAYER_HUM, LAYER_CRACKLE, LAYER_CLIP };

struct layer {
    enum layer_kind kind;
    union {
        struct noise_spec noise;
        struct hum_spec hum;
        struct crackle_spec crackle;
    } spec;
    struct clip_choice clips; /* LAYER_CLIP */
    double gain_db;
};

enum event_kind { EVENT_CLIP, EVENT_CLICK, EVENT_TONE };

struct event {
    enum event_kind kind;
    union {
        struct click_spec click;
        struct tone_spec tone;
    } spec;
    struct clip_choice clips; /* EVENT_CLIP */
    double max_s;             /* EVENT_CLIP: cut here; 0: whole */
    double every_s[2];
    double gain_db[2];
};

struct scene {
    char *id;
    char *category;
    char *words;
    char **names; /* [n_names], each owned; no part of the sound, so of no take's key */
    size_t n_names;
    struct layer *layers;
    size_t n_layers;
    struct event *events;
    size_t n_events;
};

#endif
