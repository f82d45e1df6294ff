/* Tests of src/base. Expected numbers: FIPS 180-4 examples, the authors' xoshiro256** code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/names.h"
#include "base/opt.h"
#include "base/pool.h"
#include "base/rng.h"
#include "base/text.h"
#include "base/yaml.h"

static char dir[] = "/tmp/aor-test-XXXXXX";

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    char *command = xasprintf("rm -rf %s", dir);
    int status = system(command);
    free(command);
    return status;
}

static void test_sha256(void **state)
{
    (void)state;
    char hex[SHA256_HEX_SIZE];
    sha256_hex("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_hex("", 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* RFC 4648, section 10, and all values of a byte. */
static void test_base64(void **state)
{
    (void)state;
    static const char *const vectors[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        char *text = base64_encode(vectors[i][0], strlen(vectors[i][0]));
        assert_string_equal(text, vectors[i][1]);
        free(text);
    }
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (unsigned v = 0; v < 1U << 12; v++) {
        uint8_t bytes[3] = {(uint8_t)(v >> 4), (uint8_t)(v << 4), 0xff};
        char *text = base64_encode(bytes, 3);
        assert_int_equal(strlen(text), 4);
        assert_int_equal(text[0], digits[v >> 6]);
        assert_int_equal(text[1], digits[v & 63]);
        assert_int_equal(text[2], digits[3]);
        assert_int_equal(text[3], digits[63]);
        free(text);
    }
}

static void test_rng(void **state)
{
    (void)state;
    /* xoshiro256** of state {1, 2, 3, 4}, by its authors' code. */
    struct rng r = {{1, 2, 3, 4}};
    assert_true(rng_next(&r) == 11520);
    assert_true(rng_next(&r) == 0);
    assert_true(rng_next(&r) == 1509978240);
    assert_true(rng_next(&r) == 1215971899390074240);
    struct rng a = rng_init(1, "x"), b = rng_init(1, "y"), c = rng_init(1, "x");
    uint64_t first = rng_next(&a);
    assert_true(first != rng_next(&b));
    assert_true(first == rng_next(&c));
    for (int i = 0; i < 10000; i++) {
        double u = rng_uniform(&a);
        assert_true(u >= 0 && u < 1);
        assert_true(rng_below(&a, 7) < 7);
    }
}

static void test_text(void **state)
{
    (void)state;
    char hostile[] = "a\x1b[31mb\xC2\x9B"
                     "c\xE2\x80\xAE"
                     "d\xFF\n";
    text_make_printable(hostile);
    assert_string_equal(hostile, "a?[31mb?c?d??");
    char fine[] = "Gr\xC3\xBC\xC3\x9F\x65 \xF0\x9F\x8E\xB5";
    text_make_printable(fine);
    assert_string_equal(fine, "Gr\xC3\xBC\xC3\x9F\x65 \xF0\x9F\x8E\xB5");
    assert_true(text_is_id("a-1", 3) && !text_is_id("a-12", 3) && !text_is_id("", 3));
    assert_true(!text_is_id("-a", 3) && !text_is_id("A", 3) && !text_is_id("a/b", 3));
    char *id = text_to_id("_Motor_vehicle_(road) 2\xC3\xBC");
    assert_string_equal(id, "motor-vehicle-road-2");
    free(id);
    id = text_to_id("-- \xE2\x82\xAC");
    assert_string_equal(id, "");
    free(id);
    char *s = text_to_utf8("a\0b\xC0\xAF\xED\xA0\x80", 8);
    assert_string_equal(s, "a\xEF\xBF\xBD"
                           "b\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
    free(s);
    uint32_t cp;
    assert_int_equal(text_utf8_decode("\xF4\x90\x80\x80", 4, &cp), 0); /* above U+10FFFF */
    assert_int_equal(text_utf8_decode("\xE2\x82", 2, &cp), 0);         /* cut off */
    assert_int_equal(text_utf8_decode("\xE2\x82\xAC", 3, &cp), 3);
    assert_int_equal(cp, 0x20AC);
}

static void test_err(void **state)
{
    (void)state;
    struct err err = {0};
    assert_int_equal(err_set(&err, ERR_FORMAT, "bad\nline %d", 3), -1);
    err_wrap(&err, "file %s", "x");
    assert_string_equal(err.msg, "file x: bad?line 3");
    assert_int_equal(err_set(NULL, ERR_IO, "dropped"), -1);
}

static void test_fs(void **state)
{
    (void)state;
    struct err err = {0};
    char *path = fs_join(dir, "a/b");
    assert_int_equal(fs_mkdirs(path, &err), 0);
    assert_int_equal(fs_mkdirs(path, &err), 0);
    char *file = fs_join(path, "f.yaml");
    assert_int_equal(fs_write(file, "hello", 5, &err), 0);
    assert_int_equal(fs_mkdirs(file, &err), -1);
    struct buf b = {0};
    assert_int_equal(fs_read(file, 5, &b, &err), 0);
    assert_string_equal(b.data, "hello");
    buf_release(&b);
    assert_int_equal(fs_read(file, 4, &b, &err), -1);
    assert_non_null(strstr(err.msg, "larger than 4 bytes"));
    char **paths;
    size_t n;
    assert_int_equal(fs_list(path, "", ".yaml", &paths, &n, &err), 0);
    assert_int_equal(n, 1);
    assert_string_equal(paths[0], file);
    fs_free_paths(paths, n);
    free(file);
    file = fs_join(path, "c/d/f");
    assert_int_equal(fs_mkdirs_for(file, &err), 0);
    assert_int_equal(fs_write(file, "", 0, &err), 0);
    assert_int_equal(fs_mkdirs_for("f", &err), 0);
    assert_int_equal(fs_mkdirs_for("/f", &err), 0);
    free(file);
    free(path);
    assert_true(fs_is_inside("a/b..c/...") && fs_is_inside(".") && !fs_is_inside(""));
    assert_true(!fs_is_inside("/a") && !fs_is_inside("a/..") && !fs_is_inside("../a"));
}

static void test_names(void **state)
{
    (void)state;
    struct name_set set = {0};
    char name[16];
    size_t number = 0;
    for (size_t i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "%zu", i);
        assert_true(name_set_add(&set, name, i, NULL));
    }
    assert_false(name_set_add(&set, "777", 1, &number));
    assert_int_equal(number, 777);
    name_set_release(&set);
    assert_true(name_set_add(&set, "777", 1, &number));
    name_set_release(&set);
}

