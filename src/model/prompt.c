#include "model/prompt.h"

#include <stdlib.h>
#include <string.h>

#include "base/yaml.h"

#define TEXT_PLACE "{text}"
#define SCENE_PLACE "{scene}"
#define EMPHASIS "*_"

/* A prompt's name becomes a key of the run. */
static int check_name(struct yaml_node root, const char *name, struct err *err)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
    if (n == 0 || n > PROMPT_MAX_NAME || name[n] != '\0') {
        return yaml_fail(yaml_find(root, "name"), err,
                         "a prompt's name has 1 to %d lower-case letters, digits and hyphens",
                         PROMPT_MAX_NAME);
    }
    return 0;
}

static size_t count(const char *s, const char *what)
{
    size_t n = 0;
    for (const char *at = s; (at = strstr(at, what)); at += strlen(what)) {
        n++;
    }
    return n;
}

/* Text, which may be left out: *ret is NULL then. */
static int get_optional_str(struct yaml_node root, const char *key, char **ret, struct err *err)
{
    return yaml_find(root, key).node ? yaml_get_str(root, key, ret, err) : 0;
}

static int read_template(struct yaml_node root, const char *key, bool with_scene,
                         enum prompt_probe probe, char **ret, struct err *err)
{
    if (get_optional_str(root, key, ret, err) != 0) {
        return -1;
    }
    struct yaml_node at = yaml_find(root, key);
    if (*ret && probe != PROMPT_ANSWER) {
        return yaml_fail(at, err, "\"%s\" is not for a probe: it asks what is heard", key);
    }
    if (*ret && (count(*ret, TEXT_PLACE) != 1 || count(*ret, SCENE_PLACE) != with_scene)) {
        return yaml_fail(at, err, "\"%s\" wants {text} once and {scene} %s", key,
                         with_scene ? "once" : "not at all");
    }
    return 0;
}

const char *const prompt_probe_names[] = {
    [PROMPT_ANSWER] = "", [PROMPT_TRANSCRIBE] = "transcribe", [PROMPT_SCENE] = "scene", NULL};

static int read_probe(struct yaml_node root, enum prompt_probe *ret, struct err *err)
{
    int probe;
    if (!yaml_find(root, "probe").node) {
        *ret = PROMPT_ANSWER;
        return 0;
    }
    if (yaml_get_enum(root, "probe", prompt_probe_names + PROMPT_TRANSCRIBE, &probe, err) != 0) {
        return -1;
    }
    *ret = (enum prompt_probe)(PROMPT_TRANSCRIBE + probe);
    return 0;
}

static int read_answer_after(struct yaml_node root, char **ret, struct err *err)
{
    if (get_optional_str(root, "answer_after", ret, err) != 0) {
        return -1;
    }
    size_t n = *ret ? strlen(*ret) : 1;
    return n >= 1 && n <= PROMPT_MAX_MARKER
               ? 0
               : yaml_fail(yaml_find(root, "answer_after"), err,
                           "\"answer_after\" has 1 to %d bytes, or is left out", PROMPT_MAX_MARKER);
}

/* What was read stands in *p also where reading fails. */
static int read_prompt(struct yaml_node root, struct prompt *p, struct err *err)
{
    static const char *const keys[] = {"name",       "probe",   "system",     "instruction",
                                       "audio",      "text",    "text_scene", "answer_after",
                                       "max_tokens", "steered", NULL};
    static const char *const places[] = {"first", "last", NULL};
    int place;
    long max_tokens;
    if (yaml_check_keys(root, keys, err) != 0 || yaml_get_str(root, "name", &p->name, err) != 0 ||
        check_name(root, p->name, err) != 0 || read_probe(root, &p->probe, err) != 0 ||
        yaml_get_str(root, "system", &p->system, err) != 0 ||
        yaml_get_str(root, "instruction", &p->instruction, err) != 0 ||
        yaml_get_enum(root, "audio", places, &place, err) != 0 ||
        read_template(root, "text", false, p->probe, &p->text, err) != 0 ||
        read_template(root, "text_scene", true, p->probe, &p->text_scene, err) != 0 ||
        read_answer_after(root, &p->answer_after, err) != 0 ||
        (yaml_find(root, "steered").node &&
         yaml_get_bool(root, "steered", &p->is_steered, err) != 0) ||
        yaml_get_int(root, "max_tokens", 1, 100000, &max_tokens, err) != 0) {
        return -1;
    }
    p->audio_last = place == 1;
    p->max_tokens = (int)max_tokens;
    return 0;
}

