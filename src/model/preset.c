#include "model/preset.h"

#include <stdlib.h>
#include <string.h>

#include "base/download.h"
#include "base/json.h"
#include "base/text.h"
#include "base/yaml.h"

#define MAX_LINE 500 /* bytes of a text of one line */
#define MAX_NOTES 4000
#define MAX_PRICE 1e6
#define LETTERS "abcdefghijklmnopqrstuvwxyz"
#define CAPITALS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

const char *const preset_protocol_names[] = {
    [PRESET_OPENAI] = "openai", [PRESET_GEMINI] = "gemini", NULL};
const char *const preset_audio_names[] = {[PRESET_INPUT_AUDIO] = "input_audio",
                                          [PRESET_AUDIO_URL] = "audio_url",
                                          [PRESET_INPUT_AUDIO_URI] = "input_audio_uri",
                                          NULL};
const char *const preset_format_names[] = {[PRESET_WAV] = "wav", [PRESET_MP3] = "mp3", NULL};
static const char *const max_tokens_keys[] = {"max_tokens", "max_completion_tokens", NULL};

struct preset_api preset_default_api(void)
{
    return (struct preset_api){.protocol = PRESET_OPENAI,
                               .audio = PRESET_INPUT_AUDIO,
                               .format = PRESET_WAV,
                               .takes_temperature = true,
                               .max_tokens_key = max_tokens_keys[0],
                               .has_system = true,
                               .body = xstrdup("{}")};
}

/* True where s is 1 to max_len of these characters. */
static bool consists_of(const char *s, const char *characters, size_t max_len)
{
    size_t n = strspn(s, characters);
    return n > 0 && n <= max_len && s[n] == '\0';
}

static bool is_printable(const char *s, bool has_lines)
{
    for (size_t left = strlen(s); left > 0;) {
        uint32_t cp;
        size_t n = text_utf8_decode(s, left, &cp);
        if (n == 0 || (text_is_unprintable(cp) && !(has_lines && cp == '\n'))) {
            return false;
        }
        s += n;
        left -= n;
    }
    return true;
}

/* A line of text; where it may be left out, *ret stays as it is then. */
static int read_line(struct yaml_node at, const char *key, bool is_optional, char **ret,
                     struct err *err)
{
    char *text;
    struct yaml_node value = yaml_find(at, key);
    if (!value.node && is_optional) {
        return 0;
    }
    if (yaml_get_str(at, key, &text, err) != 0) {
        return -1;
    }
    free(*ret);
    *ret = text;
    size_t n = strlen(text);
    return n > 0 && n <= MAX_LINE && is_printable(text, false)
               ? 0
               : yaml_fail(value, err, "\"%s\" wants one line of 1 to %d bytes", key, MAX_LINE);
}

static int read_notes(struct yaml_node root, char **ret, struct err *err)
{
    struct yaml_node at = yaml_find(root, "notes");
    if (!at.node) {
        *ret = xstrdup("");
        return 0;
    }
    if (yaml_str(at, ret, err) != 0) {
        return -1;
    }
    for (size_t n = strlen(*ret); n > 0 && (*ret)[n - 1] == '\n'; n--) {
        (*ret)[n - 1] = '\0';
    }
    return strlen(*ret) <= MAX_NOTES && is_printable(*ret, true)
               ? 0
               : yaml_fail(at, err, "\"notes\" wants at most %d bytes of text", MAX_NOTES);
}

/* "owner/name", as a hub names what it holds. */
static int read_repository(struct yaml_node at, const char *key, bool is_optional, char **ret,
                           struct err *err)
{
    if (read_line(at, key, is_optional, ret, err) != 0) {
        return -1;
    }
    const char *slash = *ret ? strchr(*ret, '/') : NULL;
    if (*ret &&
        !(slash && slash > *ret && slash[1] != '\0' && !strchr(slash + 1, '/') &&
          fs_is_inside(*ret) && consists_of(*ret, LETTERS CAPITALS DIGITS "._-/", MAX_LINE))) {
        return yaml_fail(yaml_find(at, key), err, "\"%s\" wants owner/name", key);
    }
    return 0;
}

