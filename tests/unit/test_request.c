/* Addresses, ranges, hosts and secrets as browsers, and others, send them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "web/request.h"

static void test_addresses(void **state)
{
    (void)state;
    struct request q;
    assert_int_equal(request_parse("GET", "/", &q), 200);
    assert_int_equal(q.kind, REQUEST_FILE);
    assert_string_equal(q.name, "report.html");
    assert_int_equal(request_parse("HEAD", "/data/trials-0-12.js", &q), 200);
    assert_int_equal(q.kind, REQUEST_PIECE);
    assert_string_equal(q.name, "trials-0-12");
    assert_int_equal(request_parse("GET", "/sounds/mismatched/work-001-f-angry-slow.flac", &q),
                     200);
    assert_int_equal(q.kind, REQUEST_SOUND);
    assert_int_equal(q.condition, CONDITION_MISMATCHED);
    assert_string_equal(q.name, "work-001-f-angry-slow");
    assert_int_equal(request_parse("GET", "/api/listen/sound/17.flac", &q), 200);
    assert_int_equal(q.kind, REQUEST_LISTEN_SOUND);
    assert_int_equal(q.item, 17);
    assert_int_equal(request_parse("POST", "/api/label", &q), 200);
    assert_int_equal(q.kind, REQUEST_LABEL);
}

static void test_other_addresses(void **state)
{
    (void)state;
    static const char *const nowhere[] = {
        "",
        "//",
        "/index.html",
        "/..",
        "/../etc/passwd",
        "/data/../etc/passwd.js",
        "/data/..%2f.js",
        "/data/.js",
        "/data/a/b.js",
        "/data/A.js",
        "/data/a.js.",
        "/data/-a.js",
        "/sounds/matched/../x.flac",
        "/sounds/matched/.flac",
        "/sounds/text/a.flac",
        "/sounds/other/a.flac",
        "/sounds/matched/a.wav",
        "/api/listen/sound/-1.flac",
        "/api/listen/sound/1e3.flac",
        "/api/listen/sound/99999999999999999999.flac",
        "/api/listen/sound/x.flac",
        "/api/state/",
        "/page.css/",
        "/data/a\\b.js",
        "/data/a b.js",
    };
    struct request q = {.item = 7};
    for (size_t i = 0; i < sizeof nowhere / sizeof *nowhere; i++) {
        if (request_parse("GET", nowhere[i], &q) != 404) {
            fail_msg("\"%s\" is somewhere", nowhere[i]);
        }
    }
    char path[REQUEST_MAX_PATH + 10];
    memset(path, 'a', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    assert_int_equal(request_parse("GET", path, &q), 414);
    assert_int_equal(q.item, 7);
    static const char *const methods[] = {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get", ""};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        assert_int_equal(request_parse(methods[i], "/", &q), 405);
    }
    assert_int_equal(request_parse("GET", "/api/label", &q), 405);
}

static void test_long_names(void **state)
{
    (void)state;
    struct request q;
    char name[REQUEST_MAX_NAME + 1];
    char path[REQUEST_MAX_PATH];
    memset(name, 'a', sizeof name);
    name[REQUEST_MAX_NAME - 1] = '\0';
    snprintf(path, sizeof path, "/data/%s.js", name);
    assert_int_equal(request_parse("GET", path, &q), 200);
    assert_string_equal(q.name, name);
    snprintf(path, sizeof path, "/data/%sa.js", name);
    assert_int_equal(request_parse("GET", path, &q), 404);
}

/* RFC 9110, 14.1.2 and 15.5.17, on a body of 1000 bytes. */
static void test_ranges(void **state)
{
    (void)state;
    static const struct {
        const char *range;
        int status;
        size_t at, n;
    } cases[] = {
        {NULL, 200, 0, 0},
        {"bytes=0-", 206, 0, 1000},
        {"bytes=0-0", 206, 0, 1},
        {"bytes=100-199", 206, 100, 100},
        {"bytes=900-2000", 206, 900, 100},
        {"bytes=999-", 206, 999, 1},
        {"bytes=-1", 206, 999, 1},
        {"bytes=-5000", 206, 0, 1000},
        {"bytes=1-18446744073709551615", 206, 1, 999},
        {"bytes=1-99999999999999999999999999", 206, 1, 999},
        {"bytes=1000-", 416, 0, 0},
        {"bytes=99999999999999999999999999-", 416, 0, 0},
        {"bytes=-0", 416, 0, 0},
        {"bytes=5-4", 200, 0, 0},
        {"bytes=", 200, 0, 0},
        {"bytes=-", 200, 0, 0},
        {"bytes=a-b", 200, 0, 0},
        {"bytes=0-1,5-6", 200, 0, 0},
        {"bytes= 0-1", 200, 0, 0},
        {"items=0-1", 200, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t at = 0;
        size_t n = 0;
        int status = request_parse_range(cases[i].range, 1000, &at, &n);
        if (status != cases[i].status || at != cases[i].at || n != cases[i].n) {
            fail_msg("%s: %d, %zu + %zu", cases[i].range, status, at, n);
        }
    }
    size_t at;
    size_t n;
    assert_int_equal(request_parse_range("bytes=0-", 0, &at, &n), 416);
    assert_int_equal(request_parse_range("bytes=-5", 0, &at, &n), 416);
}

static void test_hosts(void **state)
{
    (void)state;
    static const char *const own[] = {"127.0.0.1", "127.0.0.1:80", "localhost:8765",
                                      "[::1]:1",   "[::1]",        "127.0.0.2:80"};
    static const char *const others[] = {"evil.example", "127.0.0.1.evil.example",
                                         "localhost.",   "127.0.0.1:80x",
                                         "127.0.0.1:",   "",
                                         "::1",          "128.0.0.1",
                                         "127.0.1",      "[::1]x",
                                         "[::1",         "[]"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        assert_true(request_is_loopback_host(own[i]));
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_false(request_is_loopback_host(others[i]));
    }
    assert_false(request_is_loopback_host(NULL));
    assert_true(request_is_own_origin("http://127.0.0.1:80", "127.0.0.1:80"));
    assert_false(request_is_own_origin("http://evil.example", "127.0.0.1:80"));
    assert_false(request_is_own_origin("null", "127.0.0.1:80"));
    assert_false(request_is_own_origin("http://127.0.0.1:80", NULL));
}

static void test_names_and_secrets(void **state)
{
    (void)state;
    assert_true(request_is_labeller("Ana-2_b"));
    assert_false(request_is_labeller(""));
    assert_false(request_is_labeller("a b"));
    assert_false(request_is_labeller("../x"));
    assert_false(request_is_labeller("\xC3\xA4"));
    assert_true(request_is_labeller("abcdefghijabcdefghijabcdefghijabcdefghij"));
    assert_false(request_is_labeller("abcdefghijabcdefghijabcdefghijabcdefghijk"));
    assert_true(request_is_secret("abc", "abc"));
    assert_false(request_is_secret("abc", "abd"));
    assert_false(request_is_secret("abc", "ab"));
    assert_false(request_is_secret("abc", "abcd"));
    assert_false(request_is_secret("abc", NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),  cmocka_unit_test(test_other_addresses),
        cmocka_unit_test(test_long_names), cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_hosts),      cmocka_unit_test(test_names_and_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