static void test_lock(void **state)
{
    (void)state;
    struct err err = {0};
    struct fs_lock lock = {0};
    char *path = fs_join(dir, "lock");
    assert_int_equal(fs_lock(path, false, "busy", &lock, &err), 0);
    /* The lock is the process's: a child is another one. */
    pid_t pid = fork();
    if (pid == 0) {
        struct fs_lock mine = {0};
        _exit(fs_lock(path, false, "busy", &mine, &err) == -1 && strcmp(err.msg, "busy") == 0 ? 0
                                                                                              : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    fs_unlock(&lock);
    assert_false(fs_exists(path));
    assert_int_equal(fs_lock(path, false, "busy", &lock, &err), 0);
    fs_unlock(&lock);
    free(path);
}

static int parse_yaml(const char *text, struct yaml_doc *doc, struct err *err)
{
    return yaml_parse(text, strlen(text), "t.yaml", doc, err);
}

static void test_yaml_errors(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"a: [1, 2\n", "t.yaml:2:1: flow sequence without a closing bracket"},
        {"a: 1\na: 2\n", "t.yaml:2:1: duplicate key"},
        {"a: &x 1\nb: *x\n", "t.yaml:2:5: aliases are not read here"},
        {"", "t.yaml:1:1: no YAML document"},
        {"? a\n:\tb\n",
         "t.yaml:2:2: a tab after \":\": blanks are wanted"}, /* libfyaml would crash */
        {"# one\n---\na: 1\n--- # two\nb: 2\n", "t.yaml:4:1: a second document is not read here"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct yaml_doc doc = {0};
        struct err err = {0};
        assert_int_equal(parse_yaml(cases[i][0], &doc, &err), -1);
        assert_string_equal(err.msg, cases[i][1]);
    }
}

static void test_yaml_quoted(void **state)
{
    (void)state;
    static const char text[] =
        "a \"b\" \\ \x01\n\t\x7F\xC2\x85 \xE2\x80\xAE \xEF\xBB\xBF Gr\xC3\xBC\xC3\x9F";
    struct yaml_doc doc = {0};
    struct err err = {0};
    struct buf b = {0};
    char *value = NULL;
    buf_adds(&b, "s: ");
    yaml_add_quoted(&b, text);
    buf_adds(&b, "\n");
    assert_int_equal(parse_yaml(b.data, &doc, &err), 0);
    assert_int_equal(yaml_get_str(yaml_root(&doc), "s", &value, &err), 0);
    assert_string_equal(value, text);
    free(value);
    yaml_release(&doc);
    buf_release(&b);
}

static void test_yaml(void **state)
{
    (void)state;
    static const char *const keys[] = {"n", "s", "list", "flag", NULL};
    static const char *const words[] = {"one", "two", NULL};
    struct yaml_doc doc = {0};
    struct err err = {0};
    assert_int_equal(parse_yaml("n: 12\ns: \"two\"\nlist: [a, b]\nflag: true\n", &doc, &err), 0);
    struct yaml_node root = yaml_root(&doc);
    assert_int_equal(yaml_check_keys(root, keys, &err), 0);
    long n;
    assert_int_equal(yaml_get_int(root, "n", 0, 12, &n, &err), 0);
    assert_int_equal(n, 12);
    assert_int_equal(yaml_get_int(root, "n", 0, 11, &n, &err), -1);
    assert_string_equal(err.msg, "t.yaml:1:4: 12 is not within 0..11");
    int word;
    assert_int_equal(yaml_get_enum(root, "s", words, &word, &err), 0);
    assert_int_equal(word, 1);
    bool flag;
    assert_int_equal(yaml_get_bool(root, "flag", &flag, &err), 0);
    assert_true(flag);
    char **items;
    size_t n_items;
    assert_int_equal(yaml_get_strs(root, "list", &items, &n_items, &err), 0);
    assert_int_equal(n_items, 2);
    assert_string_equal(items[1], "b");
    yaml_free_strs(items, n_items);
    char *s;
    assert_int_equal(yaml_get_str(root, "none", &s, &err), -1);
    assert_string_equal(err.msg, "t.yaml:1:1: key \"none\" is missing");
    assert_int_equal(yaml_get_str(root, "list", &s, &err), -1);
    struct yaml_doc empty = {0};
    assert_int_equal(parse_yaml("a: 1\nbb: []\n", &empty, &err), 0);
    yaml_fail(yaml_find(yaml_root(&empty), "bb"), &err, "here");
    assert_string_equal(err.msg, "t.yaml:2:1: here");
    yaml_release(&empty);
    assert_int_equal(yaml_check_keys(root, keys + 1, &err), -1);
    assert_string_equal(err.msg, "t.yaml:1:1: unknown key \"n\"");
    yaml_release(&doc);
}

static void test_json(void **state)
{
    (void)state;
    struct err err = {0};
    json_t *v = NULL;
    assert_int_equal(json_parse("{\"a\":1,\"a\":2}", 13, "x", &v, &err), -1);
    assert_int_equal(json_parse("{\"a\":\"b\",\"n\":1.5}", 17, "x", &v, &err), 0);
    const char *s;
    double d;
    assert_int_equal(json_get_str(v, "a", &s, &err), 0);
    assert_string_equal(s, "b");
    assert_int_equal(json_get_num(v, "n", &d, &err), 0);
    assert_true(d == 1.5);
    assert_int_equal(json_get_num(v, "a", &d, &err), -1);
    assert_string_equal(err.msg, "\"a\": is no number");
    json_decref(v);
}

/* Split line in place at spaces into argv (with room for the NULL). Returns the number of words. */
static int split(char *line, char **argv)
{
    int n = 0;
    for (char *word = strtok(line, " "); word; word = strtok(NULL, " ")) {
        argv[n++] = word;
    }
    argv[n] = NULL;
    return n;
}

static void test_opt(void **state)
{
    (void)state;
    bool flag = false;
    const char *text = NULL;
    long number = 1;
    const struct opt opts[] = {
        {'f', "flag", OPT_FLAG, &flag, NULL, "", 0, 0},
        {0, "text", OPT_STR, &text, "T", "", 0, 0},
        {'n', "number", OPT_INT, &number, "N", "", 0, 9},
        {0},
    };
    const struct opt_command command = {"x", "", "", NULL, ""};
    struct err err = {0};
    int n;
    char *argv[16];
    char good[] = "x a -f --text=t b -n 9";
    assert_int_equal(opt_parse(&command, opts, split(good, argv), argv, &n, &err), 0);
    assert_true(flag && number == 9);
    assert_string_equal(text, "t");
    assert_int_equal(n, 2);
    assert_string_equal(argv[1], "a");
    assert_string_equal(argv[2], "b");
    char high[] = "x -n 10";
    assert_int_equal(opt_parse(&command, opts, split(high, argv), argv, &n, &err), -1);
    assert_string_equal(err.msg, "--number wants a whole number from 0 to 9, not \"10\"");
    char huge[] = "x -n 99999999999999999999";
    assert_int_equal(opt_parse(&command, opts, split(huge, argv), argv, &n, &err), -1);
}

static void square(size_t index, void *state, void *result)
{
    (void)state;
    *(size_t *)result = index * index;
}

static void die_at_three(size_t index, void *state, void *result)
{
    (void)state;
    (void)result;
    if (index == 3) {
        abort();
    }
}

static int sum_up(size_t index, const void *result, void *user, struct err *err)
{
    (void)err;
    assert_int_equal(*(const size_t *)result, index * index);
    *(size_t *)user += index;
    return 0;
}

static int ignore(size_t index, const void *result, void *user, struct err *err)
{
    (void)index;
    (void)result;
    (void)user;
    (void)err;
    return 0;
}

static void test_pool(void **state)
{
    (void)state;
    size_t sum = 0;
    struct err err = {0};
    struct pool p = {.n_workers = 3,
                     .n_tasks = 1000,
                     .result_size = sizeof(size_t),
                     .user = &sum,
                     .task = square,
                     .on_result = sum_up};
    assert_int_equal(pool_run(&p, &err), 0);
    assert_int_equal(sum, 999 * 1000 / 2);
    p.task = die_at_three;
    p.on_result = ignore;
    assert_int_equal(pool_run(&p, &err), -1);
    assert_non_null(strstr(err.msg, "a worker process died"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64),      cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_rng),         cmocka_unit_test(test_text),
        cmocka_unit_test(test_err),         cmocka_unit_test(test_fs),
        cmocka_unit_test(test_lock),        cmocka_unit_test(test_yaml),
        cmocka_unit_test(test_yaml_errors), cmocka_unit_test(test_json),
        cmocka_unit_test(test_opt),         cmocka_unit_test(test_pool),
        cmocka_unit_test(test_names),       cmocka_unit_test(test_yaml_quoted),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