int prompt_parse(const char *yaml, size_t n, const char *name, struct prompt *ret, struct err *err)
{
    struct yaml_doc doc = {0};
    struct prompt p = {0};
    int ok = -1;
    if (n > 0 && memchr(yaml, '\0', n)) {
        return err_set(err, ERR_FORMAT, "%s: is no text: it has a byte 0", name);
    }
    if (yaml_parse(yaml, n, name, &doc, err) == 0 && read_prompt(yaml_root(&doc), &p, err) == 0) {
        struct buf text = {0};
        buf_add(&text, yaml, n);
        p.yaml = buf_detach(&text);
        sha256_hex(yaml, n, p.sha256);
        *ret = p;
        p = (struct prompt){0};
        ok = 0;
    }
    prompt_release(&p);
    yaml_release(&doc);
    return ok;
}

int prompt_load(const char *path, struct prompt *ret, struct err *err)
{
    struct buf text = {0};
    if (fs_read(path, PROMPT_MAX_FILE, &text, err) != 0) {
        return -1;
    }
    int ok = prompt_parse(text.data, text.len, path, ret, err);
    buf_release(&text);
    return ok;
}

void prompt_release(struct prompt *p)
{
    free(p->name);
    free(p->system);
    free(p->instruction);
    free(p->text);
    free(p->text_scene);
    free(p->answer_after);
    free(p->yaml);
    *p = (struct prompt){0};
}

char *prompt_fill(const struct prompt *p, bool with_scene, const char *text, const char *scene,
                  struct err *err)
{
    const char *at = with_scene ? p->text_scene : p->text;
    if (!at) {
        err_set(err, ERR_USAGE, "prompt %s has no \"%s\": it cannot be asked in words", p->name,
                with_scene ? "text_scene" : "text");
        return NULL;
    }
    struct buf out = {0};
    while (*at) {
        if (strncmp(at, TEXT_PLACE, strlen(TEXT_PLACE)) == 0) {
            buf_adds(&out, text);
            at += strlen(TEXT_PLACE);
        } else if (with_scene && strncmp(at, SCENE_PLACE, strlen(SCENE_PLACE)) == 0) {
            buf_adds(&out, scene);
            at += strlen(SCENE_PLACE);
        } else {
            buf_add(&out, at++, 1);
        }
    }
    return buf_detach(&out);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_in_word(char c)
{
    return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9');
}

static bool is_emphasis(char c)
{
    return c != '\0' && strchr(EMPHASIS, c);
}

/* The bytes of s that are the marker, emphasis in it included; 0: it is not there. */
static size_t match_marker(const char *s, const char *marker)
{
    const char *at = s;
    for (const char *m = marker; *m; m++) {
        if (m > marker && !is_emphasis(*m)) {
            at += strspn(at, EMPHASIS);
        }
        if (lower(*at) != lower(*m)) {
            return 0;
        }
        at++;
    }
    return is_in_word(at[-1]) && is_in_word(*at) ? 0 : (size_t)(at - s);
}

size_t prompt_answer_start(const struct prompt *p, const char *response, bool is_truncated)
{
    if (!p->answer_after) {
        return 0;
    }
    bool begins_a_word = is_in_word(p->answer_after[0]);
    char before = ' ';
    for (const char *at = response; *at; before = *at++) {
        size_t n = begins_a_word && is_in_word(before) ? 0 : match_marker(at, p->answer_after);
        if (n > 0) {
            at += n;
            at += is_emphasis(before) ? strspn(at, EMPHASIS) : 0;
            return (size_t)(at - response) + strspn(at, " \t\r\n");
        }
    }
    return is_truncated ? strlen(response) : 0;
}