static bool is_date(const char *s)
{
    if (strlen(s) != 10 || strspn(s, DIGITS) != 4 || s[4] != '-' || strspn(s + 5, DIGITS) != 2 ||
        s[7] != '-' || strspn(s + 8, DIGITS) != 2) {
        return false;
    }
    int month = 10 * (s[5] - '0') + s[6] - '0', day = 10 * (s[8] - '0') + s[9] - '0';
    return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

static int read_date(struct yaml_node at, const char *key, const char *or_word, char **ret,
                     struct err *err)
{
    if (read_line(at, key, false, ret, err) != 0) {
        return -1;
    }
    return is_date(*ret) || (or_word && strcmp(*ret, or_word) == 0)
               ? 0
               : yaml_fail(yaml_find(at, key), err, "\"%s\" wants a date, YYYY-MM-DD%s%s", key,
                           or_word ? ", or " : "", or_word ? or_word : "");
}

/* A path that can stand in a URL as it is. */
static int read_gguf_path(struct yaml_node at, const char *key, char **ret, struct err *err)
{
    if (read_line(at, key, false, ret, err) != 0) {
        return -1;
    }
    size_t n = strlen(*ret);
    return fs_is_inside(*ret) && consists_of(*ret, LETTERS CAPITALS DIGITS "._-+/", MAX_LINE) &&
                   n > 5 && strcmp(*ret + n - 5, ".gguf") == 0 && fs_basename(*ret)[0] != '.'
               ? 0
               : yaml_fail(yaml_find(at, key), err,
                           "\"%s\" wants the path of a .gguf file in the repository", key);
}

static int read_gguf(struct yaml_node root, struct preset *p, struct err *err)
{
    static const char *const keys[] = {"repository", "revision", "text", "mmproj", NULL};
    struct yaml_node at = yaml_find(root, "gguf");
    struct preset_gguf *g = &p->gguf;
    if (!at.node) {
        return 0;
    }
    p->has_gguf = true;
    g->revision = xstrdup("main");
    if (yaml_check_keys(at, keys, err) != 0 ||
        read_repository(at, "repository", false, &g->repository, err) != 0 ||
        read_line(at, "revision", true, &g->revision, err) != 0 ||
        read_gguf_path(at, "text", &g->text, err) != 0 ||
        read_gguf_path(at, "mmproj", &g->mmproj, err) != 0) {
        return -1;
    }
    if (!fs_is_inside(g->revision) ||
        !consists_of(g->revision, LETTERS CAPITALS DIGITS "._-", MAX_LINE)) {
        return yaml_fail(yaml_find(at, "revision"), err,
                         "\"revision\" wants the name of a branch, a tag or a commit");
    }
    if (strcmp(fs_basename(g->text), fs_basename(g->mmproj)) == 0) {
        return yaml_fail(yaml_find(at, "mmproj"), err, "both files have the same name");
    }
    return 0;
}

/* A user or a query in a URL would be a secret in a file. */
static int read_url(struct yaml_node at, char **ret, struct err *err)
{
    if (read_line(at, "url", false, ret, err) != 0) {
        return -1;
    }
    if (!download_is_base_url(*ret)) {
        return yaml_fail(yaml_find(at, "url"), err,
                         "\"url\" wants http:// or https:// and a server, without user, query, "
                         "fragment and blanks");
    }
    for (size_t n = strlen(*ret); (*ret)[n - 1] == '/'; n--) {
        (*ret)[n - 1] = '\0';
    }
    return 0;
}

/* Without "needs_key" a key that is named is needed. */
static int read_key(struct yaml_node at, struct preset_api *a, struct err *err)
{
    struct yaml_node needs = yaml_find(at, "needs_key");
    if (read_line(at, "key", true, &a->key_variable, err) != 0) {
        return -1;
    }
    const char *name = a->key_variable;
    if (name &&
        (strchr(DIGITS, *name) || !consists_of(name, CAPITALS DIGITS "_", PRESET_MAX_NAME))) {
        return yaml_fail(yaml_find(at, "key"), err,
                         "\"key\" wants the name of an environment variable, such as "
                         "OPENAI_API_KEY (never the key)");
    }
    a->needs_key = name != NULL;
    if (needs.node && yaml_get_bool(at, "needs_key", &a->needs_key, err) != 0) {
        return -1;
    }
    return a->needs_key && !name ? yaml_fail(needs, err, "\"needs_key\" wants \"key\"") : 0;
}

/* What aor itself puts into a request. */
static int check_body(struct yaml_node at, const json_t *body, struct err *err)
{
    static const char *const ours[] = {
        "model",      "messages",          "contents",           "stream", "temperature", "seed",
        "max_tokens", "systemInstruction", "system_instruction", NULL};
    if (!json_is_object(body)) {
        return yaml_fail(at, err, "\"body\" wants a JSON object");
    }
    for (int i = 0; ours[i]; i++) {
        if (json_object_get(body, ours[i])) {
            return yaml_fail(at, err, "\"body\" must not set \"%s\": aor does", ours[i]);
        }
    }
    return json_object_get(body, max_tokens_keys[1])
               ? yaml_fail(at, err, "\"body\" must not set \"%s\": aor does", max_tokens_keys[1])
               : 0;
}

static int read_body(struct yaml_node at, char **ret, struct err *err)
{
    struct yaml_node value = yaml_find(at, "body");
    char *text = NULL;
    json_t *body = NULL;
    int ok = -1;
    if (!value.node) {
        return 0;
    }
    if (yaml_str(value, &text, err) != 0) {
        return -1;
    }
    size_t n = strlen(text);
    char *place = yaml_place(value);
    if (n > PRESET_MAX_BODY) {
        yaml_fail(value, err, "\"body\" wants at most %zu bytes", PRESET_MAX_BODY);
    } else if (json_parse(text, n, "JSON", &body, err) != 0) {
        ok = err_wrap(err, "%s: \"body\"", place);
    } else {
        ok = check_body(value, body, err);
    }
    if (ok == 0) {
        free(*ret);
        *ret = json_dumps(body, JSON_COMPACT);
    }
    json_decref(body);
    free(place);
    free(text);
    return ok;
}

static int read_dollars(struct yaml_node at, const char *key, double *ret, struct err *err)
{
    return yaml_find(at, key).node ? yaml_get_num(at, key, 0, MAX_PRICE, ret, err) : 0;
}

static int read_price(struct yaml_node api, struct preset_price *p, struct err *err)
{
    static const char *const keys[] = {"input", "audio", "output", "as_of", NULL};
    struct yaml_node at = yaml_find(api, "price");
    if (!at.node) {
        return 0;
    }
    if (yaml_check_keys(at, keys, err) != 0 || read_dollars(at, "input", &p->input, err) != 0) {
        return -1;
    }
    p->audio = p->input; /* unless it says otherwise */
    return read_dollars(at, "audio", &p->audio, err) == 0 &&
                   read_dollars(at, "output", &p->output, err) == 0 &&
                   read_date(at, "as_of", NULL, &p->as_of, err) == 0
               ? 0
               : -1;
}

static int read_enum(struct yaml_node at, const char *key, const char *const *names, int *ret,
                     struct err *err)
{
    return yaml_find(at, key).node ? yaml_get_enum(at, key, names, ret, err) : 0;
}

static int read_bool(struct yaml_node at, const char *key, bool *ret, struct err *err)
{
    return yaml_find(at, key).node ? yaml_get_bool(at, key, ret, err) : 0;
}

/* A Gemini request has one form: what is for others would say nothing. */
static int check_gemini(struct yaml_node at, struct err *err)
{
    static const char *const keys[] = {"audio", "stream", "max_tokens", NULL};
    for (int i = 0; keys[i]; i++) {
        struct yaml_node value = yaml_find(at, keys[i]);
        if (value.node) {
            return yaml_fail(value, err, "\"%s\" is not for the protocol gemini", keys[i]);
        }
    }
    return 0;
}

static int read_api(struct yaml_node root, struct preset *p, struct err *err)
{
    static const char *const keys[] = {"protocol", "url",    "model",  "key",         "needs_key",
                                       "audio",    "format", "stream", "temperature", "max_tokens",
                                       "system",   "body",   "price",  NULL};
    struct yaml_node at = yaml_find(root, "api");
    struct preset_api *a = &p->api;
    if (!at.node) {
        return 0;
    }
    p->has_api = true;
    *a = preset_default_api();
    int protocol = PRESET_OPENAI, audio = PRESET_INPUT_AUDIO, format = PRESET_WAV, max_tokens = 0;
    if (yaml_check_keys(at, keys, err) != 0 ||
        read_enum(at, "protocol", preset_protocol_names, &protocol, err) != 0 ||
        read_url(at, &a->url, err) != 0 || read_line(at, "model", false, &a->model, err) != 0 ||
        read_key(at, a, err) != 0 || read_enum(at, "audio", preset_audio_names, &audio, err) != 0 ||
        read_enum(at, "format", preset_format_names, &format, err) != 0 ||
        read_bool(at, "stream", &a->is_streamed, err) != 0 ||
        read_bool(at, "temperature", &a->takes_temperature, err) != 0 ||
        read_enum(at, "max_tokens", max_tokens_keys, &max_tokens, err) != 0 ||
        read_bool(at, "system", &a->has_system, err) != 0 || read_body(at, &a->body, err) != 0 ||
        read_price(at, &a->price, err) != 0 ||
        (protocol == PRESET_GEMINI && check_gemini(at, err) != 0)) {
        return -1;
    }
    /* It becomes a part of the URL. */
    if (protocol == PRESET_GEMINI &&
        !consists_of(a->model, LETTERS CAPITALS DIGITS "._-", MAX_LINE)) {
        return yaml_fail(yaml_find(at, "model"), err,
                         "\"model\" wants letters, digits, dots and hyphens for gemini");
    }
    a->protocol = (enum preset_protocol)protocol;
    a->audio = (enum preset_audio)audio;
    a->format = (enum preset_format)format;
    a->max_tokens_key = max_tokens_keys[max_tokens];
    return 0;
}

static int check_whole(struct yaml_node root, const struct preset *p, struct err *err)
{
    struct yaml_node at = yaml_find(root, "llama_cpp");
    bool is_loaded = strcmp(p->llama_cpp, "yes") == 0 || strncmp(p->llama_cpp, "yes: ", 5) == 0;
    if (!is_loaded && strncmp(p->llama_cpp, "no: ", 4) != 0) {
        return yaml_fail(at, err, "\"llama_cpp\" wants \"yes\", \"yes: ...\" or \"no: ...\"");
    }
    if (p->has_gguf && !is_loaded) {
        return yaml_fail(at, err, "there is \"gguf\", which llama.cpp must load");
    }
    if (!p->has_gguf && !p->has_api) {
        return yaml_fail(root, err, "\"gguf\" or \"api\" is wanted: how it is asked");
    }
    return p->serve && !p->has_api
               ? yaml_fail(yaml_find(root, "serve"), err, "\"serve\" wants \"api\"")
               : 0;
}

/* What was read stands in *p also where reading fails. */
static int read_preset(struct yaml_node root, struct preset *p, struct err *err)
{
    static const char *const keys[] = {"title",     "family",  "developer", "parameters", "licence",
                                       "reference", "weights", "tested",    "llama_cpp",  "serve",
                                       "notes",     "gguf",    "api",       NULL};
    if (yaml_check_keys(root, keys, err) != 0 ||
        read_line(root, "title", false, &p->title, err) != 0 ||
        read_line(root, "family", false, &p->family, err) != 0 ||
        read_line(root, "developer", false, &p->developer, err) != 0 ||
        read_line(root, "parameters", false, &p->parameters, err) != 0 ||
        read_line(root, "licence", false, &p->licence, err) != 0 ||
        read_line(root, "reference", false, &p->reference, err) != 0 ||
        read_repository(root, "weights", true, &p->weights, err) != 0 ||
        read_date(root, "tested", "never", &p->tested, err) != 0 ||
        read_line(root, "llama_cpp", false, &p->llama_cpp, err) != 0 ||
        read_line(root, "serve", true, &p->serve, err) != 0 ||
        read_notes(root, &p->notes, err) != 0 || read_gguf(root, p, err) != 0 ||
        read_api(root, p, err) != 0) {
        return -1;
    }
    return check_whole(root, p, err);
}

static int take_name(const char *path, char **ret, struct err *err)
{
    const char *base = fs_basename(path);
    size_t n = strlen(base);
    n -= n >= 5 && strcmp(base + n - 5, ".yaml") == 0 ? 5 : 0;
    char *name = xasprintf("%.*s", (int)n, base);
    if (!consists_of(name, LETTERS DIGITS ".-", PRESET_MAX_NAME) || name[0] == '.' ||
        name[0] == '-') {
        free(name);
        return err_set(err, ERR_FORMAT,
                       "%s: a model's file is named by 1 to %d lower-case letters, digits, dots "
                       "and hyphens, then .yaml",
                       path, PRESET_MAX_NAME);
    }
    *ret = name;
    return 0;
}

int preset_parse(const char *yaml, size_t n, const char *name, struct preset *ret, struct err *err)
{
    struct yaml_doc doc = {0};
    struct preset p = {0};
    int ok = -1;
    if (n > 0 && memchr(yaml, '\0', n)) {
        return err_set(err, ERR_FORMAT, "%s: is no text: it has a byte 0", name);
    }
    if (take_name(name, &p.name, err) == 0 && yaml_parse(yaml, n, name, &doc, err) == 0 &&
        read_preset(yaml_root(&doc), &p, err) == 0) {
        *ret = p;
        p = (struct preset){0};
        ok = 0;
    }
    preset_release(&p);
    yaml_release(&doc);
    return ok;
}

int preset_load(const char *path, struct preset *ret, struct err *err)
{
    struct buf text = {0};
    if (fs_read(path, PRESET_MAX_FILE, &text, err) != 0) {
        return -1;
    }
    int ok = preset_parse(text.data, text.len, path, ret, err);
    buf_release(&text);
    return ok;
}

static void release_api(struct preset_api *a)
{
    free(a->url);
    free(a->model);
    free(a->key_variable);
    free(a->body);
    free(a->price.as_of);
}

void preset_release(struct preset *p)
{
    char *texts[] = {p->name,       p->title,       p->family,          p->developer,
                     p->parameters, p->licence,     p->reference,       p->weights,
                     p->tested,     p->llama_cpp,   p->serve,           p->notes,
                     p->gguf.text,  p->gguf.mmproj, p->gguf.repository, p->gguf.revision};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        free(texts[i]);
    }
    release_api(&p->api);
    *p = (struct preset){0};
}
